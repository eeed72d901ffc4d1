"""The record of one invocation: its input, its results, its environment, its verdict. Times in seconds.

    schema, id, started (local time), lab, handout, backend, spec of the largest cluster, environment,
    failure   {text, exit_code}, or null; command[], exit_code of a program of the user's own, else [], null
    cases[]   {name, settings, launch, spec, nodes[], workforce {workers, nodes, cores, chunk}, declared, ideal_s,
              serial_s (of a sweep: the time of its smallest size), lesson_s, tasks [[burned, waited], ...] in units,
              repeats[]}; no units, no ideal: null
    repeats[] {startup_s, shutdown_s, outcome, complaint, metrics{}, spans[], nodes{}, clocks{}, busiest}
    spans[]   one per task (parlab/task/recorder.py); a phase that ends when it begins is a mark
    nodes{}   {wanted, engine[], burned, readings[]} by name; clocks{} {offset_s, uncertainty_s}, too
    verdict   {correct, held, quiet, reproduced: {answer, evidence, cure}, claims[] (see Claim)}

Derived values are written beside them for other readers, and computed again on reading: for a case `measured_s` (the
median), `off_by`, `speedup`, `by_node`, `metrics`; for a repeat `measured_s`, `by_node`, `breakdown`.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from parlab.analysis.breakdown import Breakdown, breakdown
from parlab.analysis.ideal import ideal_spans, other_work
from parlab.errors import EXIT_CLOSED_PIPE, Interrupted
from parlab.formatting import plural
from parlab.model.case import PYTHON, RIGHT, WRONG, Demand
from parlab.model.clocks import Clock
from parlab.model.reading import Busiest, NodeReading
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.model.workers import Workforce, first_submission, in_order, last_to_finish, most_at_once


class Answer(Enum):
    """The answer to a question of the verdict, or to a claim."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"  # a claim that the measurements neither show nor refute
    CANNOT = "cannot be shown here"
    NO_CLAIMS = "no claims"  # a lab without expectations


@dataclass(frozen=True)
class Finding:
    """An answer and its evidence, in a line; for a no also a cure."""

    answer: Answer
    evidence: str
    cure: str = ""


@dataclass(frozen=True)
class Claim:
    """One of the lab's expectations: its answer, the reason, and its certainty (parlab/judge/claims.py)."""

    name: str
    answer: Answer
    why: str = ""
    required: bool = True  # must be shown on a cluster of 2 CPUs
    holds: float | None = None  # the share of possible outcomes in which it holds; None if it was not judged
    margin: str = ""  # the smallest change that would change the answer, in words
    rests_on: str = ""  # the source of the launches' spread


@dataclass(frozen=True)
class Verdict:
    """The four answers; see parlab/judge/verdict.py."""

    correct: Finding
    held: Finding
    quiet: Finding
    reproduced: Finding
    claims: tuple[Claim, ...]

    def findings(self) -> dict[str, Finding]:
        """The four answers by their questions, in their usual order."""
        return {"correct": self.correct, "held": self.held, "quiet": self.quiet, "reproduced": self.reproduced}

    @property
    def is_measurement(self) -> bool:
        """Whether the metrics are meaningful: neither held nor quiet is a no."""
        return Answer.NO not in (self.held.answer, self.quiet.answer)


@dataclass(frozen=True)
class NodeRecord:
    """One node's limit, and its CPU use, in one repeat."""

    wanted: float | None  # its limit in host CPUs; None if the backend has none
    engine: tuple[float | None, ...] = ()  # the engine's value of the limit, before and after
    burned: float | None = None  # host CPUs of an unpaced burn, if there was one
    readings: tuple[NodeReading, ...] = ()  # the first is before the first task, the last after the last


@dataclass(frozen=True)
class Repeat:
    """One launch of a case."""

    spans: tuple[Span, ...]  # in the order of submission, like the case's tasks
    outcome: str = RIGHT
    complaint: str | None = None  # a difference from the case's declaration
    startup_s: float = 0.0  # from mpiexec to the first task
    shutdown_s: float = 0.0  # from the last receipt to the end of mpiexec, without the time for reading limits
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)
    clocks: Mapping[str, Clock] = field(default_factory=dict)  # of nodes with their own kernels
    metrics: Mapping[str, float] = field(default_factory=dict)  # recorded by the case itself
    busiest: Busiest | None = None  # of processes outside nodes; None if this machine's kernel does not tell

    @cached_property
    def measured_s(self) -> float | None:
        """From the first submission to the last receipt; None if no task came back."""
        if not self.spans:
            return None
        return max(span.received for span in self.spans) - first_submission(self.spans)

    @cached_property
    def marks(self) -> frozenset[str]:
        """The words of its marks."""
        return frozenset(phase.name for span in self.spans for phase in span.phases if phase.instant)

    def by_the_head(self, node: str, at: float) -> float:
        """A time of a node's clock, converted to the head's clock, which the spans use."""
        return at - self.clocks.get(node, Clock()).offset_s

    @property
    def by_node(self) -> dict[str, int]:
        """The number of tasks on each node that did any, in the order of the nodes' numbers."""
        counts = Counter(span.node for span in self.spans)
        return {node: counts[node] for node in in_order(counts)}


