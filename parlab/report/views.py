"""The content of a run's page, in text and charts; `pages/report.html` arranges it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from markupsafe import Markup

from parlab.course.handout import Handout, parse_handout
from parlab.formatting import number, percent, seconds, share, signed_percent, times
from parlab.model.span import Span
from parlab.model.workers import by_worker, first_submission, thread_numbers, worker_of
from parlab.report.answer import Account, TimeBar, accounts_of, sentence, time_bars
from parlab.report.bars import chunks, rows
from parlab.report.charts import accounts, overview
from parlab.report.curves import curve_chart, curve_rows
from parlab.report.measures import Measures, measure
from parlab.report.paper import case_on_paper, curve_on_paper
from parlab.report.scaling import curves, fits, of_the_ideal, too_few
from parlab.report.style import Chart
from parlab.report.timelines import case_chart
from parlab.results.record import Answer, MeasuredCase, Run
from parlab.terminal.summary import INVALID, ideal_in_words, in_short, remarks
from parlab.thresholds import EVEN

LARGE = 3  # metrics of a case in large type
UNFOLDED = 3  # the first cases are open, this many; the reader opens the others
NOT_FITTED = "No law is fitted: what was measured here does not stand, see the verdict."
MOST_LISTED = 300  # tasks of a case in the table below its chart; the record has all tasks


@dataclass(frozen=True)
class CaseView:
    """A case on the page; `name` is the name of its chart."""

    case: MeasuredCase
    name: str
    beside: tuple[MeasuredCase, ...] = ()

    @cached_property
    def chart(self) -> Chart | None:
        return case_chart(self.case, self.name, beside=self.beside)

    @property
    def by_itself(self) -> Chart | None:
        """The chart on an axis of its own: an exported picture has no other case beside it."""
        return case_chart(self.case, self.name)

    @property
    def on_paper(self) -> Markup:
        """The chart for paper."""
        return case_on_paper(self.case, self.case.ideal() if self.case.completed else [], self.beside)

    @property
    def name_of_fold(self) -> str:
        """The anchor of the case in the page."""
        return f"{self.name}-fold"

    def headline(self) -> list[tuple[str, str]]:
        """The most important metrics, at most three; without an ideal, the case's own metrics are among them."""
        case = self.case
        found = [("measured", seconds(case.measured_s))]
        if case.ideal_s is not None:
            return [*found, ("ideal", ideal_in_words(case)), ("off by", signed_percent(case.off_by))]
        return (found + [(name, number(value)) for name, value in case.metrics.items()])[:LARGE]

    @property
    def lost(self) -> bool:
        """Whether the case took so much longer than its ideal that the reader should notice."""
        return self.case.off_by > EVEN

    def groups(self) -> dict[str, list[tuple[str, str]]]:
        """All other metrics, in groups."""
        case, repeat = self.case, self.case.median_repeat
        found = self._of_spans() if repeat.spans else {}
        found["around it"] = [("start-up", seconds(repeat.startup_s)), ("shut-down", seconds(repeat.shutdown_s))]
        if case.lesson_s is not None:
            found["around it"].append(("the lesson printed", seconds(case.lesson_s)))
        if len(case.times) > 1:
            found["around it"].append(("spread", f"{percent(case.spread)} of {len(case.times)} launches"))
        told = dict(self.headline())
        if own := [(name, number(value)) for name, value in case.metrics.items() if name not in told]:
            found["measured by the case itself"] = own
        return found

    def figures(self) -> Iterator[tuple[str, str]]:
        """All metrics of the case, by name."""
        yield from self.headline()
        for group in self.groups().values():
            yield from group

    def _of_spans(self) -> dict[str, list[tuple[str, str]]]:
        case, workers = self.case, self.case.seen_workers
        measures = measure(case.median_repeat.spans, workers)
        work = [("time in tasks", seconds(measures.work_s))]
        if case.serial_s is not None:
            work.insert(0, ("total work", seconds(case.serial_s)))
            work += [("speed-up", times(case.speedup)), ("efficiency", share(case.speedup / workers))]
        busy = [
            ("busy on average", f"{number(measures.busy)} of {workers}"),
            ("two or more busy", seconds(measures.overlap_s)),
            ("idle, all workers", seconds(measures.idle_s)),
            ("load balance", percent(measures.balance)),
            ("straggler", self._straggler(measures)),
        ]
        return {"the work": work, "the workers": busy}

    def _straggler(self, measures: Measures) -> str:
        if measures.straggler is None or measures.straggled_s <= EVEN * measures.wall_s:
            return "none"
        placed = rows(self.case.median_repeat.spans, {})
        who = placed.labels[placed.of_worker[measures.straggler]]
        return f"{who} on {measures.straggler[0]}, by {seconds(measures.straggled_s)}"

    def workers(self) -> Iterator[tuple[str, ...]]:
        """A row for each worker: its place, and its tasks and times, as text."""
        spans = self.case.median_repeat.spans
        origin, threads = first_submission(spans), thread_numbers(spans)
        for worker, own in by_worker(spans).items():
            work = sum(span.finished - span.started for span in own)
            first, last = own[0].started - origin, max(span.finished for span in own) - origin
            cpu_s = sum(span.cpu_s for span in own)
            yield (
                own[0].node,
                _rank(own[0]),
                str(own[0].pid),
                str(threads[worker]),
                str(len(own)),
                f"{work:.3f}",
                f"{cpu_s:.3f}",
                f"{first:.3f}",
                f"{last:.3f}",
            )

    def tasks(self) -> Iterator[tuple[str, ...]]:
        """A row for each task, unless there are too many to list."""
        spans = self.case.median_repeat.spans
        origin, threads, chunk = first_submission(spans), thread_numbers(spans), chunks(spans)
        for index, span in enumerate(spans if len(spans) <= MOST_LISTED else (), 1):
            stamps = (span.submitted, span.started, span.finished, span.received)
            phases = ", ".join(f"{p.name} {p.started - origin:.4f} to {p.finished - origin:.4f}" for p in span.phases)
            yield (
                *(str(index), str(chunk[index - 1]), span.node, _rank(span), str(span.pid)),
                str(threads[worker_of(span)]),
                *(f"{at - origin:.4f}" for at in stamps),
                *(f"{span.cpu_s:.4f}", span.outcome, phases),
            )


