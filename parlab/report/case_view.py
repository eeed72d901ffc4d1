"""A case on a run's page: its metrics, its chart, and its tables of workers and tasks."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from parlab.formatting import number, percent, plural, seconds, share, signed_percent, times
from parlab.model.span import Span
from parlab.model.workers import by_worker, first_submission, thread_numbers, worker_of
from parlab.report.answer import OUTCOME
from parlab.report.bars import chunks, rows
from parlab.report.measures import Measures, measure
from parlab.report.paper import case_on_paper
from parlab.report.style import Chart
from parlab.report.tables import Table, useful
from parlab.report.timelines import case_chart
from parlab.results.record import MeasuredCase
from parlab.terminal.summary import ideal_in_words
from parlab.terminal.usage import usage
from parlab.thresholds import EVEN

LARGE = 3  # metrics of a case in large type
MOST_LISTED = 300  # workers, and tasks, of a case in the tables below its chart; the record has all
WORKERS = (
    "worker",
    "node",
    "rank",
    "process",
    "thread",
    "tasks",
    "in tasks, s",
    "CPU s",
    "first start, s",
    "last end, s",
)
TASKS = (
    *("task", "chunk", "node", "rank", "process", "thread"),
    *("submitted, s", "started, s", "finished, s", "received, s", "CPU s", "outcome", "phases, s"),
)
NUMBERS = ("tasks", *(name for name in (*WORKERS, *TASKS) if name.endswith(" s") and name != "phases, s"))


@dataclass(frozen=True)
class CaseView:
    """A case on the page; `name` is the name of its chart."""

    case: MeasuredCase
    name: str
    beside: tuple[MeasuredCase, ...] = ()
    program: bool = False  # a user's own, not a lab's
    is_open: bool = True
    apart: bool = False  # each case starts with an axis of its own
    letter: str = ""  # of its run, in a comparison
    pair: tuple[MeasuredCase, ...] = ()  # in a comparison, the case in both runs: they share an axis

    @cached_property
    def chart(self) -> Chart | None:
        return case_chart(self.case, self.name, letter=self.letter, beside=self.beside, pair=self.pair)

    @property
    def by_itself(self) -> Chart | None:
        """The chart on an axis of its own, or of its pair: an exported picture has no other case beside it."""
        return case_chart(self.case, self.name, letter=self.letter, beside=self.pair)

    @property
    def on_paper(self) -> Markup:
        """The chart for paper."""
        beside = self.pair if self.apart else self.beside
        return case_on_paper(self.case, self.case.ideal() if self.case.completed else [], beside)

    @property
    def name_of_fold(self) -> str:
        """The anchor of the case in the page."""
        return f"{self.name}-fold"

    def headline(self) -> list[tuple[str, str]]:
        """The most important metrics, at most three; without an ideal, the case's own metrics are among them.

        For a case that did not do all of its work, the outcome.
        """
        case = self.case
        figures = [("measured", seconds(case.measured_s))] if case.times else []
        if not case.completed:
            return [*figures, (OUTCOME, case.median_repeat.outcome)]
        if case.ideal_s is not None:
            return [*figures, ("ideal", ideal_in_words(case)), ("off by", signed_percent(case.off_by))]
        if self.program:
            return figures
        return (figures + [(name, number(value)) for name, value in case.metrics.items()])[:LARGE]

    @property
    def lost(self) -> bool:
        """Whether the case took so much longer than its ideal that the reader should notice."""
        return self.case.off_by > EVEN

    def groups(self) -> dict[str, list[tuple[str, str]]]:
        """All other metrics, in groups."""
        case, repeat = self.case, self.case.median_repeat
        groups = self._of_spans() if repeat.spans else {}
        around = [("start-up", seconds(repeat.startup_s)), ("shut-down", seconds(repeat.shutdown_s))]
        if self.program and case.tasks:  # its ranks: their start-up is a fact of the program, nobody times their end
            groups, around = {"the program": usage(repeat)}, []
        if case.lesson_s is not None:
            around.append(("the lesson printed", seconds(case.lesson_s)))
        if len(case.times) > 1:
            around.append(("spread", f"{percent(case.spread)} of {len(case.times)} launches"))
        if around:
            groups["around it"] = around
        in_headline = dict(self.headline())
        own = [] if self.program else [(name, number(v)) for name, v in case.metrics.items() if name not in in_headline]
        if own:
            groups["measured by the case itself"] = own
        return groups

    def figures(self) -> Iterator[tuple[str, str]]:
        """All metrics of the case, by name."""
        yield from self.headline()
        for group in self.groups().values():
            yield from group

    def _of_spans(self) -> dict[str, list[tuple[str, str]]]:
        case, workers = self.case, self.case.seen_workers
        measures = measure(case.median_repeat.spans, workers)
        work = [("time in tasks", seconds(measures.work_s))]
        if case.ideal_s is not None and case.serial_s is not None:
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

    def tables(self) -> list[tuple[Table, str]]:
        """The tables below the chart, each with the number of its rows in words; one that is too long has no rows."""
        spans = self.case.median_repeat.spans
        return [
            (self.workers(), plural(len(by_worker(spans)), "worker")),
            (self.tasks(), plural(len(spans), "task")),
        ]

    def workers(self) -> Table:
        """A row for each worker: its place, and its tasks and times, as text; unless there are too many to list."""
        return useful(WORKERS, list(self._workers()), numbers=NUMBERS)

    def _workers(self) -> Iterator[tuple[str, ...]]:
        spans = self.case.median_repeat.spans
        origin, threads, placed = first_submission(spans), thread_numbers(spans), rows(spans, {})
        workers = by_worker(spans)
        for worker, own in workers.items() if len(workers) <= MOST_LISTED else ():
            work = sum(span.finished - span.started for span in own)
            first, last = own[0].started - origin, max(span.finished for span in own) - origin
            cpu_s = sum(span.cpu_s for span in own)
            yield (
                placed.labels[placed.of_worker[worker]],
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

    def tasks(self) -> Table:
        """A row for each task, unless there are too many to list."""
        return useful(TASKS, list(self._tasks()), numbers=NUMBERS)

    def _tasks(self) -> Iterator[tuple[str, ...]]:
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
