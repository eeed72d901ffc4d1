"""What a lab file is written with.

    lab = Lab(unit=0.5, nodes=[1, 2, 4], cores=2, speed=1 / 8)

    @lab.serial                         # the problem itself: its tasks and its results, in plain Python
    def one_after_another(task=work): ...

    @lab.case(workers=[4, 8], chunk=1)  # one way of doing the same; each value of a list makes a case
    def pool(task=work, *, workers, chunk): ...

    @lab.expect                         # what must come out, with its tolerance
    def it_halves(cases): ...

    if __name__ == "__main__":
        lab.main()

A case's first parameter is the task, and its default is the plain function: the harness hands in one that leaves
spans (parlab/task/recorder.py). The serial function is run once with `burn` and `wait` merely counted, which takes no
time: that gives the results that every case must equal, and the tasks that the prediction is computed from. Of a case's
settings it gets those that it has parameters for; `workers` is there even where the case has no such setting.

In a process that was not forked `task` returns its result wrapped up for the way back: hand the task itself to such a
process, not a function that goes on to use the result.

Two settings are read by the ideal, too: `workers`, how many there are, and `chunk`, how many tasks one of them takes
at a time: one where there is no such setting, and None is the chunk that `Pool.map` and pathos choose by themselves.

`burn` and `wait` spend units, `pace` holds a loop of your own to a virtual core, `paced(items)` does so between items;
tasks that do none of this have no ideal. `phase` names a stretch of a task, `holding` its time with a lock and before,
`mark` an instant of it; `metric` records a number that the case has taken itself.
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
from parlab.model.case import LAUNCHES, PYTHON, RIGHT, WRONG, Case, setting_of
from parlab.model.declaration import ClaimDeclared
from parlab.task.metrics import metric
from parlab.task.pace import burn, pace, wait
from parlab.task.paced import paced
from parlab.task.phases import holding, mark, phase
from parlab.task.stacks import let_be_seen

__all__ = ["CannotBeShown", "Lab", "approx", "burn", "holding", "mark", "metric", "pace", "paced", "phase", "wait"]

Function = TypeVar("Function", bound=Callable[..., Any])
BOUNDS = {"workers": (1, 64), "chunk": (1, 1000)}

let_be_seen()  # a worker that is spawned imports the lab's file


class CannotBeShown(Exception):
    """Raise it in an expectation that lacks something, such as more CPUs: the message is shown, and no claim fails.

    `cases.of` and `cases.find` raise it for a case that was not run.
    """


def approx(value: float, rel: float) -> "Approximately":
    """Equal to `value` within the fraction `rel`: `assert cases.find(pool).units == approx(20, rel=0.05)`."""
    return Approximately(value, rel)


@dataclass(frozen=True)
class Approximately:
    """A value with its tolerance; comes out of `approx`."""

    value: float
    rel: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and abs(other - self.value) <= abs(self.value) * self.rel

    __hash__ = None  # type: ignore[assignment]  # equal to a range of values, so no hash would do


@dataclass(frozen=True)
class Declared:
    """A case as it is in the process that read the lab's file: with what does not travel."""

    case: Case
    function: Callable[..., Any]
    settings: dict[str, Any]
    raises: tuple[type[Exception], ...] = ()  # the exceptions that it is to raise

    def told(self, overrides: Mapping[str, int]) -> "Declared":
        """The same with other values of settings."""
        case = replace(self.case, settings={**self.case.settings, **overrides})
        return replace(self, case=case, settings={**self.settings, **overrides})


@dataclass(frozen=True)
class Expectation:
    """A function of the cases that asserts, and what it needs before it can be tried."""

    function: Callable[..., None]
    limits: bool = False  # the kernel holds the nodes to their limits
    cpus: float = 0.0  # host CPUs that a node has

    @property
    def name(self) -> str:
        """The claim, in words."""
        return self.function.__name__.replace("_", " ")

    @property
    def declared(self) -> ClaimDeclared:
        """What of it other processes are told."""
        return ClaimDeclared(self.name, self.limits, self.cpus)


