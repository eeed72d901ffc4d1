"""A task farm on any number of nodes, simulated: one master, and workers that get a chunk of tasks at a time.

How it works. The master does what mpi4py's pool does (`client_exec` in mpi4py/futures/_core.py): in turn it hands a
chunk to the worker that has waited longest, and takes one result that has arrived. No worker has a second chunk before
its result is back: there is no prefetch. In the words of LogGP (Alexandrov and others, "LogGP", 1995), `send_s` and
`receive_s` are the gap g of the master, and `out_s` and `back_s` hold the latency L and the worker's overhead o. There
is no G: spans do not tell the size of a message. One chunk of n tasks costs

    send_s + out_s + n x (task_s + extra_s) + back_s + receive_s            seconds of its worker
    send_s + receive_s                                                      CPU seconds of the master

Each task of a chunk has an `extra_s` of its own. That of the first task is drawn together with `out_s`: the first visit
to a worker costs more. The sum of the other n - 1 is drawn at once, with their mean and their variance.

The kernel stops a master that has used `head_cpus` of a period, until the next period. So a master hands out at most
`head_cpus / (send_s + receive_s)` chunks a second. Workers that ask faster wait in a queue.

A long farm is steady: once every worker has had a chunk, a round of the workers takes as long as the next. So of many
rounds only some are simulated, and the others take the same time. If tasks differ, that is the same for each second of
demand, unless the master is busy all the time.
"""

import heapq
import statistics
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from math import ceil, gcd, lcm, sqrt
from random import Random
from typing import NamedTuple

from parlab.model.spec import PERIOD

STEADY = 2000  # chunks, at least, over which the pace of the steady farm is taken
FEWEST_ROUNDS = 2  # of all workers in that time
MOST = 10_000  # chunks in that time, if the cycle of the tasks' demands asks for more
BUSY = 1.02  # of the least time that the master needs; one that needs that much has no time to wait for longer tasks
UNSTEADY_ROUNDS = 3  # at the beginning, while the workers get out of step


class VisitCost(NamedTuple):
    """A task on its worker, in seconds: from its submission to its start, and its length beyond its demand."""

    out_s: float
    extra_s: float


@dataclass(frozen=True)
class FarmCosts:
    """The costs of a farm in seconds; their sources are told in predict/farm_costs.py.

    `first` and `later` are visits as measured: the first of a worker, and its others. The simulation draws from them.
    """

    send_s: float = 0.0
    receive_s: float = 0.0
    first: tuple[VisitCost, ...] = (VisitCost(0.0, 0.0),)
    later: tuple[VisitCost, ...] = (VisitCost(0.0, 0.0),)
    back_s: tuple[float, ...] = (0.0,)  # from a task's end until its result waits at the master
    head_cpus: float = 1.0  # the master's limit in host CPUs; it cannot use more than one

    @property
    def chunks_a_second(self) -> float:
        """The most that one master hands out; infinity if that costs nothing."""
        cost = self.send_s + self.receive_s
        return min(1.0, self.head_cpus) / cost if cost else float("inf")

    def visit_s(self, chunk_s: float, tasks: int = 1) -> float:
        """The mean seconds from a submission to the arrival of its result, for tasks that demand `chunk_s`."""
        out_s = statistics.fmean(visit.out_s for visit in self.later)
        extra_s = statistics.fmean(visit.extra_s for visit in self.later)
        return out_s + chunk_s + tasks * extra_s + statistics.fmean(self.back_s)

    def most_workers(self, chunk_s: float, tasks: int = 1) -> float:
        """The number of workers that keep one master busy all the time, with chunks like that."""
        cycle_s = self.visit_s(chunk_s, tasks) + self.send_s + self.receive_s
        return max(1.0, cycle_s * self.chunks_a_second)


@dataclass(frozen=True)
class Farm:
    """The work of a farm: a number of tasks, which demand the seconds of `tasks_s` over and over, in chunks."""

    tasks_s: tuple[float, ...]
    tasks: int
    chunk: int = 1

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return ceil(self.tasks / self.chunk)

    @property
    def chunk_s(self) -> float:
        """The mean demand of a full chunk in seconds."""
        return self.chunk * sum(self.tasks_s) / len(self.tasks_s)

    @cached_property
    def cycle(self) -> int:
        """The number of tasks after which the demands repeat; 4 for 1, 2, 3, 4, 1, 2, 3, 4."""
        tasks_s = self.tasks_s
        lengths = (number for number in range(1, len(tasks_s)) if not len(tasks_s) % number)
        return next((length for length in lengths if tasks_s[length:] == tasks_s[:-length]), len(tasks_s))

    @cached_property
    def _before(self) -> list[float]:
        """The demand of the first 0, 1, 2, ... tasks in seconds, for one time through `tasks_s`."""
        return list(accumulate(self.tasks_s, initial=0.0))

    def until_s(self, chunk: int) -> float:
        """The demand of so many chunks, from the first on, in seconds."""
        times, rest = divmod(min(self.tasks, chunk * self.chunk), len(self.tasks_s))
        return times * self._before[-1] + self._before[rest]

    def demands(self, left_out: range) -> list[float]:
        """The seconds of each chunk in order, without those of `left_out`."""
        numbers = chain(range(left_out.start), range(left_out.stop, self.chunks))
        if self.chunk == 1:  # exact: no difference of two large sums
            return [self.tasks_s[number % len(self.tasks_s)] for number in numbers]
        return [self.until_s(number + 1) - self.until_s(number) for number in numbers]


