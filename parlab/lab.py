"""The interface for lab files.

    lab = Lab(unit=0.5, nodes=[1, 2, 4], cores=2, speed=1 / 8)

    @lab.serial                         # the problem itself: its tasks and its results, in plain Python
    def one_after_another(task=work): ...

    @lab.case(workers=[4, 8], chunk=1)  # one way of solving it; each value of a list makes a case
    def pool(task=work, *, workers, chunk): ...

    @lab.expect                         # the expected result, with its tolerance
    def it_halves(cases): ...

    if __name__ == "__main__":
        lab.main()

A case's first parameter is the task, with the plain function as its default: the harness passes in a task that leaves
spans (parlab/task/recorder.py). The serial function runs once with `burn` and `wait` only counted, which takes no time.
That run gives the results that every case must equal, and the tasks for the prediction. Of a case's settings it gets
those that it has parameters for; `workers` is available even if the case has no such setting.

In a process that was not forked `task` returns its result wrapped for the way back: pass the task itself to such a
process, not a function that goes on to use the result.

The ideal reads two settings: `workers`, their number, and `chunk`, the number of tasks that one of them takes at a
time. Without this setting it is one; None means the default chunk of `Pool.map` and pathos.

`burn` and `wait` spend units, `pace` holds your own loop to a virtual core, `paced(items)` does so between items; tasks
without any of these have no ideal. `phase` names a part of a task, `holding` the time before and with a lock, `mark` an
instant; `metric` records a number from the case itself.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from parlab.model.advice import did_you_mean
from parlab.model.case import LAUNCHES, MOST_REPEATS, PYTHON, RIGHT, WRONG, Case, setting_of
from parlab.model.declaration import ClaimDeclared
from parlab.task.metrics import metric
from parlab.task.pace import burn, pace, wait
from parlab.task.paced import paced
from parlab.task.phases import holding, mark, phase
from parlab.task.stacks import let_be_seen

__all__ = ["CannotBeShown", "Lab", "approx", "burn", "holding", "mark", "metric", "pace", "paced", "phase", "wait"]

Function = TypeVar("Function", bound=Callable[..., Any])
BOUNDS = {"workers": (1, 64), "chunk": (1, 1000)}

let_be_seen()  # a spawned worker imports the lab's file


class CannotBeShown(Exception):
    """Raise it in an expectation that lacks something, e.g. CPUs: the message is shown, and no claim fails.

    `cases.of` and `cases.find` raise it for a case that was not run.
    """


def approx(value: float, rel: float) -> "Approximately":
    """A value to compare within the fraction `rel`: `assert cases.find(pool).units == approx(20, rel=0.05)`."""
    return Approximately(value, rel)


@dataclass(frozen=True)
class Approximately:
    """A value with its tolerance; made by `approx`."""

    value: float
    rel: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and abs(other - self.value) <= abs(self.value) * self.rel

    __hash__ = None  # type: ignore[assignment]  # it equals a range of values, so no hash is possible


@dataclass(frozen=True)
class Declared:
    """A case in the process that read the lab's file: with the parts that cannot be sent."""

    case: Case
    function: Callable[..., Any]
    settings: dict[str, Any]
    raises: tuple[type[Exception], ...] = ()  # exceptions that it must raise

    def told(self, overrides: Mapping[str, int]) -> "Declared":
        """The same case with other values of settings."""
        case = replace(self.case, settings={**self.case.settings, **overrides})
        return replace(self, case=case, settings={**self.settings, **overrides})


@dataclass(frozen=True)
class Expectation:
    """A function of the cases that asserts, and its requirements."""

    function: Callable[..., None]
    limits: bool = False  # requires that the kernel limits the nodes
    cpus: float = 0.0  # required host CPUs per node

    @property
    def name(self) -> str:
        """The claim, in words."""
        return self.function.__name__.replace("_", " ")

    @property
    def declared(self) -> ClaimDeclared:
        """The parts of it that other processes need."""
        return ClaimDeclared(self.name, self.limits, self.cpus)


