"""What a report says of a launch in numbers, from its spans and its nodes' readings alone. Times in seconds."""

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
    """Of one launch, from the first submission to the last receipt; `work` is time in tasks, the rest is idle."""

    wall_s: float
    work_s: float  # of all tasks together
    idle_s: float  # of all workers together
    overlap_s: float  # during which two tasks or more were in work
    most_busy: int  # tasks that were in work at once
    balance: float  # load balance: the mean of the workers' work over the most that one had; 1 is even; nan of nothing
    straggler: Worker | None  # whose last task ended last
    straggled_s: float  # how long after the last but one

    @property
    def busy(self) -> float:
        """Work over wall, so how many workers were busy on average; 0 where nothing was done.

        It is the speed-up, too, if no task took longer than it would have taken alone.
        """
        return self.work_s / self.wall_s if self.wall_s else 0.0


def measure(spans: Sequence[Span], workers: int) -> Measures:
    """Measure a launch of so many workers at once, those included that had no task."""
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
    """How many tasks are in work from each instant on, in order; none from the last on."""
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
    """What the worker nodes used together between two of their readings; times from the first submission."""

    began: float
    ended: float
    used: float  # host CPUs
    throttled: float  # share of the nodes' quota periods in which they were held back; 0 where that is not counted


def cpu_use(repeat: Repeat) -> list[CpuUse]:
    """What the worker nodes used, in order; [] where that was not counted, as of simulated nodes."""
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
    edges = apart(np.unique(np.concatenate([at for at, _ in nodes])), PERIOD)
    # A counter that is read seldom is taken to have run evenly in between.
    each = [np.stack([np.diff(np.interp(edges, at, counter)) for counter in counters]) for at, counters in nodes]
    used_s, throttled, periods = np.sum(each, axis=0)
    lengths = np.diff(edges)
    shares = np.divide(throttled, periods, out=np.zeros_like(periods), where=periods > 0)
    return [
        CpuUse(float(began), float(ended), float(cpu_s / length), float(share))
        for began, ended, cpu_s, length, share in zip(edges, edges[1:], used_s, lengths, shares, strict=False)
    ]


def apart(edges: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Those edges that are so far apart, the first and the last included: in less a limit does not show."""
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge - kept[-1] >= least:
            kept.append(edge)
    return np.array([*(kept[:-1] if len(kept) > 1 else kept), edges[-1]])


def cpu_limit(repeat: Repeat) -> float | None:
    """Host CPUs that those worker nodes may use together whose use was counted; None where there is no limit."""
    wanted = [repeat.nodes[node].wanted for node in _counted(repeat)]
    return None if not wanted or None in wanted else sum(limit for limit in wanted if limit is not None)


def _counted(repeat: Repeat) -> dict[str, list[NodeReading]]:
    """The readings of the worker nodes in which their use was counted, at least two of each."""
    found = {
        node: [reading for reading in use.readings if reading.used_s is not None]
        for node, use in repeat.nodes.items()
        if node != HEAD
    }
    return {node: readings for node, readings in found.items() if len(readings) > 1}
