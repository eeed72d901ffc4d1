"""Events of the start of a launch: its job in Slurm's queue, its ranks' start of MPI."""

from parlab.model.event import Event, RankEvent


class InQueue(Event, tag="in queue", frozen=True):
    """The state of the ranks' job and the reason for it, in Slurm's words; number 0: there is no job."""

    number: int
    state: str
    reason: str


class Booted(RankEvent, tag="booted", frozen=True):
    """A rank has started MPI."""