class Lab:
    """One lesson: its unit in seconds, its default spec, its cases and its expectations.

    `nodes` is one size or several; each case runs on each. `same(result, serial_result)` decides on correctness. Its
    default requires equal values, through lists, dicts and arrays.
    `speed` is rounded to a fraction with a denominator of at most 64. `seed` seeds `random` in every rank alike (all
    draw the same numbers: mix in the task's argument) and the hashes of strings; NumPy's generators are up to the lab.
    `bounds` are a setting's minimum and maximum on the command line; `workers` and `chunk` have default bounds, None
    removes them.
    """

    def __init__(
        self,
        *,
        unit: float,
        nodes: int | Sequence[int] = 1,
        cores: int = 1,
        speed: float | Fraction = Fraction(1, 8),
        same: Callable[[Any, Any], bool] | None = None,
        seed: int = 0,
        bounds: Mapping[str, tuple[int, int] | None] | None = None,
    ) -> None:
        self.own_unit = float(unit)
        self.unit = float(os.environ.get("PARLAB_UNIT", unit))  # in a launch, the value of `--unit`
        self.nodes: tuple[int, ...] = (nodes,) if isinstance(nodes, int) else tuple(nodes)
        self.cores = cores
        self.own_speed = Fraction(speed).limit_denominator(64)
        self.speed = Fraction(os.environ.get("PARLAB_SPEED", speed)).limit_denominator(64)  # like `unit`
        self.same = same
        if not 0 <= seed < 2**32:  # the range of PYTHONHASHSEED
            raise ValueError(f"seed={seed}: from 0 to {2**32 - 1}")
        self.seed = seed
        self.bounds = {name: limits for name, limits in {**BOUNDS, **(bounds or {})}.items() if limits is not None}
        self.cases: list[Declared] = []
        self.expectations: list[Expectation] = []
        self.serial_solution: Callable[..., Any] | None = None

    def serial(self, function: Function) -> Function:
        """Declare the serial solution: every case must give its results."""
        self.serial_solution = function
        return function

    def case(
        self,
        *,
        launch: str = PYTHON,
        outcome: str | type[Exception] = RIGHT,
        threads: bool = False,
        limits: bool = True,
        lesson_s: float | None = None,
        nodes: int | Sequence[int] = (),
        repeat: int = 1,
        **settings: Any,
    ) -> Callable[[Function], Function]:
        """Declare cases: a list among the settings makes one case per value. Several for one function read downwards.

        `launch` selects how its processes are started: `"python"`, one process on one node, which starts its own;
        `"mpi"`, `mpiexec -n WORKERS python`, where every rank runs the case and rank 0's result counts;
        `"mpi4py.futures"`, `mpiexec -n WORKERS+1 python -m mpi4py.futures`, with the case itself on the head.
        `outcome` is the required outcome if it is not the serial results: `"wrong"`, any result that `same` rejects; or
        the class of an exception that it must raise, possibly before the first task.
        `threads` tells the ideal that the workers share one interpreter; `limits=False` runs the case without the
        nodes' limits; `lesson_s` is the lesson's printed time in seconds, shown beside ours; with `nodes` the case runs
        only on clusters of these sizes. It is launched at least `repeat` times, 1 to MOST_REPEATS.
        Raises ValueError for an unknown launch, outcome or flag value, and for counts that are not whole numbers;
        TypeError for settings that the function does not take, or for missing ones.
        """
        for name, flag in (("threads", threads), ("limits", limits)):
            if not isinstance(flag, bool):
                raise ValueError(f"{name}={flag!r}: True or False; a setting of the case needs another name")
        if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= MOST_REPEATS:
            raise ValueError(f"repeat={repeat!r}: a whole number from 1 to {MOST_REPEATS}")
        if launch not in LAUNCHES:
            raise ValueError(f"launch={launch!r}: known are {', '.join(map(repr, LAUNCHES))}")
        if isinstance(outcome, str) and outcome not in (RIGHT, WRONG):
            raise ValueError(f"outcome={outcome!r}: known are {RIGHT!r}, {WRONG!r} and classes of exceptions")
        if isinstance(outcome, type) and not issubclass(outcome, Exception):
            raise ValueError(f"outcome={outcome.__name__}: a case cannot declare an exception that ends its process")
        raises = (outcome,) if isinstance(outcome, type) else ()
        named = outcome if isinstance(outcome, str) else outcome.__name__
        values: Iterable[list[Any]] = (v if isinstance(v, list) else [v] for v in settings.values())
        sizes = (nodes,) if isinstance(nodes, int) else tuple(nodes)
        chosen = [dict(zip(settings, combination, strict=True)) for combination in product(*values)]

        def declare(function: Function) -> Function:
            for one in chosen:
                _bind(function, one)
            like = Case(function.__name__, launch, outcome=named, threads=threads, limits=limits, repeat=repeat)
            like = replace(like, lesson_s=lesson_s, only_on=sizes)
            cases = []
            for one in chosen:
                case = replace(like, settings={name: setting_of(value) for name, value in one.items()})
                for name in ("workers", "chunk"):
                    case.whole(name)
                cases.append(Declared(case, function, one, raises))
            declared = (index for index, case in enumerate(self.cases) if case.function is function)
            at = next(declared, len(self.cases))  # decorators are applied from the lowest up
            self.cases[at:at] = cases
            return function

        return declare

    def expect(
        self, function: Callable[..., None] | None = None, *, limits: bool = False, cpus: float = 0.0
    ) -> Callable[..., Any]:
        """Declare an expectation: a function of the cases that asserts; plain, or as `@lab.expect(limits=True)`.

        `cases.of(pool)` are the cases of that function, `cases.of(pool, workers=8)` those with this setting, and
        `cases.find(pool, workers=8)` is the only one of them; `nodes=` selects a size. Each is a MeasuredCase
        (parlab/results/record.py): `units`, `measured_s`, `speedup`, `workers`, `by_node`, `metrics`, `breakdown()`.
        The function's name, in words, is the claim. The message of a failed assertion is the reason. An expectation
        is called only if the run is a measurement.
        With `limits` the claim needs a kernel that limits the nodes; with `cpus`, nodes with at least that many host
        CPUs. Without `cpus` it must be shown on any cluster of 2 CPUs.
        """

        def declare(function: Callable[..., None]) -> Callable[..., None]:
            self.expectations.append(Expectation(function, limits, cpus))
            return function

        return declare if function is None else declare(function)

    def main(self) -> None:
        """Run the lab: in a launch the requested case; else, started by a user, everything on this machine.

        Raises RuntimeError outside a main guard, where it would run in every process that imports the file.
        """
        caller = sys._getframe(1).f_globals
        if caller.get("__name__") != "__main__":
            raise RuntimeError('lab.main() runs as the file is imported: put it below `if __name__ == "__main__":`')
        if in_launch is not None:
            in_launch(self)
        else:
            _run_by_itself(caller["__file__"])


