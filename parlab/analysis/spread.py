"""The uncertainty of a median of a few launches.

How it works. Times vary by fractions of themselves, so logarithms are compared. The error of a median is the spread of
single launches over the root of their number; for so few of them, Student's t gives the possible error. The spread
comes from the first of these sources with enough launches:

    own      the launches themselves, if they have OWN_FREEDOM degrees of freedom: four launches or more
    earlier  launches of the same case in earlier runs, together with the own ones
    stated   a spread from parlab/thresholds.py, which counts as STATED_FREEDOM degrees, and the own ones

So five launches on a noisy host do not borrow confidence from quiet days, and one launch is not taken as exact.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from parlab.formatting import plural
from parlab.thresholds import OWN_FREEDOM, STATED_FREEDOM, SURE

# For normal values the median's error is this multiple of the mean's, or a little less for few values.
MEDIAN = math.sqrt(math.pi / 2)


@dataclass(frozen=True)
class Spread:
    """The squared deviations of the logarithms of single launches, and their degrees of freedom."""

    squares: float = 0.0
    freedom: int = 0

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of launches of one case; all values must be above 0."""
        logs = [math.log(value) for value in values]
        middle = statistics.fmean(logs) if logs else 0.0
        return cls(sum((log - middle) ** 2 for log in logs), max(0, len(logs) - 1))

    def __add__(self, other: "Spread") -> "Spread":
        return Spread(self.squares + other.squares, self.freedom + other.freedom)

    @property
    def says_enough(self) -> bool:
        """Whether it has enough launches to be used by itself."""
        return self.freedom >= OWN_FREEDOM

    @property
    def deviation(self) -> float:
        """The standard deviation of a launch, as a fraction of its time."""
        return math.sqrt(self.squares / self.freedom)


@dataclass(frozen=True)
class Estimate:
    """A median, the standard error of its logarithm, and the sources of that error."""

    median: float
    error: float
    freedom: float
    rests_on: str

    @property
    def within(self) -> float:
        """The fraction by which the true value may be above it, at most, in 95 of 100 cases (two-sided)."""
        return math.expm1(t_quantile(self.freedom) * self.error)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the true value."""
        return self.median / (1 + self.within), self.median * (1 + self.within)

    def draw(self, random: Random) -> float:
        """A random value from the distribution of the true one."""
        return self.median * math.exp(self.error * _student(random, self.freedom))

    def over(self, other: "Estimate") -> "Estimate":
        """The ratio of two independent estimates; its degrees of freedom are Welch's and Satterthwaite's."""
        ours, theirs = self.error**2, other.error**2
        parts = ours**2 / self.freedom + theirs**2 / other.freedom
        freedom = (ours + theirs) ** 2 / parts if parts else self.freedom + other.freedom
        return Estimate(self.median / other.median, math.sqrt(ours + theirs), freedom, self.rests_on)


def estimate(values: Sequence[float], earlier: Spread, stated: float) -> Estimate:
    """The median of a case's launches, all above 0, with earlier launches and the stated spread for this case."""
    own, count = Spread.of(values), plural(len(values), "launch")
    if own.says_enough:
        spread, rests_on = own, count
    elif (own + earlier).says_enough:
        spread, rests_on = own + earlier, f"{count} and {earlier.freedom + 1} earlier"
    else:
        spread = own + Spread(STATED_FREEDOM * stated**2, STATED_FREEDOM)
        rests_on = f"{count} and a stated spread of {float(f'{100 * stated:.1g}'):g} %"
    error = spread.deviation * (MEDIAN if len(values) > 2 else 1.0) / math.sqrt(len(values))
    return Estimate(statistics.median(values), error, spread.freedom, rests_on)


def t_quantile(freedom: float, probability: float = SURE) -> float:
    """Student's t, by expansion 26.7.5 of Abramowitz and Stegun; within 0.2 % from 3 degrees of freedom on."""
    z = statistics.NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))


def _student(random: Random, freedom: float) -> float:
    """Student's t: a normal value over the root of a chi-squared one."""
    return random.gauss(0, 1) / math.sqrt(random.gammavariate(freedom / 2, 2) / freedom)
