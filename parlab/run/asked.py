"""The request for a run of a program, and its outcome."""

from dataclasses import dataclass, field
from pathlib import Path

from parlab.backend.base import Equipment
from parlab.model.job import Job
from parlab.model.job_events import Ended
from parlab.model.spec import Spec
from parlab.run.limits import Limits
from parlab.run.tasks import Tasks

EXIT_TIMEOUT, EXIT_OURS = 124, 125  # the same as timeout(1)'s and docker-run(1)'s


@dataclass(frozen=True)
class Ask:
    """The request for a run of a program. `seconds` is its deadline, `out` the destination of its files.

    `memory` is the memory of each node, in bytes; with `spin`, ranks that wait in MPI wait as Open MPI does by default;
    with `trace`, the tasks of its pools are logged.
    """

    job: Job
    spec: Spec
    folder: Path
    out: Path
    seconds: float
    memory: int | None = None
    equipment: Equipment | None = None
    limits: bool = True
    spin: bool = False
    tag: bool = False
    trace: bool = False


@dataclass
class Outcome:
    """The outcome of a run: the exit code, its origin, messages for the user, and the measurements."""

    code: int
    whose: str
    said: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    limits: Limits | None = None
    nodes: dict[int, str] = field(default_factory=dict)
    startup_s: float = 0.0
    wall_s: float = 0.0
    tasks: Tasks | None = None  # of a traced program

    def lose(self, said: list[str]) -> None:
        """Add messages about lost work of the program: then it has not gone well, even if the program says so."""
        self.said += said
        if self.code == 0:
            self.code, self.whose = EXIT_OURS, "parlab's: the program itself ended well"
