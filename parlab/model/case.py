"""Case: one way of doing a lab's work, how its processes are started, and what a task of it asks for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from parlab.model.node import HEAD
from parlab.model.spec import Spec

PYTHON = "python"  # the case runs in one process, on the first node, and starts whatever it needs
MPI = "mpi"  # every rank runs the case: `mpiexec -n WORKERS python lab.py`
FUTURES = "mpi4py.futures"  # `mpiexec -n WORKERS+1 python -m mpi4py.futures lab.py`, the case itself on the head
LAUNCHES = (PYTHON, MPI, FUTURES)
RIGHT, WRONG = "right", "wrong"  # outcomes of a case; another is the name of the exception that it raises


class Demand(NamedTuple):
    """What one task asks for: units of computing, which need a core, and units of waiting, which need none."""

    burned: float
    waited: float


@dataclass(frozen=True)
class Case:
    """A function of the lab, with one value for each of its settings."""

    function: Callable[..., Any]
    launch: str = PYTHON
    settings: dict[str, Any] = field(default_factory=dict)
    ran_on: int | None = None  # the size it ran on, where there were several
    outcome: str = RIGHT
    raises: tuple[type[Exception], ...] = ()
    threads: bool = False  # its workers are threads of one process
    limits: bool = True  # the nodes' limits are on
    lesson_s: float | None = None  # what the lesson printed
    only_on: tuple[int, ...] = ()  # of clusters that it runs on; all, where there are none

    def runs_on(self, nodes: int) -> bool:
        """Whether it is to run on a cluster of so many nodes."""
        return not self.only_on or nodes in self.only_on

    def on(self, nodes: int) -> "Case":
        """The same case with the size in its name."""
        return replace(self, ran_on=nodes)

    def declares(self, error: Exception) -> bool:
        """Whether the case is to raise such an exception."""
        return isinstance(error, self.raises)

    def ranks(self, virtual_cores: int) -> int:
        """How many processes mpiexec starts, on a cluster of so many virtual cores."""
        if self.launch == PYTHON:
            return 1
        workers = self.workers(virtual_cores)
        return workers if self.launch == MPI else workers + 1

    def workers(self, virtual_cores: int) -> int:
        """How many workers it has, on a cluster of so many virtual cores."""
        if self.launch == FUTURES:
            return virtual_cores
        return int(self.settings.get("workers") or (1 if self.launch == PYTHON else virtual_cores))

    def node_of(self, rank: int, spec: Spec) -> int:
        """The number of the node that a rank is on (model/node.py): ranks are dealt out evenly."""
        if self.launch == FUTURES and rank == 0:
            return HEAD
        worker, workers = rank - 1 if self.launch == FUTURES else rank, self.workers(spec.virtual_cores)
        return 1 + (worker * min(spec.nodes, workers) // workers if self.launch != PYTHON else 0)

    @property
    def name(self) -> str:
        """As in `pool(chunk=1)`: the function and its settings."""
        shown = self.settings if self.ran_on is None else self.settings | {"nodes": self.ran_on}
        settings = ", ".join(f"{key}={value!r}" for key, value in shown.items())
        return f"{self.function.__name__}({settings})" if settings else self.function.__name__
