"""A task farm on any number of nodes, simulated: one master, and workers that get a chunk of tasks at a time.

How it works. The master does what mpi4py's pool does (`client_exec` in mpi4py/futures/_core.py): in turn it hands a
chunk to the worker that has waited longest, and takes one result that has arrived. No worker has a second chunk before
its result is back: there is no prefetch. In the words of LogGP (Alexandrov and others, "LogGP", 1995), `send_s` and
`receive_s` are the gap g of the master, and `out_s` and `back_s` hold the latency L and the worker's overhead o. There
is no G: spans do not tell the size of a message. One chunk of n tasks costs

    send_s + out_s + n x (task_s + extra_s) + back_s + receive_s            seconds of its worker
    send_s + receive_s                                                      CPU seconds of the master

The kernel stops a master that has used `head_cpus` of a period, until the next period. So a master hands out at most
`head_cpus / (send_s + receive_s)` chunks a second. Workers that ask faster wait in a queue.

A long farm is steady: once every worker has had a chunk, a round of the workers takes as long as the next. So of many
rounds only some are simulated, and the others take the same time.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, gcd
from random import Random
from typing import NamedTuple

from parlab.model.spec import PERIOD

STEADY = 2000  # chunks, at least, over which the pace of the steady farm is taken
FEWEST_ROUNDS = 2  # of all workers in that time
UNSTEADY_ROUNDS = 3  # at the beginning, while the workers get out of step


class Visit(NamedTuple):
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
    first: tuple[Visit, ...] = (Visit(0.0, 0.0),)
    later: tuple[Visit, ...] = (Visit(0.0, 0.0),)
    back_s: tuple[float, ...] = (0.0,)  # from a task's end until its result waits at the master
    head_cpus: float = 1.0  # the master's limit in host CPUs; it cannot use more than one

    @property
    def chunks_a_second(self) -> float:
        """The most that one master hands out; infinity if that costs nothing."""
        cost = self.send_s + self.receive_s
        return min(1.0, self.head_cpus) / cost if cost else float("inf")

    def visit_s(self, task_s: float) -> float:
        """The mean seconds between a submission and the arrival of its result, for a chunk that demands `task_s`."""
        out_s = sum(visit.out_s + visit.extra_s for visit in self.later) / len(self.later)
        return out_s + task_s + sum(self.back_s) / len(self.back_s)

    def most_workers(self, task_s: float) -> float:
        """The number of workers that keep one master busy all the time, with chunks that demand `task_s`."""
        cycle_s = self.visit_s(task_s) + self.send_s + self.receive_s
        return max(1.0, cycle_s * self.chunks_a_second)


@dataclass(frozen=True)
class Farm:
    """The work of a farm: `many` tasks, which demand the seconds of `tasks_s` over and over, in chunks."""

    tasks_s: tuple[float, ...]
    many: int
    chunk: int = 1

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return ceil(self.many / self.chunk)

    @property
    def chunk_s(self) -> float:
        """The mean demand of a full chunk in seconds."""
        return self.chunk * sum(self.tasks_s) / len(self.tasks_s)

    def demands(self, left_out: range) -> list[float]:
        """The seconds of each chunk in order, without those of `left_out`."""
        count, chunk, tasks_s = len(self.tasks_s), self.chunk, self.tasks_s
        before = [0.0]
        for seconds in tasks_s:
            before.append(before[-1] + seconds)

        def until(task: int) -> float:
            return (task // count) * before[-1] + before[task % count]

        numbers = (*range(left_out.start), *range(left_out.stop, self.chunks))
        if chunk == 1:  # exact: no difference of two large sums
            return [tasks_s[number % count] for number in numbers]
        return [until(min(self.many, (number + 1) * chunk)) - until(number * chunk) for number in numbers]


def farm_s(farm: Farm, workers: int, costs: FarmCosts, draw: Random) -> float:
    """Seconds from the first submission to the last receipt, with costs drawn from the measured ones.

    Raises ValueError for fewer than one worker or task, or a chunk of none.
    """
    if min(workers, farm.many, farm.chunk, len(farm.tasks_s)) < 1:
        raise ValueError("workers, tasks and chunk are whole numbers from 1")
    rounds, left_out = _left_out(farm, workers)
    demands = farm.demands(left_out)
    sent, end_s = _simulate(demands, workers, costs, draw, farm.chunk)
    if not left_out:
        return end_s
    window_s = sent[left_out.start - 1] - sent[left_out.start - 1 - rounds * workers]
    return end_s + window_s * (len(left_out) // (rounds * workers))


def _left_out(farm: Farm, workers: int) -> tuple[int, range]:
    """The rounds over which the steady pace is taken, and the chunks that are not simulated because of it.

    These are whole windows of as many rounds. So the tasks of a window demand the same as those of the next.
    """
    # whole cycles of the tasks' demands, unless the cycle is so long that it would save nothing
    cycle = len(farm.tasks_s) if len(set(farm.tasks_s)) > 1 else 1
    step = cycle // gcd(cycle, workers * farm.chunk)
    rounds = step * ceil(max(FEWEST_ROUNDS, STEADY / workers) / step)
    begin = (rounds + UNSTEADY_ROUNDS) * workers
    windows = (farm.chunks - begin - 2 * workers) // (rounds * workers)
    if windows < 1:
        return rounds, range(farm.chunks, farm.chunks)
    return rounds, range(begin, begin + windows * rounds * workers)


def _simulate(
    demands: Sequence[float], workers: int, costs: FarmCosts, draw: Random, chunk: int
) -> tuple[list[float], float]:
    """When each chunk was handed out, and the time of the last receipt; in seconds from the first submission."""
    many, send_s, receive_s = len(demands), costs.send_s, costs.receive_s
    fresh = min(workers, many)
    visits = draw.choices(costs.first, k=fresh) + draw.choices(costs.later, k=many - fresh)
    back_s = draw.choices(costs.back_s, k=many)
    lasts = [max(0.0, v[0] + chunk * v[1] + d + b) for v, d, b in zip(visits, demands, back_s, strict=True)]
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
    """Seconds with a sub-master for each `group` of workers, which is fed an even share of the tasks at once.

    A sub-master has a core of its own, and the costs of the master. The slowest group is the one with a whole share.
    """
    groups = ceil(workers / group)
    share = Farm(farm.tasks_s, min(farm.many, farm.chunk * ceil(farm.chunks / groups)), farm.chunk)
    top_s = groups / costs.chunks_a_second + costs.visit_s(0.0)
    return top_s + farm_s(share, group, costs, draw)
