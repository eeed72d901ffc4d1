"""Job: a program of the user's own, how its processes are started, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from parlab.model.case import FUTURES, MPI, PYTHON, Case

RUNNERS = {PYTHON: (), MPI: ("-m", "mpi4py"), FUTURES: ("-m", FUTURES)}  # what a rank's Python gets before PROGRAM


@dataclass(frozen=True)
class Job:
    """`words` are what a Python gets: PROGRAM ARGS or -m MODULE ARGS. `ranks` are those that do the work."""

    words: tuple[str, ...]
    launch: str = PYTHON
    ranks: int = 1
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The program's, without its folder and suffix; a module's, whole."""
        return self.words[1] if self.words[0] == "-m" else PurePath(self.words[0]).stem

    @property
    def case(self) -> Case:
        """As what it is started."""
        return Case(self.name, self.launch, wanted=self.ranks)

    @property
    def command(self) -> tuple[str, ...]:
        """What a rank's Python gets. An exception in one rank is to end all: `-m mpi4py` sees to that."""
        return (*RUNNERS[self.launch], *self.words)


def typed(command: Sequence[str]) -> Sequence[str]:
    """Of a record's command, `python` and what it got, the words that the user typed."""
    words = command[1:]
    runner = next((runner for runner in RUNNERS.values() if runner and tuple(words[: len(runner)]) == runner), ())
    return words[len(runner) :]