@dataclass(frozen=True)
class MeasuredCase:
    """One case on one size of cluster: ideal beside measured."""

    name: str
    settings: Mapping[str, Any]
    spec: Spec
    tasks: tuple[Demand, ...]
    workforce: Workforce
    ideal_s: float | None
    serial_s: float | None  # all tasks one after another on one virtual core; of a sweep, its smallest size's time
    repeats: tuple[Repeat, ...]
    declared: str = RIGHT  # the declared outcome
    launch: str = PYTHON
    lesson_s: float | None = None  # the time that the lesson printed
    nodes: tuple[str, ...] = ()  # the names of the spec's nodes, the head's first

    @property
    def workers(self) -> int:
        return self.workforce.workers

    @property
    def seen_workers(self) -> int:
        """The number of workers requested, or the peak seen if higher, e.g. if a case starts its own processes."""
        return max(self.workers, most_at_once(self.median_repeat.spans))

    @cached_property
    def times(self) -> tuple[float, ...]:
        """The measured time of each repeat that has one, in ascending order."""
        return tuple(sorted(r.measured_s for r in self.repeats if r.measured_s is not None))

    @property
    def measured_s(self) -> float:
        """The median of the repeats; NaN if no task came back, e.g. for a case that must raise."""
        return statistics.median(self.times) if self.times else float("nan")

    @property
    def spread(self) -> float:
        """From the quickest to the slowest repeat, as a fraction of the median."""
        return (self.times[-1] - self.times[0]) / self.measured_s if self.times else 0.0

    @property
    def median_repeat(self) -> Repeat:
        """The repeat with the median time, or the one just below."""
        timed = [repeat for repeat in self.repeats if repeat.measured_s is not None]
        if not timed:
            return self.repeats[0]
        middle = statistics.median_low(self.times)
        return next(repeat for repeat in timed if repeat.measured_s == middle)

    @property
    def task_s(self) -> tuple[float, ...]:
        """Seconds that each task of the median repeat ran, in the order of submission."""
        return tuple(span.finished - span.started for span in self.median_repeat.spans)

    @property
    def units(self) -> float:
        """The measured time in the lab's units."""
        return self.measured_s / self.spec.unit

    @property
    def limited(self) -> bool:
        """Whether a kernel limited any of its nodes."""
        return any(use.wanted is not None for repeat in self.repeats for use in repeat.nodes.values())

    @property
    def completed(self) -> bool:
        """Whether all work was done, rightly or wrongly: a case that raised has done only some of it."""
        return self.median_repeat.outcome in (RIGHT, WRONG)

    @property
    def off_by(self) -> float:
        """Measured against ideal: 0.02 is 2 % slower; NaN if there is no ideal, or if the work is incomplete."""
        return self.measured_s / self.ideal_s - 1 if self.ideal_s and self.completed else float("nan")

    @property
    def speedup(self) -> float:
        """Serial time over measured time, the serial one on one virtual core; NaN as for `off_by`."""
        return self.serial_s / self.measured_s if self.serial_s and self.completed else float("nan")

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics recorded by the case itself, each the median of the repeats."""
        names = dict.fromkeys(name for repeat in self.repeats for name in repeat.metrics)
        return {name: statistics.median(r.metrics[name] for r in self.repeats if name in r.metrics) for name in names}

    @property
    def by_node(self) -> dict[str, int]:
        """The number of tasks on each node in the median repeat."""
        return self.median_repeat.by_node

    @property
    def complaint(self) -> str | None:
        """The first complaint about a result, in any repeat; None if all results were as declared."""
        return next((repeat.complaint for repeat in self.repeats if repeat.complaint), None)

    def surprises(self) -> list[str]:
        """How the observed work differs from the predicted work, in words."""
        found: list[str] = []
        if not any(task.burned or task.waited for task in self.tasks):
            return found
        for repeat in self.repeats:
            if repeat.outcome == RIGHT and (why := other_work(self.tasks, repeat.spans, self.spec)):
                found.append(f"there is no ideal: {why}")
                break
        if self.ideal_s is not None and (workers := most_at_once(self.median_repeat.spans)) > self.workers:
            found.append(f"{plural(workers, 'worker')} did tasks, but the ideal assumes {self.workers}")
        return found

    def ideal(self) -> list[Span]:
        """The schedule of the case without any losses, in seconds from the start."""
        return [] if self.ideal_s is None else ideal_spans(self.tasks, self.workforce, self.spec, self.nodes)

    def without_task(self, spans: Sequence[Span] | None = None) -> dict[str, int]:
        """The number of workers on each node without a span in `spans`, by default in the median repeat."""
        found = self.median_repeat.spans if spans is None else spans
        return self.workforce.without_task(found, self.nodes) if self.tasks else {}  # no tasks, no demand for workers

    def breakdown(self, repeat: Repeat | None = None) -> Breakdown:
        """Where the time of the last-finishing worker went; by default in the median repeat."""
        spans = (repeat or self.median_repeat).spans
        return breakdown(last_to_finish(spans), spans, float(self.spec.speed)) if spans else Breakdown()


@dataclass(frozen=True)
class Failure:
    """The reason why a run broke off, and its exit code."""

    text: str
    exit_code: int

    @property
    def ends_everything(self) -> bool:
        """Whether the user has gone, or has ended everything."""
        return self.exit_code in (Interrupted.exit_code, EXIT_CLOSED_PIPE)


@dataclass(frozen=True)
class Run:
    """Everything about one invocation. A run that broke off has its failure and the cases measured before it."""

    id: str
    started: str
    lab: str
    backend: str
    spec: Spec
    cases: tuple[MeasuredCase, ...]
    verdict: Verdict
    environment: Mapping[str, Any]
    failure: Failure | None = None
    handout: str = ""  # the lab's docstring at that time
    command: tuple[str, ...] = ()  # a user's own program; its ranks are the tasks
    exit_code: int | None = None  # the program's

    @property
    def stands(self) -> bool:
        """Whether its metrics are meaningful: it completed, no result was wrong, and it is a measurement."""
        return self.failure is None and not self.wrong and self.verdict.is_measurement

    @property
    def wrong(self) -> bool:
        """Whether any result differed from its case's declaration."""
        return any(case.complaint for case in self.cases)
