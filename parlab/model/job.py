"""Job: a program of the user's own, how its processes are started, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from parlab.model.case import MPI, PYTHON, Case


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
        runner = {PYTHON: (), MPI: ("-m", "mpi4py")}.get(self.launch, ("-m", self.launch))
        return (*runner, *self.words)
