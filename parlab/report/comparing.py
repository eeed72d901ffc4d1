"""The content of a comparison's page: two runs, A and B, case by case; `pages/compare.html` arranges it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from parlab.analysis.spread import Estimate
from parlab.formatting import seconds, signed_percent
from parlab.report.answer import longest_s
from parlab.report.case_view import CaseView
from parlab.report.charts import side_by_side
from parlab.report.faster import AGAINST, LETTERS, Contest, against
from parlab.report.names import Name, short_names
from parlab.report.style import Chart
from parlab.report.views import UNFOLDED, RunView, far_apart
from parlab.results.record import MeasuredCase
from parlab.terminal.summary import ideal_in_words, is_within_noise, measured_in_words, other_differences

LOOKS = {"A": "measured", "B": "second"}  # of their bars: classes in the style sheet


@dataclass(frozen=True)
class PairBar:
    """The bars of a case: one for each run below each other, in percent of the longest time of both runs."""

    group: str
    name: str
    full: str
    ideal: float | None
    lost: bool
    tracks: tuple[tuple[tuple[str, float], ...], ...]
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PairView:
    """A case of both runs, or of one of them."""

    full: str
    name_of_fold: str
    sides: tuple[CaseView, ...]
    ratio: Estimate | None
    is_open: bool

    def headline(self) -> list[tuple[str, str]]:
        """The time of each run, and how they compare."""
        times = [(side.letter, measured_in_words(side.case)) for side in self.sides]
        return times if self.ratio is None else [*times, (AGAINST, against(self.ratio))]


@dataclass(frozen=True)
class ComparisonView(Contest):
    """Two runs on one page."""

    @property
    def title(self) -> str:
        one, other = (RunView(run).title for run in (self.first, self.second))
        return f"{one} and {other}" if one != other else f"{one}, two runs"

    @cached_property
    def runs(self) -> list[tuple[str, RunView]]:
        return list(zip(LETTERS, map(RunView, (self.first, self.second)), strict=True))

    @property
    def others(self) -> list[str]:
        """Differences that rarely matter."""
        return other_differences(self.first, self.second)

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """The warnings of both runs, each with the letters of the runs that it is about."""
        letters: dict[str, list[str]] = {}
        for letter, view in self.runs:
            for warning in view.warnings():
                letters.setdefault(warning, []).append(letter)
        return [(" and ".join(own), warning) for warning, own in letters.items()]

    @cached_property
    def has_ideals(self) -> bool:
        return any(bar.ideal is not None for bar in self.bars)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """For the contents."""
        cases = [("times", "A beside B"), ("cases", "The cases")] if self.paired else []
        return [*cases, ("runs", "The runs")]

    @property
    def _all(self) -> tuple[MeasuredCase, ...]:
        return (*self.first.cases, *self.second.cases)

    @cached_property
    def apart(self) -> bool:
        """Whether each case starts with an axis of its own."""
        return far_apart(self._all)

    @cached_property
    def cases(self) -> list[PairView]:
        is_open = self._unfolded()
        return [
            PairView(name, f"pair-{number}", self._sides(number, pair), self.judged.get(name), name in is_open)
            for number, (name, pair) in enumerate(self.paired.items(), 1)
        ]

    def _sides(self, number: int, pair: tuple[MeasuredCase | None, ...]) -> tuple[CaseView, ...]:
        both = tuple(case for case in pair if case is not None)
        return tuple(
            CaseView(
                case,
                f"{letter}-{number}",
                self._all,
                program=bool(self.run_of[letter].command),
                apart=self.apart,
                letter=letter,
                pair=both,
            )
            for letter, case in zip(LETTERS, pair, strict=True)
            if case is not None
        )

    def _unfolded(self) -> set[str]:
        """The cases that are open at first: those that differ most; of those within the noise, the first."""

        def rank(name: str) -> tuple[bool, float]:
            ratio = self.judged.get(name)
            if ratio is None:
                return True, 0.0
            return False, 0.0 if is_within_noise(ratio) else -abs(math.log(ratio.median))

        return set(sorted(self.paired, key=rank)[:UNFOLDED])

    @cached_property
    def bars(self) -> list[PairBar]:
        """The bars of all cases, on one scale."""
        names = short_names({name: case for name, pair in self.paired.items() for case in pair if case is not None})
        longest = longest_s(self._all)
        return [self._bar(name, names, longest) for name in self.paired]

    def _bar(self, full: str, names: Mapping[str, Name], longest: float) -> PairBar:
        pair = dict(zip(LETTERS, self.paired[full], strict=True))
        found = [case for case in pair.values() if case is not None]
        ideals = {case.ideal_s if case.completed else None for case in found}
        ideal = ideals.pop() if len(ideals) == 1 else None
        ratio = self.judged.get(full)
        cells = [(letter, measured_in_words(case)) for letter, case in pair.items()]
        if self.judged:
            cells.append((AGAINST, "-" if ratio is None else against(ratio)))
        if any(case.ideal_s is not None for case in self._all):
            cells.append(("ideal", ", ".join(dict.fromkeys(map(ideal_in_words, found)))))
            offs = {letter: math.nan if case is None else case.off_by for letter, case in pair.items()}
            cells += [(f"{letter} off by", signed_percent(off)) for letter, off in offs.items()]
        return PairBar(
            group=names[full].group,
            name=names[full].own,
            full=full,
            ideal=None if ideal is None else 100 * ideal / longest,
            lost=False,
            tracks=tuple(
                ((LOOKS[letter], 100 * case.measured_s / longest if case is not None and case.times else 0.0),)
                for letter, case in pair.items()
            ),
            cells=tuple(cells),
        )

    @cached_property
    def both(self) -> Chart | None:
        """The overview for export; the page has a table with bars instead."""
        return side_by_side(self.first, self.second)

    def charts(self) -> list[Chart]:
        """All charts of the comparison, for export."""
        drawn = [self.both, *(side.by_itself for case in self.cases for side in case.sides)]
        return [chart for chart in drawn if chart is not None]

    def drawn(self) -> list[Chart]:
        """The charts of the page, in its order."""
        charts = (side.chart for case in self.cases for side in case.sides)
        return [chart for chart in charts if chart is not None]

    def heading(self, side: CaseView) -> str:
        """Above the chart of a run: its letter and its times."""
        ideal = "" if side.case.ideal_s is None or not side.case.completed else f", ideal {seconds(side.case.ideal_s)}"
        return f"{side.letter}: {measured_in_words(side.case)}{ideal}"
