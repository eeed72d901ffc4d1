"""The content of a run's page, in text and charts; `pages/report.html` arranges it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from markupsafe import Markup

from parlab.course.handout import Handout, parse_handout
from parlab.formatting import plural
from parlab.model.case import RIGHT
from parlab.report.answer import Account, TimeBar, accounts_of, sentence, time_bars
from parlab.report.case_view import CaseView
from parlab.report.charts import accounts, overview
from parlab.report.curve_paper import curve_on_paper
from parlab.report.curves import curve_chart, curve_table
from parlab.report.machine import facts
from parlab.report.names import Name, short_names
from parlab.report.scaling import CORE, Curve, curves, fits, of_the_ideal, too_few
from parlab.report.style import Chart
from parlab.report.tables import Table
from parlab.results.record import Answer, Finding, MeasuredCase, Run
from parlab.terminal.summary import INVALID, by_name, in_short, remarks
from parlab.thresholds import EVEN, OWN_FREEDOM

UNFOLDED = 3  # so many cases are open; the reader opens the others
UNLIKE = 10  # times as long as the shortest: on one axis the shortest would be a line
NOT_FITTED = "No law is fitted: what was measured here does not stand, see the verdict."
INVALID_PROGRAM = "The program itself ended well, but its times are not a measurement: ignore these numbers."
NO_MEASUREMENT = "not a measurement"
ASSUMED = (
    f"95 % interval: from fewer than {OWN_FREEDOM + 1} launches of a size, so it rests on a spread that parlab "
    "assumes; --repeat 5 measures it."
)


def far_apart(cases: Iterable[MeasuredCase]) -> bool:
    """Whether the times of these cases differ too much for one axis."""
    times = [case.measured_s for case in cases if case.times and case.measured_s > 0]
    return bool(times) and max(times) > UNLIKE * min(times)


@dataclass(frozen=True)
class CurveView:
    """Cases that differ in the number of workers: their chart, its table, and the results of the fits."""

    chart: Chart
    on_paper: Markup
    table: Table
    against: str
    says: tuple[str, ...]
    assumed: str
    counts: str  # workers, or cores


def _unfolded(cases: Sequence[MeasuredCase]) -> set[int]:
    """The cases that are open at first, by their index: those that a reader should look into.

    First a result that is not as declared; then cases with marks, those declared to go wrong, and those farthest off
    their ideal. If that leaves room, others follow in their order; last come those whose charts would be empty on a
    common axis.
    """
    longest = max((case.measured_s for case in cases if case.times), default=0.0)

    def rank(index: int) -> tuple[float, ...]:
        case = cases[index]
        off = 0.0 if math.isnan(case.off_by) else abs(case.off_by)
        wrong = case.median_repeat.outcome != RIGHT
        short = not case.times or case.measured_s * UNLIKE < longest
        return (
            case.complaint is None,
            not case.median_repeat.marks,
            not (wrong and case.times),
            -off if off > EVEN else 0.0,
            short,
            index,
        )

    return set(sorted(range(len(cases)), key=rank)[:UNFOLDED])


def _assumed(curve: Curve) -> str:
    """A note that an interval rests on an assumed spread; '' if none does."""
    return ASSUMED if any(len(case.times) <= OWN_FREEDOM for case in curve.cases) else ""


@dataclass(frozen=True)
class RunView:
    """A run on the page; `prefix` distinguishes its charts' names from those of other runs on the page."""

    run: Run
    prefix: str = ""

    @property
    def title(self) -> str:
        """The lab, or the user's own program."""
        return self.run.lab if self.run.command else f"lab.{self.run.lab}"

    @property
    def handout(self) -> Handout | None:
        return parse_handout(self.run.lab, self.run.handout) if self.run.handout else None

    @property
    def has_ideals(self) -> bool:
        return any(case.ideal_s is not None for case in self.run.cases)

    @property
    def in_short(self) -> str:
        return in_short(self.run)

    @property
    def answer(self) -> str:
        """The rating of the verdict, which is a class in the style sheet: yes, no, undecided or cannot."""
        if self.run.exit_code == 0 and self.run.failure is None:  # a program that claims nothing
            return "yes"
        return self.run.verdict.reproduced.answer.name.lower() if self.run.stands else "no"

    @property
    def badges(self) -> list[tuple[str, str]]:
        """The rating in words, with its class; for a program, its exit code and, apart from it, the measurement."""
        badges = [(self.in_short, self.answer)]
        if self.run.exit_code is not None and self.run.failure is None and self.run.cases:
            measured = self.run.verdict.is_measurement
            badges.append(("a measurement", "yes") if measured else (NO_MEASUREMENT, "undecided"))
        return badges

    @property
    def about(self) -> str:
        """Where and how it ran, on one line; a program has no units."""
        units = "" if self.run.command else f" · units of {self.run.spec.unit} s"
        return (
            f"{self.run.started[:16].replace('T', ' ')} · {self.run.backend} · {self.run.spec}{units} · {self.run.id}"
        )

    @property
    def findings(self) -> dict[str, Finding]:
        """The verdict's answers; a program claims nothing, so nothing can be reproduced."""
        findings = self.run.verdict.findings()
        if self.run.command:
            del findings["reproduced"]
        return findings

    @property
    def claims(self) -> str:
        """How many of the lab's claims hold."""
        claims = self.run.verdict.claims
        count = plural(len(claims), "claim")
        if all(claim.answer is Answer.CANNOT for claim in claims):
            return f"The lab makes {count}; none is judged here"
        if self.shown == len(claims):
            return f"All {count} of the lab hold" if self.shown > 1 else "The lab's claim holds"
        return f"{self.shown} of the lab's {count} hold{'s' * (self.shown == 1)}"

    @property
    def shown(self) -> int:
        """The number of the lab's claims that are shown."""
        return sum(claim.answer is Answer.YES for claim in self.run.verdict.claims)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """The anchors and the titles of the page's sections, for its contents."""
        found = []
        if self.run.cases:
            found += [("times", "Ideal and measured" if self.has_ideals else "Measured"), ("cases", "The cases")]
            found += [("time", "Where the time went")] if self.accounts else []
            found += [("more", self.more)] if self.curves else []
        found.append(("machine", "The machine"))
        return found if self.run.command else [*found, ("handout", "The handout")]

    @property
    def more(self) -> str:
        """The title above the curves, by what there is more of."""
        return "More cores" if all(curve.counts == CORE for curve in self.curves) else "More workers"

    @cached_property
    def cases(self) -> list[CaseView]:
        cases, is_open = self.run.cases, _unfolded(self.run.cases)
        return [
            CaseView(
                case,
                f"{self.prefix}case-{index}",
                cases,
                program=bool(self.run.command),
                is_open=index - 1 in is_open,
                apart=self.apart,
            )
            for index, case in enumerate(cases, 1)
        ]

    @property
    def machine(self) -> list[tuple[str, str]]:
        """What is known of the machine."""
        return list(facts(self.run.environment))

    @cached_property
    def overview(self) -> Chart | None:
        return self._named(overview(self.run))

    @cached_property
    def breakdown(self) -> Chart | None:
        return self._named(accounts(self.run))

    @cached_property
    def curves(self) -> list[CurveView]:
        curve_views = []
        for index, curve in enumerate(curves(self.run), 1):
            found = fits(*curve.fitting.points(), curve.least) if self.run.stands else []
            fitted = [replace(fit, counts=curve.counts) for fit in found]
            few = too_few(len(curve.fitting.sizes))
            words = [fit.words() for fit in fitted] + [of_the_ideal(curve), few, curve.left_out()]
            if not self.run.stands:
                words = [NOT_FITTED]
            chart = curve_chart(curve, fitted, f"{self.prefix}scaling-{index}")
            on_paper = curve_on_paper(curve, fitted)
            says, table = tuple(filter(None, words)), curve_table(curve)
            curve_views.append(CurveView(chart, on_paper, table, curve.against, says, _assumed(curve), curve.counts))
        return curve_views

    def _named(self, chart: Chart | None) -> Chart | None:
        return chart and replace(chart, name=f"{self.prefix}{chart.name}")

    def charts(self) -> list[Chart]:
        """All charts of the run, for export."""
        charts = [self.overview, *(c.by_itself for c in self.cases), self.breakdown, *(c.chart for c in self.curves)]
        return [chart for chart in charts if chart is not None]

    def drawn(self) -> list[Chart]:
        """The charts of the page, in its order; the page shows the others as tables with bars."""
        charts = [*(case.chart for case in self.cases), *(curve.chart for curve in self.curves)]
        return [chart for chart in charts if chart is not None]

    @cached_property
    def names(self) -> dict[str, Name]:
        """The short names of the cases, for all tables."""
        return short_names(by_name(self.run))

    @cached_property
    def apart(self) -> bool:
        """Whether each case starts with an axis of its own."""
        return far_apart(self.run.cases)

    @cached_property
    def time_bars(self) -> list[TimeBar]:
        return time_bars(self.run, self.names)

    @cached_property
    def accounts(self) -> list[Account]:
        return accounts_of(self.run, self.names)

    @property
    def question(self) -> str:
        """The question in the lab's handout; '' if it has none."""
        return self.handout.line("Question") if self.handout else ""

    @property
    def sentence(self) -> str:
        """The times summed up in one sentence; '' if the run's numbers are invalid."""
        return sentence(self.run) if self.run.stands else ""

    def warnings(self) -> list[str]:
        """Warnings that a reader must see first."""
        warnings = []
        if self.run.failure is not None:
            warnings.append(f"This run broke off, with exit code {self.run.failure.exit_code}: {self.run.failure.text}")
        if self.run.wrong:
            warnings.append("A result is wrong: see the cases' outcomes.")
        if not self.run.cases:
            warnings.append("No case was measured, so there is nothing to draw.")
        elif not self.run.verdict.is_measurement:
            warnings.append(f"{INVALID_PROGRAM if self.run.exit_code == 0 else INVALID} The verdict says why.")
        warnings += [f"{remark[0].upper()}{remark[1:]}." for remark in remarks(self.run)]
        if self.run.backend == "embedded":
            warnings.append(
                "Embedded: the nodes are simulated by processes of one machine. No kernel limit held them, and what a "
                "node used was not counted: such claims cannot be shown here."
            )
        return warnings
