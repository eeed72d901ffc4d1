"""Where the time went: each instant of a worker from the first submission to the last receipt, in one category.

How it works. Within a task, an uncontended virtual core turns `speed` CPU seconds into one second. So CPU time over
speed is computing; the time in the task's own waits is waiting. For the rest the core was contended: the task was
ready to run, but the kernel did not let it (the node's quota was used up, or others ran), or another thread of its
process held the interpreter's lock. The part that neither explains is unexplained.

Between two tasks of a worker, transfer lasts from the last task's end to its receipt, and from the next task's
submission to its start. The rest is idle. It is idle with queued work as long as a task of the case has yet to start
on any worker. It is idle without work after that, and before the submission of the worker's first task.

A timeline needs these parts in sequence. Between tasks the instants of each part are known. Within a task they are
known only for waits for a lock; the other parts have known lengths, and are placed in the order of the categories.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from parlab.model.span import LOCK_WAIT, Span
from parlab.model.workers import first_submission


@dataclass(frozen=True)
class Breakdown:
    """Seconds by category; together they are the time from the first submission to the last receipt."""

    computing: float = 0.0  # at the full speed of a virtual core
    waiting: float = 0.0  # demanded by the task: a disk or a network, or a lock
    contended: float = 0.0  # throttled by the limit, or contended by others
    transfer: float = 0.0  # dispatch and transfer
    idle_queued: float = 0.0  # although work was queued
    idle_no_work: float = 0.0  # because there was none
    unexplained: float = 0.0

    @property
    def total(self) -> float:
        """The sum of all categories."""
        return sum(self.by_category().values())

    def by_category(self) -> dict[str, float]:
        """The seconds by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def shares(self) -> dict[str, float]:
        """Each category as a fraction of the whole."""
        return {name: seconds / self.total for name, seconds in self.by_category().items()}


class Stretch(NamedTuple):
    """A part of a worker's time in one category, its state; in seconds of the spans' clock."""

    state: str
    began: float
    ended: float


def breakdown(own: Sequence[Span], everyone: Sequence[Span], speed: float) -> Breakdown:
    """Break down one worker's time, by its `own` spans in the order of their starts and `everyone`'s spans.

    `speed` is a virtual core's fraction of a host core.
    """
    start, end = first_submission(everyone), max(span.received for span in everyone)
    all_started = max(span.started for span in everyone)
    parts = [_gap(start, own[0].started, None, own[0], all_started)]
    for index, span in enumerate(own):
        following = own[index + 1] if index + 1 < len(own) else None
        until = end if following is None else max(span.finished, following.started)
        parts += [_task(span, speed), _gap(span.finished, until, span, following, all_started)]
    return Breakdown(*(sum(getattr(part, field.name) for part in parts) for field in fields(Breakdown)))


def _task(span: Span, speed: float) -> Breakdown:
    left = length = span.finished - span.started
    computing = min(length, span.cpu_s / speed)
    left -= computing
    waiting = min(left, span.waiting_s)
    left -= waiting
    other_threads = max(0.0, span.process_cpu_s - span.cpu_s) / speed
    contended = min(left, (span.run_delay_s or 0.0) + other_threads)
    return Breakdown(computing=computing, waiting=waiting, contended=contended, unexplained=left - contended)


def stretches(own: Sequence[Span], everyone: Sequence[Span], speed: float) -> Iterator[Stretch]:
    """The states of one worker in the order of time, approximate within a task; arguments as for `breakdown`."""
    start, end = first_submission(everyone), max(span.received for span in everyone)
    all_started = max(span.started for span in everyone)
    yield from _between(start, own[0].started, None, own[0], all_started)
    for index, span in enumerate(own):
        following = own[index + 1] if index + 1 < len(own) else None
        until = end if following is None else max(span.finished, following.started)
        yield from _within(span, speed)
        yield from _between(span.finished, until, span, following, all_started)


def _within(span: Span, speed: float) -> Iterator[Stretch]:
    """The parts of a task: its waits for a lock at their times, the other parts in the remaining time."""
    left = _task(span, speed).by_category()
    locks = sorted((phase.started, phase.finished) for phase in span.phases if phase.name == LOCK_WAIT)
    locked = min(left["waiting"], sum(ended - began for began, ended in locks))
    left["waiting"] -= locked
    at = span.started
    for began, ended in locks:
        for part in _filled(left, at, began):
            yield part
            at = part.ended
        length = min(max(0.0, ended - max(at, began)), locked)
        if length > 0:
            at = max(at, began) + length
            yield Stretch("waiting", at - length, at)
            locked -= length
    left["waiting"] += locked
    yield from _filled(left, at, span.finished)


def _filled(left: dict[str, float], at: float, end: float) -> Iterator[Stretch]:
    """Stretches for the remaining time of each state, from `at` to `end` at most; reduces `left` by them."""
    for state, seconds in left.items():
        until = min(end, at + seconds)
        if until > at:
            left[state] -= until - at
            yield Stretch(state, at, until)
            at = until


def _between(
    start: float, end: float, before: Span | None, after: Span | None, all_started: float
) -> Iterator[Stretch]:
    """The parts of the time between two tasks of a worker."""
    returned, queued, leaves = _instants(start, end, before, after, all_started)
    parts = (("transfer", start, returned), ("idle_queued", returned, queued), ("idle_no_work", queued, leaves))
    yield from (Stretch(*part) for part in (*parts, ("transfer", leaves, end)) if part[2] > part[1])


def _gap(start: float, end: float, before: Span | None, after: Span | None, all_started: float) -> Breakdown:
    """The time from the end of a task, or from the beginning, to the start of the next."""
    returned, queued, leaves = _instants(start, end, before, after, all_started)
    return Breakdown(
        transfer=(returned - start) + (end - leaves), idle_queued=queued - returned, idle_no_work=leaves - queued
    )


def _instants(
    start: float, end: float, before: Span | None, after: Span | None, all_started: float
) -> tuple[float, float, float]:
    """The times between two tasks at which the last result is back, the queue is empty, and the next task leaves."""
    returned = start if before is None else min(max(start, before.received), end)
    leaves = end if after is None else min(max(returned, after.submitted), end)
    # Before its first task's submission a worker had nothing to wait for; its process may not even have existed.
    queued = returned if before is None else max(returned, min(leaves, all_started))
    return returned, queued, leaves
