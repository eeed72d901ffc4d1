"""Speed-up over the number of workers, and two laws fitted to it.

Amdahl ("Validity of the single processor approach", 1967): a fraction `serial` of the work cannot be parallelized:

    speed-up(p) = 1 / (serial + (1 - serial) / p)

Universal Scalability (Gunther, "Guerrilla Capacity Planning", 2007): a fraction `contention` is serialized by waiting,
and every pair of workers must agree, at a cost of `coherency` each time. So too many workers are slower than fewer:

    speed-up(p) = p / (1 + contention (p - 1) + coherency p (p - 1))

Launches of one size are not independent: each size has its own deviation from the curve, and further launches do not
average it out. So a law is fitted to one mean per size, and the intervals have the degrees of freedom of the sizes, not
of the launches. Ten launches per size make each mean more certain; they do not replace more sizes.

The speed-ups of a program's sweep are against its smallest size, as nobody measured it on one worker. Then the law is
fitted to its speed-up over the law's own at that size: a perfect start is not assumed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import t

from parlab.formatting import number, percent
from parlab.results.record import MeasuredCase, Run
from parlab.thresholds import MISFIT, UNEVEN

AMDAHL, USL = "Amdahl's law", "the Universal Scalability Law"
AMDAHL_FROM, USL_FROM = 3, 5  # sizes; with no more sizes than parameters, any curve fits
CONFIDENCE = 0.95
WORKER, CORE = "worker", "core"
SIZES = ("workers", "ranks", "nodes", "cores")  # settings for the number of workers; the last three are for programs
FAR = 100  # times the measured number of workers; the measurements say nothing about more
NO_GAIN = 1.01  # times as fast; less is no gain
START = 0.01  # start value of each parameter in the search
Floats = NDArray[np.float64]
Law = Callable[..., Any]


@dataclass(frozen=True)
class Curve:
    """Cases of a run that differ only in the number of workers, or of cores for the same workers, in ascending order.

    Speed-ups are against all tasks one after another on one virtual core or, in a program's sweep, its smallest size.
    """

    name: str
    cases: tuple[MeasuredCase, ...]
    baseline: MeasuredCase | None = None  # the smallest size of a sweep
    counts: str = WORKER  # or CORE

    def size(self, case: MeasuredCase) -> int:
        """The number of workers, or of the virtual cores that the same workers share."""
        return case.spec.virtual_cores if self.counts == CORE else case.seen_workers

    @property
    def least(self) -> int:
        """The size with a speed-up of 1, by definition."""
        return 1 if self.baseline is None else self.size(self.baseline)

    @property
    def against(self) -> str:
        """The baseline in words."""
        if self.baseline is None:
            return "all tasks one after another on one virtual core"
        return f"the smallest size, {self.baseline.name}"

    def reference_s(self, case: MeasuredCase) -> float:
        """The time that has a speed-up of 1."""
        return (case.serial_s or math.nan) if self.baseline is None else self.baseline.measured_s

    def speedup(self, case: MeasuredCase) -> float:
        """The speed-up of one of the cases."""
        return self.reference_s(case) / case.measured_s if case.completed else math.nan

    def efficiency(self, case: MeasuredCase) -> float:
        """Its speed-up over the ratio of the sizes."""
        return self.speedup(case) * self.least / self.size(case)

    @property
    def sizes(self) -> list[int]:
        """The numbers of workers, or of cores."""
        return sorted({self.size(case) for case in self.cases})

    @property
    def fitting(self) -> "Curve":
        """The cases to which a law of speed-up applies: each worker has a core of its own, or needs none."""
        return replace(self, cases=tuple(case for case in self.cases if _has_cores(case)))

    def points(self) -> tuple[list[int], list[float]]:
        """The sizes and the speed-ups of all launches."""
        pairs = [(self.size(c), self.reference_s(c) / wall_s) for c in self.cases for wall_s in c.times]
        return [workers for workers, _ in pairs], [speedup for _, speedup in pairs]

    def ideal_points(self) -> tuple[list[int], list[float]]:
        """The numbers of workers and the ideal speed-ups of all cases with an ideal."""
        pairs = [(self.size(c), c.serial_s / c.ideal_s) for c in self.cases if c.serial_s and c.ideal_s]
        return [workers for workers, _ in pairs], [speedup for _, speedup in pairs]

    def left_out(self) -> str:
        """The sizes left out of the fit, in words; '' if there are none."""
        fitting = self.fitting.sizes
        others = [str(size) for size in self.sizes if size not in fitting]
        return f"Not fitted: {', '.join(others)} workers, who have to share cores." if others else ""


def _has_cores(case: MeasuredCase) -> bool:
    cores = case.workforce.nodes * case.workforce.cores
    return case.seen_workers <= cores or not any(task.burned for task in case.tasks)


def curves(run: Run) -> list[Curve]:
    """The curves of a run: each has a speed-up at two numbers of workers or more."""
    by_function: dict[str, list[MeasuredCase]] = {}
    for case in run.cases:
        if not math.isnan(case.speedup):
            function = case.name.partition("(")[0]
            rest = [f"{name}={value!r}" for name, value in case.settings.items() if name not in SIZES]
            if "workers" in case.settings and "nodes=" in case.name:  # else the nodes' cores determine the workers
                rest.append(f"nodes={case.spec.nodes}")
            by_function.setdefault(f"{function}({', '.join(rest)})" if rest else function, []).append(case)
    all_curves = (_curve(name, cases, program=bool(run.command)) for name, cases in by_function.items())
    return [curve for curve in all_curves if len(curve.sizes) > 1]


def _curve(name: str, cases: Sequence[MeasuredCase], *, program: bool) -> Curve:
    """The curve of these cases; of a sweep over cores with always the same workers, over its cores."""
    same_workers = len({case.seen_workers for case in cases}) == 1
    curve = Curve(name, (), counts=CORE if same_workers and all("cores" in c.settings for c in cases) else WORKER)
    ordered = tuple(sorted(cases, key=curve.size))
    return replace(curve, cases=ordered, baseline=ordered[0] if program else None)


@dataclass(frozen=True)
class Parameter:
    """A fitted parameter, with the ends of its confidence interval at CONFIDENCE."""

    name: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = f"{100 * CONFIDENCE:.0f} % interval: {100 * self.low:.2f} to {percent(self.high, 2)}"
        return f"{percent(self.value, 2)} ({interval})"


@dataclass(frozen=True)
class Fit:
    """A law with its fitted parameters."""

    law: str
    parameters: tuple[Parameter, ...]
    speedup: Callable[[Floats], Floats]
    fewest: int  # workers
    most: int
    launches: int
    off: float  # the largest deviation of a launch from the curve, as a fraction
    counts: str = WORKER  # or CORE

    def words(self) -> str:
        """The result of the fit, in a few sentences."""
        off = percent(math.ceil(1000 * self.off) / 1000)
        allowed = percent(MISFIT, 0)
        where = f"Fitted to {self.launches} launches with {self.fewest} to {self.most} {self.counts}s"
        if not self.describes:
            return (
                f"{_capital(self.law)} does not describe these launches: it is up to {off} off, and {allowed} is the "
                f"most for a law to be drawn. {where}."
            )
        closeness = f"of which none is more than {off} off the curve; a law is drawn up to {allowed}"
        return f"{_capital(self.law)}: {' '.join(self._says())} {where}, {closeness}."

    @property
    def describes(self) -> bool:
        """Whether the law is close enough to the measurements to describe them."""
        return self.off <= MISFIT

    def _says(self) -> Iterator[str]:
        first, *rest = self.parameters
        if not rest:
            yield f"{first} of the work cannot be shared out."
            if first.low * FAR * self.most < 1:
                yield f"That may be nothing: these sizes do not tell how much more {self.counts}s could gain."
            elif first.low > 1 / NO_GAIN:
                yield f"If so, more {self.counts}s make it no faster."
            else:
                gain = _range(1 / first.high, 1 / first.low)
                yield f"If so, no number of {self.counts}s makes it more than {gain} times faster than one."
            return
        (coherency,) = rest
        yield f"{first} of the work waits its turn."
        yield f"To agree with the others, each further {self.counts} adds {coherency} of the time of one alone."
        if coherency.low > 0:
            fewer, more = (max(1.0, math.sqrt((1 - first.value) / bound)) for bound in (coherency.high, coherency.low))
            if round(more) > 1:
                yield f"If so, it is fastest with about {_range(round(fewer), round(more))} {self.counts}s."
            else:
                yield f"If so, more than one {self.counts} makes it slower."
        else:
            yield f"That may be nothing: these sizes do not tell from how many {self.counts}s on more are slower."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _range(low: float, high: float) -> str:
    few, many = number(low), number(high)
    return few if few == many else f"{few} to {many}"


def amdahl(p: Floats, serial: float) -> Floats:
    """The speed-up of p workers by Amdahl's law."""
    return 1 / (serial + (1 - serial) / p)