def _bind(function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Raise TypeError unless the function can be called with a task and these settings."""
    signature = inspect.signature(function)
    task = signature.parameters.get("task")
    if task is None or task.default is inspect.Parameter.empty:
        raise TypeError(f"{function.__name__} needs a parameter `task=FUNCTION`: the function that its workers run")
    names = [name for name in signature.parameters if name != "task"]
    try:
        signature.bind(task=None, **settings)
    except TypeError as error:
        near = "".join(f". {said}" for name in settings if name not in names and (said := did_you_mean(name, names)))
        raise TypeError(f"{function.__name__}: {error}; its settings are: {', '.join(names) or 'none'}{near}") from None


# A launch's use of the lab whose file it runs; parlab/node/rank.py sets it before it runs the file.
in_launch: Callable[[Lab], None] | None = None


def _run_by_itself(file: str) -> NoReturn:
    """Become `python -m parlab FILE`: the same process, so a signal to it reaches parlab.

    `-P`: files in the current folder cannot hide the modules that parlab needs.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a closed one is None
        stream.flush()
    _remove_segments()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "parlab", str(Path(file).resolve())])


def _remove_segments() -> None:
    """Remove the shared memory of an MPI that the file's imports have started here, and that nobody else uses.

    Open MPI 5.0.11 never removes the file of such a singleton.
    """
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:  # macOS
        return
    for line in maps.splitlines():
        file = Path(line.split()[-1])
        if file.name.startswith("sm_segment."):
            file.unlink(missing_ok=True)
