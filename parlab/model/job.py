"""Job: a user's own program, how its processes are started, and its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from parlab.model.case import FUTURES, MPI, PYTHON, Case

RUNNERS = {PYTHON: (), MPI: ("-m", "mpi4py"), FUTURES: ("-m", FUTURES)}  # arguments for a rank's Python before PROGRAM


@dataclass(frozen=True)
class Job:
    """`words` are Python's arguments: PROGRAM ARGS or -m MODULE ARGS. `ranks` are those that do the work."""

    words: tuple[str, ...]
    launch: str = PYTHON
    ranks: int = 1
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The program's name without its folder and suffix; a module's full name."""
        return self.words[1] if self.words[0] == "-m" else PurePath(self.words[0]).stem

    @property
    def case(self) -> Case:
        """The case under which it is started."""
        return Case(self.name, self.launch, wanted=self.ranks)

    @property
    def command(self) -> tuple[str, ...]:
        """Arguments for a rank's Python. An exception in one rank must end all ranks: `-m mpi4py` does that."""
        return (*RUNNERS[self.launch], *self.words)


def typed(command: Sequence[str]) -> Sequence[str]:
    """The words that the user typed, from a record's command: `python` and its arguments."""
    words = command[1:]
    runner = next((runner for runner in RUNNERS.values() if runner and tuple(words[: len(runner)]) == runner), ())
    return words[len(runner) :]
