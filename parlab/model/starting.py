"""Events of the start of a launch: its ranks' start of MPI."""

from parlab.model.event import RankEvent


class Booted(RankEvent, tag="booted", frozen=True):
    """A rank has started MPI."""