def usl(p: Floats, contention: float, coherency: float) -> Floats:
    """The speed-up of p workers by the Universal Scalability Law."""
    return p / (1 + contention * (p - 1) + coherency * p * (p - 1))


LAWS: tuple[tuple[str, Law, tuple[str, ...], int], ...] = (
    (AMDAHL, amdahl, ("serial",), AMDAHL_FROM),
    (USL, usl, ("contention", "coherency"), USL_FROM),
)


def fits(workers: Sequence[int], speedups: Sequence[float], least: int = 1) -> list[Fit]:
    """Fit each law for which there are enough sizes; `workers` and `speedups` have an entry per launch.

    `least` is the number of workers with a speed-up of 1.
    """
    sizes = len(set(workers))
    fitted = (_fit(name, _from(law, least), names, workers, speedups) for name, law, names, few in LAWS if sizes >= few)
    return [fit for fit in fitted if fit is not None]


def _from(law: Law, least: int) -> Law:
    """The law's speed-up over its own with `least` workers."""
    return lambda p, *values: law(p, *values) / law(float(least), *values)


def of_the_ideal(curve: Curve) -> str:
    """The serial fraction of the ideal itself, in words; '' if it has none.

    Its cause is that the tasks are too few or too uneven to share out. It is no loss: more tasks, or shorter ones,
    remove it.
    """
    for fit in fits(*curve.fitting.ideal_points()):
        serial = fit.parameters[0].value
        if fit.law == AMDAHL and fit.describes and serial > UNEVEN:
            return (
                f"The ideal itself has {percent(serial, 2)} by {AMDAHL}: so many tasks, so long and in such chunks, "
                "cannot be shared out better."
            )
    return ""


