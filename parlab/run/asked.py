"""What is asked of a run of a program, and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path

from parlab.backend.base import Equipment
from parlab.model.job import Job
from parlab.model.job_events import Ended
from parlab.model.spec import Spec
from parlab.run.limits import Limits
from parlab.run.tasks import Tasks

EXIT_TIMEOUT, EXIT_OURS = 124, 125  # as timeout(1) and docker-run(1) have them


@dataclass(frozen=True)
class Ask:
    """What is asked of a run of a program. `seconds` is its deadline, `out` where its files go.

    `memory` is what each node is to have, in bytes; `spin` leaves ranks that wait in MPI to wait as Open MPI has it;
    `trace` has the tasks of its pools logged.
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
    """What came of it: the exit code, whose it is, what there is to say, and what was measured."""

    code: int
    whose: str
    said: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    limits: Limits | None = None
    nodes: dict[int, str] = field(default_factory=dict)
    startup_s: float = 0.0
    wall_s: float = 0.0
    tasks: Tasks | None = None  # of a program that was traced

    def lose(self, said: list[str]) -> None:
        """Tell what of the program's work is lost: then it has not gone well, even where the program says so."""
        self.said += said
        if self.code == 0:
            self.code, self.whose = EXIT_OURS, "parlab's: the program itself ended well"
