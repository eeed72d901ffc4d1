"""What a lab file is written with.

    lab = Lab(unit=0.5, nodes=[1, 2, 4], cores=2, speed=1 / 8)

    @lab.serial                         # the problem itself: its tasks and its results, in plain Python
    def one_after_another(task=work): ...

    @lab.case(launch="mpi4py.futures")  # one way of doing the same; lists among the settings make several cases
    def pool(task=work, *, chunk): ...

    @lab.expect                         # what must come out, with its tolerance
    def it_halves(cases): ...

    if __name__ == "__main__":
        lab.main()

A case's first parameter is the task, and its default is the plain function: the harness hands in one that leaves
spans (parlab/spans.py). The serial function is run once with `burn` and `wait` merely counted, which takes no time:
that gives the results that every case must equal, and the tasks that the prediction is computed from.
"""

import inspect
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple, TypeVar

from parlab.pace import burn, metered, pace, wait
from parlab.spans import phase

__all__ = ["CannotBeShown", "Case", "Lab", "approx", "burn", "pace", "phase", "wait"]

Function = TypeVar("Function", bound=Callable[..., Any])
FUTURES = "mpi4py.futures"
RIGHT, WRONG = "right", "wrong"  # outcomes of a case; another is the name of the exception that it raises


class CannotBeShown(Exception):
    """Raised by an expectation that needs what is not there: more CPUs, a case that did not run."""


class Units(NamedTuple):
    """What one task asks for: units of computing, which need a core, and units of waiting, which need none."""

    burned: float
    waited: float


@dataclass(frozen=True)
class Case:
    """One way of doing the work: a function of the lab, with one value for each of its settings."""

    function: Callable[..., Any]
    launch: str
    settings: dict[str, Any] = field(default_factory=dict)
    nodes: int | None = None  # the size it ran on, where there were several
    outcome: str = RIGHT
    raises: tuple[type[BaseException], ...] = ()

    def on(self, nodes: int) -> "Case":
        """The same case with the size in its name."""
        return replace(self, nodes=nodes)

    def declares(self, error: BaseException) -> bool:
        """Whether the case is to raise such an exception."""
        return isinstance(error, self.raises)

    @property
    def name(self) -> str:
        """As in `pool(chunk=1)`: the function and its settings."""
        shown = self.settings if self.nodes is None else self.settings | {"nodes": self.nodes}
        settings = ", ".join(f"{key}={value!r}" for key, value in shown.items())
        return f"{self.function.__name__}({settings})" if settings else self.function.__name__


def approx(value: float, rel: float) -> "Approximately":
    """Equal to `value` within the fraction `rel`: `assert cases["pool"].units == approx(20, rel=0.05)`."""
    return Approximately(value, rel)


@dataclass(frozen=True)
class Approximately:
    """A value with its tolerance; comes out of `approx`."""

    value: float
    rel: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and abs(other - self.value) <= abs(self.value) * self.rel

    __hash__ = None  # type: ignore[assignment]  # equal to a range of values, so no hash would do


class Lab:
    """One lesson: its unit in seconds, its default spec, its cases and what is expected of them.

    `nodes` is one size or several; each case runs on each. `same(result, serial_result)` decides on correctness.
    `seed` is what `random` is seeded with in every rank, and what strings hash by.
    """

    def __init__(
        self,
        *,
        unit: float,
        nodes: int | Sequence[int] = 1,
        cores: int = 1,
        speed: float | Fraction = Fraction(1, 8),
        same: Callable[[Any, Any], bool] = operator.eq,
        seed: int = 0,
    ) -> None:
        self.unit = float(unit)
        self.nodes: tuple[int, ...] = (nodes,) if isinstance(nodes, int) else tuple(nodes)
        self.cores = cores
        self.speed = Fraction(speed).limit_denominator(64)
        self.same = same
        self.seed = seed
        self.cases: list[Case] = []
        self.expectations: list[Callable[..., None]] = []
        self._serial: Callable[..., Any] | None = None

    def serial(self, function: Function) -> Function:
        """Declare the serial solution: every case must give its results."""
        self._serial = function
        return function

    def case(
        self, *, launch: str, outcome: str | type[BaseException] = RIGHT, **settings: Any
    ) -> Callable[[Function], Function]:
        """Declare a case; each list among the settings is one case a value.

        `launch` says how its processes are started; `"mpi4py.futures"` is
        `mpiexec -n WORKERS+1 ... python -m mpi4py.futures`, with the case itself on the head.
        `outcome` is what it is to come to when that is not the serial results: `"wrong"`, or an exception's class.
        """
        if launch != FUTURES:
            raise ValueError(f"launch={launch!r}: known is {FUTURES!r}")
        if isinstance(outcome, str) and outcome not in (RIGHT, WRONG):
            raise ValueError(f"outcome={outcome!r}: known are {RIGHT!r}, {WRONG!r} and classes of exceptions")
        # On a host without the library, its exceptions are stand-ins (parlab/catalog.py): no classes, but with names.
        raises = (outcome,) if isinstance(outcome, type) else ()
        named = outcome if isinstance(outcome, str) else outcome.__name__.rpartition(".")[2]

        def declare(function: Function) -> Function:
            values: Iterable[list[Any]] = (v if isinstance(v, list) else [v] for v in settings.values())
            for chosen in product(*values):
                chosen_settings = dict(zip(settings, chosen, strict=True))
                self.cases.append(Case(function, launch, chosen_settings, outcome=named, raises=raises))
            return function

        return declare

    def expect(self, function: Function) -> Function:
        """Declare an expectation: a function of the measured cases that asserts, or raises CannotBeShown."""
        self.expectations.append(function)
        return function

    def reference(self) -> tuple[list[Units], Any]:
        """Run the serial solution with its units counted, not spent: (what each task asks for, the results)."""
        if self._serial is None:
            raise ValueError("the lab declares no serial solution: add @lab.serial")
        task = inspect.signature(self._serial).parameters["task"].default
        tasks: list[Units] = []

        def metered_task(*args: Any, **kwargs: Any) -> Any:
            with metered() as meter:
                result = task(*args, **kwargs)
            tasks.append(Units(meter.burned, meter.waited))
            return result

        results = self._serial(metered_task)
        return tasks, results

    def main(self) -> None:
        """Run the lab: what a launch asks for when started by one, else the whole lab on this machine."""
        if "PARLAB_CONTROL" in os.environ:
            from parlab.node.harness import run_case

            run_case(self)
        else:
            from parlab.command import run_file

            run_file(inspect.getfile(self.cases[0].function))
