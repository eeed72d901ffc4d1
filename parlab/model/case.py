"""Case: one way of doing a lab's work, how its processes are started, and its tasks' demand.

A case is plain data: one process declares it, others read it, and it means the same to all of them.
"""

import math
import operator
import re
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec

from parlab.model.node import HEAD
from parlab.model.spec import Spec

PYTHON = "python"  # the case runs in one process, on the first node, and starts its own workers
MPI = "mpi"  # every rank runs the case: `mpiexec -n WORKERS python lab.py`
FUTURES = "mpi4py.futures"  # `mpiexec -n WORKERS+1 python -m mpi4py.futures lab.py`; the case itself is on the head
LAUNCHES = (PYTHON, MPI, FUTURES)
MOST_REPEATS = 100  # launches of one case in a run
RIGHT, WRONG = "right", "wrong"  # outcomes of a case; any other outcome is the name of an exception that it raises


class Demand(NamedTuple):
    """The demand of one task: units of computing, which need a core, and units of waiting, which need none."""

    burned: float
    waited: float


class Written(msgspec.Struct, frozen=True):
    """A setting that has a meaning only in the lab's own process, such as a function or an array: its text."""

    text: str

    def __repr__(self) -> str:
        return self.text


Setting = None | bool | int | float | str | Written


def setting_of(value: Any) -> Setting:
    """A setting's value for transport: whole numbers of any library become `int`, others `float`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)  # a subclass becomes a plain string
    with suppress(TypeError):
        return operator.index(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if name := getattr(value, "__qualname__", ""):
        return Written(name)
    return Written(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value)))  # an address differs between processes


@dataclass(frozen=True)
class Case:
    """A function of the lab, by its name, with one value for each of its settings."""

    function: str
    launch: str = PYTHON
    settings: Mapping[str, Setting] = field(default_factory=dict)
    ran_on: int | None = None  # the size it ran on, if there were several
    outcome: str = RIGHT
    threads: bool = False  # its workers are threads of one process
    limits: bool = True  # the nodes' limits are on
    lesson_s: float | None = None  # the time that the lesson printed
    wanted: int | None = None  # number of ranks or workers regardless of the cores; of a user's own program
    only_on: tuple[int, ...] = ()  # cluster sizes that it runs on; empty: all
    repeat: int = 1  # the least number of launches

    def runs_on(self, nodes: int) -> bool:
        """Whether it runs on a cluster of this many nodes."""
        return not self.only_on or nodes in self.only_on

    def on(self, nodes: int) -> "Case":
        """The same case with the size in its name."""
        return replace(self, ran_on=nodes)

    def ranks(self, virtual_cores: int) -> int:
        """The number of processes that mpiexec starts, on a cluster of this many virtual cores."""
        if self.launch == PYTHON:
            return 1
        workers = self.workers(virtual_cores)
        return workers if self.launch == MPI else workers + 1

    def workers(self, virtual_cores: int) -> int:
        """The number of its workers, on a cluster of this many virtual cores."""
        if self.wanted is not None:
            return self.wanted
        if self.launch == FUTURES:
            return virtual_cores
        return self.whole("workers") or (1 if self.launch == PYTHON else virtual_cores)

    def whole(self, name: str) -> int | None:
        """A setting that counts things; None if the setting is missing or None.

        Raises ValueError for a value that is not a whole number: there is no ideal for it.
        """
        value = self.settings.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(f"{self.name}: {name} is a whole number, or None")
        return value

    def node_of(self, rank: int, spec: Spec) -> int:
        """The number of a rank's node (model/node.py): ranks are distributed evenly."""
        if self.launch == FUTURES and rank == 0:
            return HEAD
        worker, workers = rank - 1 if self.launch == FUTURES else rank, self.workers(spec.virtual_cores)
        return 1 + (worker * min(spec.nodes, workers) // workers if self.launch != PYTHON else 0)

    @property
    def name(self) -> str:
        """The function and its settings, e.g. `pool(chunk=1)`."""
        shown = self.settings if self.ran_on is None else {**self.settings, "nodes": self.ran_on}
        settings = ", ".join(f"{key}={value!r}" for key, value in shown.items())
        return f"{self.function}({settings})" if settings else self.function

    @property
    def way(self) -> tuple[Hashable, ...]:
        """Everything that can differ between two cases of a lab: cases equal in all of it are one."""
        return self.name, self.launch, self.limits, self.threads, self.only_on


def cores_per_task(cases: Iterable[Case], cores: int) -> dict[str, str]:
    """Slurm's variable for a task's number of cores: all of the node's, or one for each rank."""
    return {"SLURM_CPUS_PER_TASK": str(cores if any(case.launch == PYTHON for case in cases) else 1)}