def farm_s(farm: Farm, workers: int, costs: FarmCosts, draw: Random) -> float:
    """Seconds from the first submission to the last receipt, with costs drawn from the measured ones.

    Raises ValueError for fewer than one worker or task, or a chunk of none.
    """
    if min(workers, farm.tasks, farm.chunk, len(farm.tasks_s)) < 1:
        raise ValueError("workers, tasks and chunk are whole numbers from 1")
    window, left_out = _left_out(farm, workers)
    sent, end_s = _simulate(farm, left_out, workers, costs, draw)
    if not left_out:
        return end_s
    window_s = sent[left_out.start - 1] - sent[left_out.start - window - 1]
    windows = len(left_out) / window
    if window_s > BUSY * window / costs.chunks_a_second:
        # a chunk is handed out once one from a round before is done
        done = [farm.until_s(n - workers) for n in (left_out.start - window, left_out.start, left_out.stop)]
        windows = (done[2] - done[1]) / (done[1] - done[0]) if done[1] > done[0] else windows
    return end_s + window_s * windows


def _left_out(farm: Farm, workers: int) -> tuple[int, range]:
    """The number of chunks over which the steady pace is taken, and the chunks that are not simulated because of it.

    These are whole windows of as many chunks. A window is whole rounds of the workers, as those may keep in step. If
    MOST allows it, it is whole cycles of the tasks' demands, too; else it has one cycle at least, if MOST allows that.
    """
    least = workers * max(FEWEST_ROUNDS, ceil(STEADY / workers))
    cycle = farm.cycle // gcd(farm.cycle, farm.chunk)
    both = lcm(cycle, workers)
    wanted = (both * ceil(least / both), workers * ceil(max(least, cycle) / workers), least)
    window = next(chunks for chunks in wanted if chunks <= max(MOST, least))
    begin = window + UNSTEADY_ROUNDS * workers
    windows = max(0, farm.chunks - begin - 2 * workers) // window
    if not windows:
        return window, range(farm.chunks, farm.chunks)
    return window, range(begin, begin + windows * window)


def _lasts_s(farm: Farm, left_out: range, workers: int, costs: FarmCosts, draw: Random) -> list[float]:
    """The seconds from the submission of each simulated chunk until its result waits at the master."""
    demands = farm.demands(left_out)
    count = len(demands)
    fresh = min(workers, count)
    visits = draw.choices(costs.first, k=fresh) + draw.choices(costs.later, k=count - fresh)
    back_s = draw.choices(costs.back_s, k=count)
    lasts = [v.out_s + v.extra_s + d + b for v, d, b in zip(visits, demands, back_s, strict=True)]
    if farm.chunk > 1:
        mean_s = statistics.fmean(visit.extra_s for visit in costs.later)
        others = [farm.chunk - 1] * count  # tasks beside the first
        others[-1] = farm.tasks - (farm.chunks - 1) * farm.chunk - 1
        for number, (visit, n) in enumerate(zip(draw.choices(costs.later, k=count), others, strict=True)):
            lasts[number] += n * mean_s + sqrt(n) * (visit.extra_s - mean_s)
    return [max(0.0, seconds) for seconds in lasts]


def _simulate(farm: Farm, left_out: range, workers: int, costs: FarmCosts, draw: Random) -> tuple[list[float], float]:
    """When each chunk was handed out, and the time of the last receipt; in seconds from the first submission."""
    lasts, send_s, receive_s = _lasts_s(farm, left_out, workers, costs, draw), costs.send_s, costs.receive_s
    many = len(lasts)
    quota = min(1.0, costs.head_cpus) * PERIOD
    arrivals: list[float] = []
    sent: list[float] = []
    waiting, now, period_ends, spent = workers, -send_s, PERIOD, -send_s  # the first one's cost comes before time 0

    push, pop, handed_out = heapq.heappush, heapq.heappop, 0
    while handed_out < many or arrivals:
        seconds = 0.0  # of work in this turn of the master's loop
        if waiting and handed_out < many:
            seconds = send_s
            at = now + seconds
            push(arrivals, at + lasts[handed_out])
            sent.append(at)
            handed_out += 1
            waiting -= 1
        elif arrivals[0] > now:
            now = arrivals[0]  # the master has nothing to do
        if arrivals[0] <= now + seconds:
            pop(arrivals)
            seconds += receive_s
            waiting += 1
        if now >= period_ends:
            period_ends, spent = (now // PERIOD + 1) * PERIOD, 0.0
        now, spent = now + seconds, spent + seconds
        while spent > quota:  # stopped until the next period, at whose begin it does the rest
            spent -= quota
            now, period_ends = period_ends + spent, period_ends + PERIOD
    return sent, now


def hierarchy_s(farm: Farm, workers: int, group: int, costs: FarmCosts, draw: Random) -> float:
    """Seconds with a sub-master for each `group` of workers at most, which is fed its share of the tasks at once.

    A sub-master has a core of its own, and the costs of the master. Workers and chunks are divided evenly, the chunks
    in their order. The slowest group is taken to be one of the smallest, with the share that demands most.
    """
    groups = ceil(workers / group)
    share = ceil(farm.chunks / groups)
    begins = range(0, farm.chunks, share)
    begin = max(begins, key=lambda chunk: farm.until_s(chunk + share) - farm.until_s(chunk))
    first = begin * farm.chunk % len(farm.tasks_s)
    tasks = min(farm.tasks - begin * farm.chunk, farm.chunk * share)
    slowest = Farm(farm.tasks_s[first:] + farm.tasks_s[:first], tasks, farm.chunk)
    top_s = groups / costs.chunks_a_second + costs.visit_s(0.0, tasks=0)
    return top_s + farm_s(slowest, workers // groups, costs, draw)
