"""Which of two runs, A and B, is faster: in a sentence, and case by case.

Two cases are compared only if their work is the same; see parlab/terminal/summary.py. Their ratio is the time of B over
that of A.
"""

from dataclasses import dataclass
from functools import cached_property

from parlab.analysis.spread import Estimate
from parlab.formatting import number, percent, plural
from parlab.model.case import RIGHT
from parlab.results.record import MeasuredCase, Run
from parlab.terminal.summary import hindrances, in_short, is_within_noise, paired, ratios

LETTERS = ("A", "B")
AGAINST = "B against A"
MANIFOLD = 2  # times as long; less is told in percent
ELSEWHERE = "The two did not run alike: see below."


def against(ratio: Estimate) -> str:
    """The time of B against that of A, in words, with the uncertainty."""
    within = f"±{percent(ratio.within)}"
    if is_within_noise(ratio):
        return f"as long, {within}"
    if ratio.median >= MANIFOLD:
        return f"{number(ratio.median)} times as long, {within}"
    longer = ratio.median > 1
    return f"{percent(abs(ratio.median - 1))} {'longer' if longer else 'shorter'}, {within}"


def _less(ratio: float) -> str:
    """How much faster, by the time of the slower over that of the faster."""
    return f"{number(ratio)} times as fast" if ratio >= MANIFOLD else f"{percent(ratio - 1)} faster"


@dataclass(frozen=True)
class Contest:
    """Two runs, and which of them is faster."""

    first: Run
    second: Run

    @property
    def run_of(self) -> dict[str, Run]:
        """The runs by their letters."""
        return {"A": self.first, "B": self.second}

    @cached_property
    def paired(self) -> dict[str, tuple[MeasuredCase | None, MeasuredCase | None]]:
        return paired(self.first, self.second)

    @cached_property
    def ratios(self) -> dict[str, Estimate]:
        return ratios(self.first, self.second)

    @cached_property
    def hindrances(self) -> list[str]:
        return hindrances(self.first, self.second)

    @cached_property
    def judged(self) -> dict[str, Estimate]:
        """The ratios that the sentence speaks of: both runs stand, and both results are right."""
        if self.unlike:
            return {}
        right = {
            name
            for name, pair in self.paired.items()
            if all(case is not None and case.median_repeat.outcome == RIGHT for case in pair)
        }
        return {name: ratio for name, ratio in self.ratios.items() if name in right}

    @cached_property
    def unlike(self) -> str:
        """Why nothing is compared, in a sentence; '' if nothing stands against it."""
        if self.first.id == self.second.id:
            return "A and B are the same run."
        if self.first.lab != self.second.lab:
            return "A and B ran different labs: none of their times are compared."
        if self.first.command != self.second.command:
            return "A and B ran different commands: nothing tells whether their work is the same."
        fallen = [f"{letter} ({in_short(run)})" for letter, run in self.run_of.items() if not run.stands]
        if fallen:
            return f"Which is faster cannot be told: the times of {' and '.join(fallen)} do not stand."
        return ""

    @cached_property
    def faster(self) -> dict[str, dict[str, float]]:
        """By letter, the cases in which that run was faster beyond the noise: the other's time over its own."""
        beyond = {name: ratio.median for name, ratio in self.judged.items() if not is_within_noise(ratio)}
        return {
            "A": {name: median for name, median in beyond.items() if median > 1},
            "B": {name: 1 / median for name, median in beyond.items() if median < 1},
        }

    @property
    def badge(self) -> tuple[str, str]:
        """The result in a word or two, with its class."""
        if not self.judged:
            return "not compared", "cannot"
        winners = [letter for letter, cases in self.faster.items() if cases]
        if not winners:
            return "within the noise", "undecided"
        return (f"{winners[0]} is faster", "yes") if len(winners) == 1 else ("now A, now B is faster", "undecided")

    @property
    def sentence(self) -> str:
        """Which run was faster, in how many cases, by how much, and whether that is beyond the noise."""
        if self.unlike:
            return self.unlike
        count = len(self.judged)
        if not count:
            return "No case did the same work, rightly, in A and B: no times are compared."
        clauses = [self._clause(letter) for letter, cases in self.faster.items() if cases]
        level = count - sum(map(len, self.faster.values()))
        if not clauses:
            where = f"in any of {count} cases" if count > 1 else f"in {next(iter(self.judged))}"
            clauses = [f"A and B do not differ beyond the noise {where}"]
        elif level:
            clauses.append(f"in {level} they do not differ beyond it")
        if (left := len(self.paired) - count) > 0:
            clauses.append(f"{plural(left, 'case')} cannot be compared")
        return f"{'; '.join(clauses)}.{f' {ELSEWHERE}' if self.hindrances else ''}"

    def _clause(self, letter: str) -> str:
        """In how many cases that run was faster, and by how much at most."""
        cases, count = self.faster[letter], len(self.judged)
        most = max(cases, key=lambda name: cases[name])
        if count == 1:
            return f"{letter} was faster beyond the noise: {most} was {_less(cases[most])}"
        where = f"all {count} cases" if len(cases) == count else f"{len(cases)} of {count} cases"
        upto = "up to " if len(cases) > 1 else ""
        return f"{letter} was faster beyond the noise in {where}, {upto}{_less(cases[most])} ({most})"
