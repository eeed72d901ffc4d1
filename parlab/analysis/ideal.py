"""The ideal: the schedule of a case without any losses.

How it works. Tasks are handed out in the order of their submission, in chunks, to the worker that is free first: list
scheduling (Graham, "Bounds on certain multiprocessing anomalies", 1966). A task first computes and then waits.
Computing needs a virtual core: if more of a node's workers compute than it has cores, the kernel shares the cores
evenly, and each computes at `cores / computing` of full speed. Waiting needs none.

This is processor sharing, simulated event by event. A node's clock counts the units that each of its computing
workers has done since the start; it runs at the shared speed. A worker has finished computing when that clock has
advanced by the units of its task. Only the clock changes between events.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from parlab.formatting import decimal, plural
from parlab.model.case import Demand
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.model.workers import Workforce

LEAST_WORK = 0.8  # of the demanded CPU time: burns get theirs to within a percent, paced loops vary
SAME_INSTANT = 1e-9  # units; tolerance for rounding between two workers that finish at the same time


@dataclass(frozen=True)
class Slot:
    """One task's place in the ideal schedule; times in units from the start."""

    task: int
    worker: int
    started: float
    finished: float


def ideal_s(tasks: Sequence[Demand], force: Workforce, unit: float) -> float | None:
    """Ideal seconds for the tasks, with `unit` seconds per unit; None without tasks, or if a task demands no units."""
    if not tasks or any(not task.burned and not task.waited for task in tasks):
        return None
    return max(slot.finished for slot in schedule(tasks, force)) * unit


def other_work(tasks: Sequence[Demand], spans: Sequence[Span], spec: Spec) -> str:
    """How the tasks that ran differ from those of the ideal, in words; '' if they do not differ.

    A serial solution of one large task does not predict four small ones, nor four that do half of the work.
    """
    if len(spans) != len(tasks):
        return f"{plural(len(spans), 'task')} left a span, the serial solution has {len(tasks)}"
    due_s = sum(task.burned for task in tasks) * spec.unit * float(spec.speed)
    spent_s = sum(max(span.cpu_s, span.process_cpu_s) for span in spans)
    if spent_s < LEAST_WORK * due_s:
        return (
            f"the tasks computed for {decimal(spent_s)} CPU seconds, those of the serial solution for {decimal(due_s)}"
        )
    return ""


def ideal_spans(tasks: Sequence[Demand], force: Workforce, spec: Spec, nodes: Sequence[str]) -> list[Span]:
    """The ideal schedule as spans, in the order of the tasks, in seconds from the start; all are submitted at once.

    `nodes` are the names of the spec's nodes, the head's first.

    While a task shares its node's cores, the lacking core time counts as time in which it is ready but does not run.
    """
    found = []
    for slot in schedule(tasks, force):
        task, speed = tasks[slot.task], float(spec.speed)
        started, finished = slot.started * spec.unit, slot.finished * spec.unit
        burned_s, waited_s = task.burned * spec.unit, task.waited * spec.unit
        found.append(
            Span(
                submitted=0.0,
                started=started,
                finished=finished,
                received=finished,
                cpu_s=burned_s * speed,
                process_cpu_s=burned_s * speed,
                waited_s=waited_s,
                run_delay_s=max(0.0, finished - started - burned_s - waited_s),
                node=nodes[force.node_of(slot.worker)],
                rank=slot.worker + 1,
                pid=0,
                thread=slot.worker,
            )
        )
    return found


def serial_s(tasks: Sequence[Demand], unit: float) -> float:
    """Seconds for all tasks one after another on one virtual core."""
    return sum(task.burned + task.waited for task in tasks) * unit


def schedule(tasks: Sequence[Demand], force: Workforce) -> list[Slot]:
    """The place and time of each task, in the order of the tasks.

    Raises ValueError for fewer than one worker, node, core or task per chunk.
    """
    if min(force.workers, force.nodes, force.cores, force.chunk) < 1:
        raise ValueError("workers, nodes, cores and chunk are whole numbers from 1")
    return _Simulation(tasks, force).run()


class _Node:
    """A node's computing workers, sorted by the node's clock at which they finish computing."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.computing: list[tuple[float, int]] = []
        self.clock = 0.0  # units that each computing worker has done
        self.read_at = 0.0
        self.version = 0  # of the forecast in the event queue

    def speed(self) -> float:
        return min(1.0, self.cores / len(self.computing)) if self.computing else 0.0

    def go_on_to(self, now: float) -> None:
        self.clock += self.speed() * (now - self.read_at)
        self.read_at = now

    def next_through(self) -> float:
        return self.read_at + (self.computing[0][0] - self.clock) / self.speed()


class _Simulation:
    """Events in the order of time: a node's first worker finishes computing, or a worker finishes waiting."""

    def __init__(self, tasks: Sequence[Demand], force: Workforce) -> None:
        self.tasks, self.chunk = tasks, force.chunk
        self.nodes = [_Node(force.cores) for _ in range(force.nodes)]
        self.node_of = [self.nodes[force.node_of(worker) - 1] for worker in range(force.workers)]
        self.next_task = 0
        self.chunk_end = [0] * force.workers
        self.current = [0] * force.workers
        self.started = [0.0] * force.workers
        self.slots: dict[int, Slot] = {}
        self.events: list[tuple[float, int, _Node | int, int]] = []
        self.order = count()
        self.free = list(range(force.workers))

    def run(self) -> list[Slot]:
        now = 0.0
        while self.free or self.events:
            if self.free and (not self.events or self.events[0][0] > now + SAME_INSTANT):
                # of several free workers, the first chooses first
                free, self.free = sorted(self.free), []
                for worker in free:
                    self._take_chunk(worker, now)
                continue
            now, _, subject, version = heapq.heappop(self.events)
            if isinstance(subject, int):
                self._finish(subject, now)
            elif version == subject.version:
                self._through(subject, now)
        return [self.slots[task] for task in range(len(self.tasks))]

    def _take_chunk(self, worker: int, now: float) -> None:
        first = self.next_task
        self.next_task = min(first + self.chunk, len(self.tasks))
        self.chunk_end[worker] = self.next_task
        if first < self.next_task:
            self._begin(worker, first, now)

    def _begin(self, worker: int, task: int, now: float) -> None:
        self.current[worker], self.started[worker] = task, now
        if self.tasks[task].burned > 0:
            node = self.node_of[worker]
            node.go_on_to(now)
            heapq.heappush(node.computing, (node.clock + self.tasks[task].burned, worker))
            self._forecast(node)
        else:
            self._wait(worker, now)

    def _wait(self, worker: int, now: float) -> None:
        heapq.heappush(self.events, (now + self.tasks[self.current[worker]].waited, next(self.order), worker, 0))

    def _forecast(self, node: _Node) -> None:
        node.version += 1
        if node.computing:
            heapq.heappush(self.events, (node.next_through(), next(self.order), node, node.version))

    def _through(self, node: _Node, now: float) -> None:
        node.clock, node.read_at = node.computing[0][0], now
        while node.computing and node.computing[0][0] <= node.clock + SAME_INSTANT:
            self._wait(heapq.heappop(node.computing)[1], now)
        self._forecast(node)

    def _finish(self, worker: int, now: float) -> None:
        task = self.current[worker]
        self.slots[task] = Slot(task, worker, self.started[worker], now)
        if task + 1 < self.chunk_end[worker]:
            self._begin(worker, task + 1, now)
        else:
            self.free.append(worker)
