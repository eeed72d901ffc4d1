"""The record of one invocation: what was asked, what came out, where it ran, what it is worth. Times in seconds.

    schema, id, started (local time), lab, handout, backend, spec of the largest cluster, environment,
    failure   {text, exit_code}, or null; command[], exit_code of a program of the user's own, else [], null
    cases[]   {name, settings, launch, spec, nodes[], workforce {workers, nodes, cores, chunk}, declared, ideal_s,
              serial_s, lesson_s, tasks [[burned, waited], ...] in units, repeats[]}; no units, no ideal: null
    repeats[] {startup_s, shutdown_s, outcome, complaint, metrics{}, spans[], nodes{}, clocks{}, busiest}
    spans[]   a task each (parlab/task/recorder.py); a phase of it that ends as it begins is a mark
    nodes{}   {wanted, engine[], burned, readings[]} by name; clocks{} {offset_s, uncertainty_s}, too
    verdict   {correct, held, quiet, reproduced: {answer, evidence, cure}, claims[] (see Claim)}

What follows from these is written beside them for other readers, and worked out anew on reading: of a case
`measured_s` (the median), `off_by`, `speedup`, `by_node`, `metrics`; of a repeat `measured_s`, `by_node`, `breakdown`.
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
from parlab.model.workers import Workforce, by_worker, first_submission, in_order, last_to_finish, most_at_once


class Answer(Enum):
    """To each of the verdict's questions, and to each claim."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"  # a claim that what was measured neither shows nor refutes
    CANNOT = "cannot be shown here"
    NO_CLAIMS = "no claims"  # of a lab that expects nothing


@dataclass(frozen=True)
class Finding:
    """An answer and, in a line, what it rests on; of a no, what to do about it."""

    answer: Answer
    evidence: str
    cure: str = ""


@dataclass(frozen=True)
class Claim:
    """One of the lab's expectations: whether it holds, why not, and how sure that is (parlab/judge/claims.py)."""

    name: str
    answer: Answer
    why: str = ""
    required: bool = True  # be shown on a cluster of 2 CPUs
    holds: float | None = None  # in this share of what the launches allow; None of what was not judged
    margin: str = ""  # the least change that makes the answer another one, in words
    rests_on: str = ""  # what the spread of the launches was taken from


@dataclass(frozen=True)
class Verdict:
    """The four answers; see parlab/judge/verdict.py."""

    correct: Finding
    held: Finding
    quiet: Finding
    reproduced: Finding
    claims: tuple[Claim, ...]

    def findings(self) -> dict[str, Finding]:
        """The four answers by their questions, in the order in which they are told."""
        return {"correct": self.correct, "held": self.held, "quiet": self.quiet, "reproduced": self.reproduced}

    @property
    def is_measurement(self) -> bool:
        """Whether the figures mean anything: no answer to held or quiet is a no."""
        return Answer.NO not in (self.held.answer, self.quiet.answer)


@dataclass(frozen=True)
class NodeRecord:
    """What one node was given, and what it used, in one repeat."""

    wanted: float | None  # its limit in host CPUs; None where the backend has none
    engine: tuple[float | None, ...] = ()  # what the engine said of it, before and after
    burned: float | None = None  # host CPUs that an unpaced burn got, where one was made
    readings: tuple[NodeReading, ...] = ()  # the first before the first task, the last after the last


