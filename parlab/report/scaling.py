"""Speed-up over the number of workers, and the two laws that are fitted to it.

Amdahl ("Validity of the single processor approach", 1967): a fraction `serial` of the work cannot be shared out,

    speed-up(p) = 1 / (serial + (1 - serial) / p)

Universal Scalability (Gunther, "Guerrilla Capacity Planning", 2007): a fraction `contention` waits its turn, and every
worker has to agree with every other, which costs `coherency` each time, so that too many are slower than fewer,

    speed-up(p) = p / (1 + contention (p - 1) + coherency p (p - 1))
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import t

from parlab.record import MeasuredCase, Run
from parlab.words import number, percent

AMDAHL_FROM, USL_FROM = 3, 5  # sizes
CONFIDENCE = 0.95
START = 0.01  # of each parameter, where the search begins
Floats = NDArray[np.float64]
Law = Callable[..., Any]


@dataclass(frozen=True)
class Curve:
    """The cases of a run that differ in nothing but how many workers there are, in ascending order of that."""

    name: str
    cases: tuple[MeasuredCase, ...]

    @property
    def sizes(self) -> list[int]:
        """The numbers of workers."""
        return sorted({case.workers for case in self.cases})

    def points(self) -> tuple[list[int], list[float]]:
        """Workers and speed-up of every launch."""
        found = [(c.workers, c.serial_s / wall_s) for c in self.cases if c.serial_s for wall_s in c.times]
        return [workers for workers, _ in found], [speedup for _, speedup in found]


def curves(run: Run) -> list[Curve]:
    """The curves that a run has: a speed-up at two numbers of workers or more."""
    found: dict[str, list[MeasuredCase]] = {}
    for case in run.cases:
        if not math.isnan(case.speedup):
            function = case.name.partition("(")[0]
            rest = ", ".join(f"{name}={value!r}" for name, value in case.settings.items() if name != "workers")
            found.setdefault(f"{function}({rest})" if rest else function, []).append(case)
    made = (Curve(name, tuple(sorted(cases, key=lambda case: case.workers))) for name, cases in found.items())
    return [curve for curve in made if len(curve.sizes) > 1]


@dataclass(frozen=True)
class Parameter:
    """A fitted parameter, with the ends of its interval at CONFIDENCE."""

    name: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = f"{100 * CONFIDENCE:.0f} % interval: {100 * self.low:.2f} to {percent(self.high, 2)}"
        return f"{percent(self.value, 2)} ({interval})"


@dataclass(frozen=True)
class Fit:
    """A law with its parameters, fitted to so many launches at sizes from `low` to `high` workers."""

    law: str
    parameters: tuple[Parameter, ...]
    speedup: Callable[[Floats], Floats]
    low: int
    high: int
    launches: int
    off: float  # of the launch that lies farthest from the curve, as a fraction

    def words(self) -> str:
        """What the fit says, in a sentence or two."""
        where = (
            f"Fitted to {self.launches} launches with {self.low} to {self.high} workers, "
            f"of which none is more than {percent(self.off)} off the curve."
        )
        return f"{' '.join(self._says())} {where}"

    def _says(self) -> Iterator[str]:
        first, *rest = self.parameters
        if not rest:
            yield f"{self.law}: {first} of this cannot be shared out."
            if first.value > 0:
                yield f"If so, no number of workers makes it more than {number(1 / first.value)} times faster."
            return
        (coherency,) = rest
        yield f"{self.law}: {first} of this waits its turn, and each worker costs each other one {coherency}."
        if coherency.value > 0:
            most = math.sqrt(max(0.0, 1 - first.value) / coherency.value)
            beyond = ", which is more than were tried" if most > self.high else ""
            yield f"If so, it is fastest with about {number(max(1.0, most))} workers{beyond}."


def amdahl(p: Floats, serial: float) -> Floats:
    """The speed-up of p workers by Amdahl's law."""
    return 1 / (serial + (1 - serial) / p)


def usl(p: Floats, contention: float, coherency: float) -> Floats:
    """The speed-up of p workers by the Universal Scalability Law."""
    return p / (1 + contention * (p - 1) + coherency * p * (p - 1))


LAWS: tuple[tuple[str, Law, tuple[str, ...], int], ...] = (
    ("Amdahl's law", amdahl, ("serial",), AMDAHL_FROM),
    ("Universal Scalability Law", usl, ("contention", "coherency"), USL_FROM),
)


def fits(workers: Sequence[int], speedups: Sequence[float]) -> list[Fit]:
    """The laws that so many sizes can tell of, fitted to one speed-up a launch."""
    sizes = len(set(workers))
    return [_fit(name, law, names, workers, speedups) for name, law, names, least in LAWS if sizes >= least]


def too_few(sizes: int) -> str:
    """Which laws so few sizes cannot tell of, in words; '' where they can tell of all."""
    missing = [f"{name} needs {least}" for name, _, _, least in LAWS if sizes < least]
    return f"Too few sizes, {sizes}: {', '.join(missing)}." if missing else ""


def _fit(name: str, law: Law, names: tuple[str, ...], workers: Sequence[int], speedups: Sequence[float]) -> Fit:
    p, measured = np.asarray(workers, float), np.asarray(speedups, float)
    # Of a launch of any size, the error is taken to be the same fraction of its time: so logarithms are compared.
    values, covariance = curve_fit(
        lambda p, *values: np.log(law(p, *values)), p, np.log(measured), p0=[START] * len(names), bounds=(0, 1)
    )
    spread = t.ppf((1 + CONFIDENCE) / 2, len(p) - len(names)) * np.sqrt(np.diag(covariance))
    parameters = tuple(
        Parameter(name, float(value), max(0.0, value - wide), min(1.0, value + wide))
        for name, value, wide in zip(names, values, np.nan_to_num(spread, posinf=1.0), strict=True)
    )
    return Fit(
        law=name,
        parameters=parameters,
        speedup=lambda p: law(np.asarray(p, float), *values),
        low=int(p.min()),
        high=int(p.max()),
        launches=len(p),
        off=float(np.max(np.abs(measured / law(p, *values) - 1))),
    )