def too_few(sizes: int) -> str:
    """The laws that need more sizes than these, in words; '' if there are enough for all laws."""
    missing = [f"{name} needs {least}" for name, _, _, least in LAWS if sizes < least]
    return f"Too few sizes, {sizes}: {', '.join(missing)}." if missing else ""


def _fit(name: str, law: Law, names: tuple[str, ...], workers: Sequence[int], speedups: Sequence[float]) -> Fit | None:
    p, measured = np.asarray(workers, float), np.asarray(speedups, float)
    # The error is assumed to be the same fraction of the time at all sizes, so logarithms are compared.
    logs = np.log(measured)
    sizes = np.unique(p)
    means = np.array([logs[p == size].mean() for size in sizes])
    try:
        values, covariance = curve_fit(
            lambda p, *values: np.log(law(p, *values)), sizes, means, p0=[START] * len(names), bounds=(0, 1)
        )
    except RuntimeError:  # no parameters were found
        return None
    spread = t.ppf((1 + CONFIDENCE) / 2, len(sizes) - len(names)) * np.sqrt(np.diag(covariance))
    parameters = tuple(
        Parameter(name, float(value), max(0.0, value - wide), min(1.0, value + wide))
        for name, value, wide in zip(names, values, np.nan_to_num(spread, nan=1.0, posinf=1.0), strict=True)
    )
    return Fit(
        law=name,
        parameters=parameters,
        speedup=lambda p: law(np.asarray(p, float), *values),
        fewest=int(p.min()),
        most=int(p.max()),
        launches=len(p),
        off=float(np.max(np.abs(measured / law(p, *values) - 1))),
    )