@dataclass(frozen=True)
class Repeat:
    """One launch of a case."""

    spans: tuple[Span, ...]  # in the order of their submission, as the case's tasks are
    outcome: str = RIGHT
    complaint: str | None = None  # what is not as the case declares it
    startup_s: float = 0.0  # from mpiexec to the first task
    shutdown_s: float = 0.0  # from the last receipt to the end of mpiexec; limits are read in between, and not counted
    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)
    clocks: Mapping[str, Clock] = field(default_factory=dict)  # of nodes with a kernel of their own
    metrics: Mapping[str, float] = field(default_factory=dict)  # that the case has taken itself
    busiest: Busiest | None = None  # of the processes in no node; None where this machine's kernel does not tell

    @cached_property
    def measured_s(self) -> float | None:
        """From the first submission to the last receipt; None where no task came back."""
        if not self.spans:
            return None
        return max(span.received for span in self.spans) - first_submission(self.spans)

    def by_the_head(self, node: str, at: float) -> float:
        """A time of a node's clock, by the head's, which is that of the spans."""
        return at - self.clocks.get(node, Clock()).offset_s

    @property
    def by_node(self) -> dict[str, int]:
        """How many tasks each node did, of those that did any; in the order of their numbers."""
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
    serial_s: float | None  # all tasks one after another on one virtual core
    repeats: tuple[Repeat, ...]
    declared: str = RIGHT  # the outcome that it is to come to
    launch: str = PYTHON
    lesson_s: float | None = None  # what the lesson printed
    nodes: tuple[str, ...] = ()  # the names of the spec's nodes, the head's first

    @property
    def workers(self) -> int:
        return self.workforce.workers

    @property
    def seen_workers(self) -> int:
        """How many there were: as many as were asked for, or more at once, as where a case starts its own processes."""
        return max(self.workers, most_at_once(self.median_repeat.spans))

    @cached_property
    def times(self) -> tuple[float, ...]:
        """The measured time of each repeat that has one, in ascending order."""
        return tuple(sorted(r.measured_s for r in self.repeats if r.measured_s is not None))

    @property
    def measured_s(self) -> float:
        """The median of the repeats; not a number where no task came back, as of a case that is to raise."""
        return statistics.median(self.times) if self.times else float("nan")

    @property
    def spread(self) -> float:
        """From the quickest to the slowest repeat, as a fraction of the median."""
        return (self.times[-1] - self.times[0]) / self.measured_s if self.times else 0.0

    @property
    def median_repeat(self) -> Repeat:
        """The repeat that took the median time, or the one just below."""
        timed = [repeat for repeat in self.repeats if repeat.measured_s is not None]
        if not timed:
            return self.repeats[0]
        middle = statistics.median_low(self.times)
        return next(repeat for repeat in timed if repeat.measured_s == middle)

    @property
    def task_s(self) -> tuple[float, ...]:
        """Seconds that each task of the median repeat ran, in the order of their submission."""
        return tuple(span.finished - span.started for span in self.median_repeat.spans)

    @property
    def units(self) -> float:
        """The measured time in the lab's units."""
        return self.measured_s / self.spec.unit

    @property
    def limited(self) -> bool:
        """Whether a kernel held any node of it to a limit."""
        return any(use.wanted is not None for repeat in self.repeats for use in repeat.nodes.values())

    @property
    def completed(self) -> bool:
        """Whether all the work was done, rightly or wrongly: a case that raised has done some of it."""
        return self.median_repeat.outcome in (RIGHT, WRONG)

    @property
    def off_by(self) -> float:
        """Measured against ideal: 0.02 is 2 % slower; not a number where there is no ideal, or not all was done."""
        return self.measured_s / self.ideal_s - 1 if self.ideal_s and self.completed else float("nan")

    @property
    def speedup(self) -> float:
        """How many times faster than all tasks one after another on one virtual core; else as `off_by`."""
        return self.serial_s / self.measured_s if self.serial_s and self.completed else float("nan")

    @property
    def metrics(self) -> dict[str, float]:
        """The figures that the case has taken itself, of each the median of the repeats."""
        names = dict.fromkeys(name for repeat in self.repeats for name in repeat.metrics)
        return {name: statistics.median(r.metrics[name] for r in self.repeats if name in r.metrics) for name in names}

    @property
    def by_node(self) -> dict[str, int]:
        """How many tasks each node did in the median repeat."""
        return self.median_repeat.by_node

    @property
    def complaint(self) -> str | None:
        """The first complaint about a result, of whichever repeat; None where all came out as declared."""
        return next((repeat.complaint for repeat in self.repeats if repeat.complaint), None)

    def surprises(self) -> list[str]:
        """In what the work that was seen is not the work that was predicted, in words."""
        found: list[str] = []
        if not any(task.burned or task.waited for task in self.tasks):
            return found
        for repeat in self.repeats:
            if repeat.outcome == RIGHT and (why := other_work(self.tasks, repeat.spans, self.spec)):
                found.append(f"there is no ideal: {why}")
                break
        if self.ideal_s is not None and (workers := most_at_once(self.median_repeat.spans)) > self.workers:
            found.append(f"{plural(workers, 'worker')} did something, the ideal is made for {self.workers}")
        return found

    def ideal(self) -> list[Span]:
        """The schedule that the case would have if nothing were lost, in seconds from the start."""
        return [] if self.ideal_s is None else ideal_spans(self.tasks, self.workforce, self.spec, self.nodes)

    def without_task(self, spans: Sequence[Span] | None = None) -> dict[str, int]:
        """How many workers of each node left none of these spans, or none in the median repeat."""
        found = self.median_repeat.spans if spans is None else spans
        return self.workforce.without_task(found, self.nodes) if self.tasks else {}  # else nobody was asked for

    def most_unexplained(self) -> tuple[str, float]:
        """The worker of the median repeat whose time is explained least: its node, and the share."""
        spans, speed, name = self.median_repeat.spans, float(self.spec.speed), "unexplained"
        shares = {worker: breakdown(own, spans, speed).shares()[name] for worker, own in by_worker(spans).items()}
        (node, *_), share = max(shares.items(), key=lambda item: item[1], default=(("",), 0.0))
        return node, share

    def breakdown(self, repeat: Repeat | None = None) -> Breakdown:
        """Where the time of the last-finishing worker went; of the median repeat unless another is named."""
        spans = (repeat or self.median_repeat).spans
        return breakdown(last_to_finish(spans), spans, float(self.spec.speed)) if spans else Breakdown()


@dataclass(frozen=True)
class Failure:
    """Why a run broke off, and with which exit code."""

    text: str
    exit_code: int

    @property
    def ends_everything(self) -> bool:
        """Whether whoever asked for the run is gone, or wants no more."""
        return self.exit_code in (Interrupted.exit_code, EXIT_CLOSED_PIPE)


@dataclass(frozen=True)
class Run:
    """Everything about one invocation. A run that broke off has the cases that were measured, and its failure."""

    id: str
    started: str
    lab: str
    backend: str
    spec: Spec
    cases: tuple[MeasuredCase, ...]
    verdict: Verdict
    environment: Mapping[str, Any]
    failure: Failure | None = None
    handout: str = ""  # the lab's docstring, as it was
    command: tuple[str, ...] = ()  # of a program of the user's own; its ranks are the tasks
    exit_code: int | None = None  # of the same

    @property
    def stands(self) -> bool:
        """Whether its figures mean anything: it went through, nothing came out wrong, and it is a measurement."""
        return self.failure is None and not self.wrong and self.verdict.is_measurement

    @property
    def wrong(self) -> bool:
        """Whether any result was not as its case declares it."""
        return any(case.complaint for case in self.cases)
