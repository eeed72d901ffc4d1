"""A report's numbers for a launch, from its spans and its nodes' readings alone. Times are in seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from parlab.model.reading import NodeReading
from parlab.model.span import Span
from parlab.model.spec import PERIOD
from parlab.model.workers import Worker, by_worker, first_submission
from parlab.results.record import Repeat

HEAD = "head"


@dataclass(frozen=True)
class Measures:
    """Measures of a launch, from the first submission to the last receipt. Work is time in tasks, the rest is idle."""

    wall_s: float
    work_s: float  # of all tasks together
    idle_s: float  # of all workers together
    overlap_s: float  # time with two or more tasks in progress
    most_busy: int  # most tasks in progress at once
    balance: float  # load balance: mean work of the workers over the largest; 1 is even; nan without spans
    straggler: Worker | None  # the worker that finished its last task last
    straggled_s: float  # delay of the straggler after the second-last worker

    @property
    def busy(self) -> float:
        """Work over wall time: the average number of busy workers; 0 if nothing was done.

        It equals the speed-up if no task took longer than it would have taken alone.
        """
        return self.work_s / self.wall_s if self.wall_s else 0.0


def measure(spans: Sequence[Span], workers: int) -> Measures:
    """Measure a launch; `workers` is the number of workers at once, including those without a task."""
    if not spans:
        return Measures(0.0, 0.0, 0.0, 0.0, 0, math.nan, None, 0.0)
    wall_s = max(span.received for span in spans) - first_submission(spans)
    own = by_worker(spans)
    work = [sum(span.finished - span.started for span in tasks) for tasks in own.values()]
    ends = sorted((max(span.finished for span in tasks), worker) for worker, tasks in own.items())
    count = max(workers, len(own))
    busy = busy_steps(spans)
    return Measures(
        wall_s=wall_s,
        work_s=sum(work),
        idle_s=max(0.0, workers * wall_s - sum(work)),
        overlap_s=sum(until - at for (at, tasks), (until, _) in pairwise(busy) if tasks > 1),
        most_busy=max(tasks for _, tasks in busy),
        balance=sum(work) / count / max(work) if max(work) else 1.0,
        straggler=ends[-1][1],
        straggled_s=ends[-1][0] - ends[-2][0] if len(ends) > 1 else 0.0,
    )


def busy_steps(spans: Sequence[Span]) -> list[tuple[float, int]]:
    """The number of tasks in progress from each instant on, in order; 0 from the last instant on."""
    changes = sorted([(span.started, 1) for span in spans] + [(span.finished, -1) for span in spans])
    steps: list[tuple[float, int]] = []
    count = 0
    for at, change in changes:
        count += change
        if steps and steps[-1][0] == at:
            steps.pop()
        steps.append((at, count))
    return steps


@dataclass(frozen=True)
class CpuUse:
    """CPU use of all worker nodes together between two of their readings; times are from the first submission."""

    began: float
    ended: float
    used: float  # host CPUs
    throttled: float  # fraction of the nodes' quota periods with throttling; 0 if that is not counted


def cpu_use(repeat: Repeat) -> list[CpuUse]:
    """CPU use of the worker nodes, in order of time, while all of them were read.

    [] if it was not counted, such as for simulated nodes.
    """
    if not repeat.spans:
        return []
    origin = first_submission(repeat.spans)
    nodes = []
    for node, readings in _counted(repeat).items():
        at = np.array([repeat.by_the_head(node, reading.at) - origin for reading in readings])
        counters = [(r.used_s, r.throttled or 0, r.periods or 0) for r in readings]
        nodes.append((at, np.array(counters, float).T))
    if not nodes:
        return []
    first, last = max(at[0] for at, _ in nodes), min(at[-1] for at, _ in nodes)
    if first >= last:
        return []
    stamps = np.unique(np.concatenate([at for at, _ in nodes]))
    edges = apart(stamps[(first <= stamps) & (stamps <= last)], PERIOD)
    # Between two readings, a counter is assumed to grow at a constant rate.
    each = [np.stack([np.diff(np.interp(edges, at, counter)) for counter in counters]) for at, counters in nodes]
    used_s, throttled, periods = np.sum(each, axis=0)
    lengths = np.diff(edges)
    shares = np.divide(throttled, periods, out=np.zeros_like(periods), where=periods > 0)
    return [
        CpuUse(float(began), float(ended), float(cpu_s / length), float(share))
        for began, ended, cpu_s, length, share in zip(edges, edges[1:], used_s, lengths, shares, strict=False)
    ]


def apart(edges: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Keep the first and the last edge, and others at least `least` apart: in a shorter time a limit does not show."""
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge - kept[-1] >= least:
            kept.append(edge)
    return np.array([*(kept[:-1] if len(kept) > 1 else kept), edges[-1]])


def cpu_limit(repeat: Repeat) -> float | None:
    """The limit, in host CPUs, of all worker nodes with counted CPU use together; None if there is no limit."""
    wanted = [repeat.nodes[node].wanted for node in _counted(repeat)]
    return None if not wanted or None in wanted else sum(limit for limit in wanted if limit is not None)


def throttled_share(repeat: Repeat) -> float:
    """The fraction of all worker nodes' quota periods with throttling; 0 if that is not counted."""
    ends = [(readings[0], readings[-1]) for readings in _counted(repeat).values()]
    periods = sum((last.periods or 0) - (first.periods or 0) for first, last in ends)
    return sum((last.throttled or 0) - (first.throttled or 0) for first, last in ends) / periods if periods else 0.0


def _counted(repeat: Repeat) -> dict[str, list[NodeReading]]:
    """The worker nodes' readings with counted CPU use; only nodes with two such readings or more."""
    counted = {
        node: [reading for reading in use.readings if reading.used_s is not None]
        for node, use in repeat.nodes.items()
        if node != HEAD
    }
    return {node: readings for node, readings in counted.items() if len(readings) > 1}