def _rank(span: Span) -> str:
    return str(span.rank) if span.rank >= 0 else "-"


@dataclass(frozen=True)
class CurveView:
    """Cases that differ in the number of workers: their chart, its table, and the results of the fits."""

    chart: Chart
    on_paper: Markup
    rows: tuple[tuple[str, ...], ...]
    says: tuple[str, ...]


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
            return "yes" if self.run.stands else "undecided"
        return self.run.verdict.reproduced.answer.name.lower() if self.run.stands else "no"

    @property
    def shown(self) -> int:
        """The number of the lab's claims that are shown."""
        return sum(claim.answer is Answer.YES for claim in self.run.verdict.claims)

    @cached_property
    def cases(self) -> list[CaseView]:
        cases = self.run.cases
        return [CaseView(case, f"{self.prefix}case-{index}", cases) for index, case in enumerate(cases, 1)]

    @cached_property
    def overview(self) -> Chart | None:
        return self._named(overview(self.run))

    @cached_property
    def breakdown(self) -> Chart | None:
        return self._named(accounts(self.run))

    @cached_property
    def curves(self) -> list[CurveView]:
        found = []
        for index, curve in enumerate(curves(self.run), 1):
            fitted = fits(*curve.fitting.points()) if self.run.stands else []
            few = too_few(len(curve.fitting.sizes))
            words = [fit.words() for fit in fitted] + [of_the_ideal(curve), few, curve.left_out()]
            if not self.run.stands:
                words = [NOT_FITTED]
            chart = curve_chart(curve, fitted, f"{self.prefix}scaling-{index}")
            on_paper = curve_on_paper(curve, fitted)
            found.append(CurveView(chart, on_paper, tuple(curve_rows(curve)), tuple(filter(None, words))))
        return found

    def _named(self, chart: Chart | None) -> Chart | None:
        return chart and replace(chart, name=f"{self.prefix}{chart.name}")

    def charts(self) -> list[Chart]:
        """All charts of the run, for export."""
        found = [self.overview, *(c.by_itself for c in self.cases), self.breakdown, *(c.chart for c in self.curves)]
        return [chart for chart in found if chart is not None]

    def drawn(self) -> list[Chart]:
        """The charts of the page, in its order; the page shows the others as tables with bars."""
        found = [*(case.chart for case in self.cases), *(curve.chart for curve in self.curves)]
        return [chart for chart in found if chart is not None]

    @cached_property
    def time_bars(self) -> list[TimeBar]:
        return time_bars(self.run)

    @cached_property
    def accounts(self) -> list[Account]:
        return accounts_of(self.run)

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
        found = []
        if self.run.failure is not None:
            found.append(f"This run broke off, with exit code {self.run.failure.exit_code}: {self.run.failure.text}")
        if self.run.wrong:
            found.append("A result is wrong: see the cases' outcomes.")
        if not self.run.cases:
            found.append("No case was measured, so there is nothing to draw.")
        elif not self.run.verdict.is_measurement:
            found.append(f"{INVALID} The verdict says why.")
        found += [f"{remark[0].upper()}{remark[1:]}." for remark in remarks(self.run)]
        if self.run.backend == "embedded":
            found.append(
                "Embedded: the nodes are simulated by processes of one machine. No kernel limit held them, and what a "
                "node used was not counted: such claims cannot be shown here."
            )
        return found
