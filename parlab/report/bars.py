"""The parts of a Gantt chart, from spans alone: bars, in seconds from the first submission, and their rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from parlab.analysis.breakdown import breakdown
from parlab.formatting import NO_TASK, decimal
from parlab.model.span import LOCK_HELD, LOCK_WAIT, OK, Phase, Span
from parlab.model.workers import Worker, by_node, by_worker, first_submission, in_order, thread_numbers, worker_of

QUEUED, TRANSFER = "queued", "transfer"
TASK, FAILED, PHASE, MARK, START_UP, SHUT_DOWN = "task", "failed", "other phase", "mark", "start-up", "shut-down"
ASLEEP, CONTENDED, UNEXPLAINED = "waiting", "contended", "unexplained"
SEEN_FROM = 0.08  # of a task's time; a smaller share would be less than a pixel high


@dataclass(frozen=True)
class Bar:
    """One stretch of time of a task; tasks are numbered from 0."""

    kind: str
    worker: Worker
    began: float
    ended: float
    task: int
    name: str = ""
    share: float = 1.0  # of the bar's height: the fraction of the task's time in this state
    above: float = 0.0  # of the bar's height: the fraction above it


def bars(spans: Sequence[Span], speed: float | None = None) -> Iterator[Bar]:
    """One bar for each span and each of its phases; bars for queueing and transfer, too, if these took time.

    With the `speed` of a virtual core, up to three more bars per span: for the share of its time in which it waited,
    for the share in which it was ready but did not run, and for the share that nothing explains. The rest is computing.
    """
    origin = first_submission(spans)
    numbers = {id(span): number for number, span in enumerate(spans)}
    for worker, own in by_worker(spans).items():
        free = origin
        for span in own:
            task, ready = numbers[id(span)], min(max(span.submitted, free), span.started)
            free = max(free, span.finished)
            kind = TASK if span.outcome == OK else FAILED
            yield Bar(kind, worker, span.started - origin, span.finished - origin, task)
            for part, share, above in () if speed is None else _parts(span, speed):
                yield Bar(part, worker, span.started - origin, span.finished - origin, task, share=share, above=above)
            for phase in span.phases:
                yield Bar(_kind(phase), worker, phase.started - origin, phase.finished - origin, task, phase.name)
            ways = (
                (QUEUED, span.submitted, ready),
                (TRANSFER, ready, span.started),
                (TRANSFER, span.finished, span.received),
            )
            yield from (Bar(kind, worker, a - origin, b - origin, task) for kind, a, b in ways if a < b)


def merged(drawn: Iterable[Bar], least: float) -> list[Bar]:
    """Bars of one kind, in which bars too short to be drawn are one with their neighbours in the row.

    Two bars become one if less than `least` seconds lie between them, and one of the two is shorter than that: so many
    short tasks look like one busy worker, not like none. The share of the height is the mean of both.
    """
    rows: dict[Worker, list[Bar]] = {}
    for bar in sorted(drawn, key=lambda bar: bar.began):
        row = rows.setdefault(bar.worker, [])
        near = bool(row) and bar.began - row[-1].ended < least
        if near and min(_length(row[-1]), _length(bar)) < least:
            row.append(_joined(row.pop(), bar))
        else:
            row.append(bar)
    return [bar for row in rows.values() for bar in row]


def _length(bar: Bar) -> float:
    return bar.ended - bar.began


def _joined(one: Bar, other: Bar) -> Bar:
    whole = _length(one) + _length(other)
    part = _length(other) / whole if whole else 0.5
    return replace(
        one,
        ended=max(one.ended, other.ended),
        share=one.share + part * (other.share - one.share),
        above=one.above + part * (other.above - one.above),
    )


def _parts(span: Span, speed: float) -> Iterator[tuple[str, float, float]]:
    """From the top: contended, unexplained; at the bottom: waiting. Each with its share, and the share above it."""
    length = span.finished - span.started
    if length <= 0:
        return
    costs = breakdown([span], [span], speed)
    asleep, lost, unknown = (seconds / length for seconds in (costs.waiting, costs.contended, costs.unexplained))
    parts = ((ASLEEP, asleep, 1.0 - asleep), (CONTENDED, lost, 0.0), (UNEXPLAINED, unknown, lost))
    yield from (part for part in parts if part[1] > SEEN_FROM)


def _kind(phase: Phase) -> str:
    if phase.instant:
        return MARK
    return phase.name if phase.name in (LOCK_WAIT, LOCK_HELD) else PHASE


@dataclass(frozen=True)
class Rows:
    """The rows from the top, each with its label. A row with a node's name stands above the rows of its workers."""

    labels: tuple[str, ...]
    of_worker: Mapping[Worker, int]
    headings: Mapping[int, str]


def rows(spans: Sequence[Span], limits: Mapping[str, float | None], idle: Mapping[str, int] | None = None) -> Rows:
    """The rows for these spans; `idle` gives each node's number of workers without a task, which have rows, too."""
    idle = idle or {}
    labels, of_worker, headings = list[str](), dict[Worker, int](), {}
    workers, threads = by_node(spans), thread_numbers(spans)
    for node in in_order(workers.keys() | idle.keys()):
        limit = limits.get(node)
        headings[len(labels)] = (
            node if limit is None else f"{node}: at most {decimal(limit)} host CPU{'s' * (limit != 1)}"
        )
        labels.append("")
        ordered = sorted(
            (own[0] for own in workers.get(node, ())), key=lambda one: (one.rank, one.pid, threads[worker_of(one)])
        )
        for span, label in zip(ordered, _labels(ordered, threads), strict=True):
            of_worker[worker_of(span)] = len(labels)
            labels.append(label)
        labels += [NO_TASK] * idle.get(node, 0)
    return Rows(tuple(labels), of_worker, headings)


def _labels(workers: Sequence[Span], threads: Mapping[Worker, int]) -> Iterator[str]:
    """Labels that distinguish the workers of a node: by their ranks, else their processes, else their threads.

    Processes are numbered in the order of their ids; pointing at a task shows the id.
    """
    processes = {pid: number for number, pid in enumerate(sorted({one.pid for one in workers}), 1)}
    for one in workers:
        if len({other.rank for other in workers}) == len(workers) and one.rank >= 0:
            yield f"rank {one.rank}"
        elif len(processes) == len(workers):
            yield f"worker {processes[one.pid]}"
        else:
            of = f"worker {processes[one.pid]}, " if len(processes) > 1 else ""
            yield f"{of}thread {threads[worker_of(one)]}"


def chunks(spans: Sequence[Span]) -> list[int]:
    """The number of each task's chunk, from 1. Tasks submitted at the same instant travelled in one message."""
    numbers = {at: number for number, at in enumerate(sorted({span.submitted for span in spans}), 1)}
    return [numbers[span.submitted] for span in spans]
