"""What a lab file is written with.

    lab = Lab(unit=0.5, nodes=[1, 2, 4], cores=2, speed=1 / 8)

    @lab.serial                         # the problem itself: its tasks and its results, in plain Python
    def one_after_another(task=work): ...

    @lab.case(launch="mpi4py.futures", chunk=[1, 4])  # one way of doing the same; each value of a list makes a case
    def pool(task=work, *, chunk): ...

    @lab.expect                         # what must come out, with its tolerance
    def it_halves(cases): ...

    if __name__ == "__main__":
        lab.main()

A case's first parameter is the task, and its default is the plain function: the harness hands in one that leaves
spans (parlab/spans.py). The serial function is run once with `burn` and `wait` merely counted, which takes no time:
that gives the results that every case must equal, and the tasks that the prediction is computed from.

A setting called `chunk` is how many tasks are handed out at a time: the ideal reads it. Workers are one a virtual core.
`burn` and `wait` spend units, `pace` holds a loop of your own to a virtual core, `phase` names a stretch of a task.
"""

import inspect
import operator
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple, TypeVar

from parlab.pace import burn, counted, pace, wait
from parlab.spans import phase

__all__ = ["CannotBeShown", "Case", "Lab", "approx", "burn", "pace", "phase", "wait"]

Function = TypeVar("Function", bound=Callable[..., Any])
FUTURES = "mpi4py.futures"
RIGHT, WRONG = "right", "wrong"  # outcomes of a case; another is the name of the exception that it raises


class CannotBeShown(Exception):
    """Raise it in an expectation that needs what is not there, as more CPUs: the message is shown, no claim fails.

    Asking for a case that was not run raises it by itself.
    """


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
    raises: tuple[type[Exception], ...] = ()

    def on(self, nodes: int) -> "Case":
        """The same case with the size in its name."""
        return replace(self, nodes=nodes)

    def declares(self, error: Exception) -> bool:
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
    `speed` is taken as the nearest fraction with a denominator of at most 64. `seed` seeds `random` in every rank alike
    (all draw the same numbers: mix in the task's argument) and how strings hash; NumPy's generators are the lab's own.
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
        if not 0 <= seed < 2**32:  # what PYTHONHASHSEED takes
            raise ValueError(f"seed={seed}: from 0 to {2**32 - 1}")
        self.seed = seed
        self.cases: list[Case] = []
        self.expectations: list[Callable[..., None]] = []
        self._serial: Callable[..., Any] | None = None

    def serial(self, function: Function) -> Function:
        """Declare the serial solution: every case must give its results."""
        self._serial = function
        return function

    def case(
        self, *, launch: str, outcome: str | type[Exception] = RIGHT, **settings: Any
    ) -> Callable[[Function], Function]:
        """Declare a case; each list among the settings is one case a value.

        `launch` says how its processes are started; `"mpi4py.futures"` is
        `mpiexec -n WORKERS+1 ... python -m mpi4py.futures`, with the case itself on the head.
        `outcome` is what it must come to instead of the serial results: `"wrong"`, any result that `same` refuses; or
        the class of an exception that it must raise, be it before the first task.
        """
        if launch != FUTURES:
            raise ValueError(f"launch={launch!r}: known is {FUTURES!r}")
        if isinstance(outcome, str) and outcome not in (RIGHT, WRONG):
            raise ValueError(f"outcome={outcome!r}: known are {RIGHT!r}, {WRONG!r} and classes of exceptions")
        if isinstance(outcome, type) and not issubclass(outcome, Exception):
            raise ValueError(f"outcome={outcome.__name__}: a case cannot declare what ends its process")
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
        """Declare an expectation: a function of the cases by name, as `cases["pool(chunk=1, nodes=2)"]`, that asserts.

        Where there are several sizes, `nodes` stands in the name. Each is a MeasuredCase (parlab/record.py): `units`,
        `measured_s`, `speedup`, `workers`, `by_node`, `account()`. The function's name, in words, is the claim; the
        message of a failed assertion is the reason. It is called on a measurement only.
        """
        self.expectations.append(function)
        return function

    def reference(self) -> tuple[list[Units], Any]:
        """Run the serial solution with its units counted, not spent: (what each task asks for, the results)."""
        if self._serial is None:
            raise ValueError("the lab declares no serial solution: add @lab.serial")
        task = inspect.signature(self._serial).parameters["task"].default
        tasks: list[Units] = []

        def counted_task(*args: Any, **kwargs: Any) -> Any:
            with counted() as tally:
                result = task(*args, **kwargs)
            tasks.append(Units(tally.burned, tally.waited))
            return result

        results = self._serial(counted_task)
        return tasks, results

    def main(self) -> None:
        """Run the lab: what a launch asks for when started by one, else the whole lab on this machine."""
        if "PARLAB_CONTROL" in os.environ:
            from parlab.node.harness import run_case

            run_case(self)
        else:
            from parlab.command import run_file

            run_file(inspect.getfile(self.cases[0].function))
