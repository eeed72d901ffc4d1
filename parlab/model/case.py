"""Case: one way of doing a lab's work, how its processes are started, and what a task of it asks for.

A case is plain data: it is declared in one process and looked at in others, and all of them mean the same by it.
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

PYTHON = "python"  # the case runs in one process, on the first node, and starts whatever it needs
MPI = "mpi"  # every rank runs the case: `mpiexec -n WORKERS python lab.py`
FUTURES = "mpi4py.futures"  # `mpiexec -n WORKERS+1 python -m mpi4py.futures lab.py`, the case itself on the head
LAUNCHES = (PYTHON, MPI, FUTURES)
RIGHT, WRONG = "right", "wrong"  # outcomes of a case; another is the name of the exception that it raises


class Demand(NamedTuple):
    """What one task asks for: units of computing, which need a core, and units of waiting, which need none."""

    burned: float
    waited: float


class Written(msgspec.Struct, frozen=True):
    """A setting that means something in the lab's own process only, such as a function or an array: as it is shown."""

    text: str

    def __repr__(self) -> str:
        return self.text


Setting = None | bool | int | float | str | Written


def setting_of(value: Any) -> Setting:
    """A setting's value as it travels: whole numbers of whichever library are `int`, others `float`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)  # of whichever class
    with suppress(TypeError):
        return operator.index(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if name := getattr(value, "__qualname__", ""):
        return Written(name)
    return Written(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value)))  # an address is another in each process


@dataclass(frozen=True)
class Case:
    """A function of the lab, by its name, with one value for each of its settings."""

    function: str
    launch: str = PYTHON
    settings: Mapping[str, Setting] = field(default_factory=dict)
    ran_on: int | None = None  # the size it ran on, where there were several
    outcome: str = RIGHT
    threads: bool = False  # its workers are threads of one process
    limits: bool = True  # the nodes' limits are on
    lesson_s: float | None = None  # what the lesson printed
    wanted: int | None = None  # so many ranks or workers, whatever the cores; of a program of the user's own
    only_on: tuple[int, ...] = ()  # of clusters that it runs on; all, where there are none

    def runs_on(self, nodes: int) -> bool:
        """Whether it is to run on a cluster of so many nodes."""
        return not self.only_on or nodes in self.only_on

    def on(self, nodes: int) -> "Case":
        """The same case with the size in its name."""
        return replace(self, ran_on=nodes)

    def ranks(self, virtual_cores: int) -> int:
        """How many processes mpiexec starts, on a cluster of so many virtual cores."""
        if self.launch == PYTHON:
            return 1
        workers = self.workers(virtual_cores)
        return workers if self.launch == MPI else workers + 1

    def workers(self, virtual_cores: int) -> int:
        """How many workers it has, on a cluster of so many virtual cores."""
        if self.wanted is not None:
            return self.wanted
        if self.launch == FUTURES:
            return virtual_cores
        return self.whole("workers") or (1 if self.launch == PYTHON else virtual_cores)

    def whole(self, name: str) -> int | None:
        """A setting that is a number of things; None where there is no such setting, or it is None.

        Raises ValueError for one that is no whole number: the ideal cannot be made of it.
        """
        value = self.settings.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(f"{self.name}: {name} is a whole number, or None")
        return value

    def node_of(self, rank: int, spec: Spec) -> int:
        """The number of the node that a rank is on (model/node.py): ranks are dealt out evenly."""
        if self.launch == FUTURES and rank == 0:
            return HEAD
        worker, workers = rank - 1 if self.launch == FUTURES else rank, self.workers(spec.virtual_cores)
        return 1 + (worker * min(spec.nodes, workers) // workers if self.launch != PYTHON else 0)

    @property
    def name(self) -> str:
        """As in `pool(chunk=1)`: the function and its settings."""
        shown = self.settings if self.ran_on is None else {**self.settings, "nodes": self.ran_on}
        settings = ", ".join(f"{key}={value!r}" for key, value in shown.items())
        return f"{self.function}({settings})" if settings else self.function

    @property
    def way(self) -> tuple[Hashable, ...]:
        """What two cases of a lab differ in: if in nothing of it, they are one."""
        return self.name, self.launch, self.limits, self.threads, self.only_on


def cores_per_task(cases: Iterable[Case], cores: int) -> dict[str, str]:
    """What Slurm would tell a job's processes of the cores of their task: all of the node's, or one for each rank."""
    return {"SLURM_CPUS_PER_TASK": str(cores if any(case.launch == PYTHON for case in cases) else 1)}