class Lab:
    """One lesson: its unit in seconds, its default spec, its cases and what is expected of them.

    `nodes` is one size or several; each case runs on each. `same(result, serial_result)` decides on correctness;
    without it all must be equal, value by value, through lists, dicts and arrays.
    `speed` is taken as the nearest fraction with a denominator of at most 64. `seed` seeds `random` in every rank alike
    (all draw the same numbers: mix in the task's argument) and how strings hash; NumPy's generators are the lab's own.
    `bounds` are the least and the most that the command line may give for a setting; `workers` and `chunk` have some,
    None takes them away.
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
        self.unit = float(os.environ.get("PARLAB_UNIT", unit))  # in a launch, what `--unit` says
        self.nodes: tuple[int, ...] = (nodes,) if isinstance(nodes, int) else tuple(nodes)
        self.cores = cores
        self.own_speed = Fraction(speed).limit_denominator(64)
        self.speed = Fraction(os.environ.get("PARLAB_SPEED", speed)).limit_denominator(64)  # as `unit`
        self.same = same
        if not 0 <= seed < 2**32:  # what PYTHONHASHSEED takes
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
        **settings: Any,
    ) -> Callable[[Function], Function]:
        """Declare a case; each list among the settings is one case a value. Several of one function read downwards.

        `launch` says how its processes are started: `"python"`, one process on one node, which starts its own;
        `"mpi"`, `mpiexec -n WORKERS python`, where every rank runs the case and rank 0's result counts;
        `"mpi4py.futures"`, `mpiexec -n WORKERS+1 python -m mpi4py.futures`, with the case itself on the head.
        `outcome` is what it must come to instead of the serial results: `"wrong"`, any result that `same` refuses; or
        the class of an exception that it must raise, be it before the first task.
        `threads` tells the ideal that the workers share one interpreter; `limits=False` runs the case without the
        nodes' limits; `lesson_s` are the seconds that the lesson printed, to be shown beside ours; with `nodes` it runs
        only on clusters of these sizes.
        Raises ValueError for a launch, an outcome or a flag that there is not, and for `workers` or `chunk` that are no
        whole numbers; TypeError for settings that the function does not take, or for one that it lacks.
        """
        for name, flag in (("threads", threads), ("limits", limits)):
            if not isinstance(flag, bool):
                raise ValueError(f"{name}={flag!r}: True or False; a setting of the case needs another name")
        if launch not in LAUNCHES:
            raise ValueError(f"launch={launch!r}: known are {', '.join(map(repr, LAUNCHES))}")
        if isinstance(outcome, str) and outcome not in (RIGHT, WRONG):
            raise ValueError(f"outcome={outcome!r}: known are {RIGHT!r}, {WRONG!r} and classes of exceptions")
        if isinstance(outcome, type) and not issubclass(outcome, Exception):
            raise ValueError(f"outcome={outcome.__name__}: a case cannot declare what ends its process")
        raises = (outcome,) if isinstance(outcome, type) else ()
        named = outcome if isinstance(outcome, str) else outcome.__name__
        values: Iterable[list[Any]] = (v if isinstance(v, list) else [v] for v in settings.values())
        sizes = (nodes,) if isinstance(nodes, int) else tuple(nodes)
        chosen = [dict(zip(settings, combination, strict=True)) for combination in product(*values)]

        def declare(function: Function) -> Function:
            for one in chosen:
                _bind(function, one)
            like = Case(
                function.__name__,
                launch,
                outcome=named,
                threads=threads,
                limits=limits,
                lesson_s=lesson_s,
                only_on=sizes,
            )
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
        """Declare an expectation: a function of the cases that asserts, plainly or as `@lab.expect(limits=True)`.

        `cases.of(pool)` are the cases of that function, `cases.of(pool, workers=8)` those with this setting, and
        `cases.find(pool, workers=8)` is the only one of them; `nodes=` picks a size. Each is a MeasuredCase
        (parlab/results/record.py): `units`, `measured_s`, `speedup`, `workers`, `by_node`, `metrics`, `breakdown()`.
        The function's name, in words, is the claim. The message of a failed assertion is the reason. An expectation
        is called on a measurement only.
        With `limits` it can only be shown where the kernel limits the nodes; with `cpus`, where a node has as many host
        CPUs. Without `cpus` it must be shown on any cluster of 2 CPUs.
        """

        def declare(function: Callable[..., None]) -> Callable[..., None]:
            self.expectations.append(Expectation(function, limits, cpus))
            return function

        return declare if function is None else declare(function)

    def main(self) -> None:
        """Run the lab: what a launch asks for where one has started this process, else all of it on this machine.

        Raises RuntimeError where it is not below a main guard, and so would run in whoever imports the file.
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
        raise TypeError(f"{function.__name__} needs a parameter `task=FUNCTION`: what its workers run")
    names = [name for name in signature.parameters if name != "task"]
    try:
        signature.bind(task=None, **settings)
    except TypeError as error:
        near = "".join(f". {said}" for name in settings if name not in names and (said := did_you_mean(name, names)))
        raise TypeError(f"{function.__name__}: {error}; its settings are: {', '.join(names) or 'none'}{near}") from None


# What a launch does with the lab whose file it runs; parlab/node/rank.py sets it before it runs the file.
in_launch: Callable[[Lab], None] | None = None


def _run_by_itself(file: str) -> NoReturn:
    """Become `python -m parlab FILE`: the same process, so whoever ends or stops it means that.

    `-P`: what lies in the current folder hides none of the modules that parlab needs.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):  # one that was closed is None
        stream.flush()
    _remove_segments()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "parlab", str(Path(file).resolve())])


def _remove_segments() -> None:
    """Remove the shared memory of an MPI that the file's imports have started here, and that nobody else uses.

    Open MPI 5.0.11 leaves the file of such a singleton behind for good.
    """
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:  # macOS
        return
    for line in maps.splitlines():
        file = Path(line.split()[-1])
        if file.name.startswith("sm_segment."):
            file.unlink(missing_ok=True)
