"""Workers: planned for a case's tasks, and seen in their spans.

A worker is a thread of a process on a node.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from parlab.model.case import PYTHON, Case
from parlab.model.span import Span
from parlab.model.spec import Spec

Worker = tuple[str, int, int]  # node, pid, thread


def map_chunk(tasks: int, workers: int) -> int:
    """The default chunk size of `Pool.map` and of pathos' `amap`: four chunks per worker, rounded up.

    From CPython's Lib/multiprocessing/pool.py, `Pool._map_async`; multiprocess and pathos have the same.
    """
    return -(-tasks // (4 * workers))


@dataclass(frozen=True)
class Workforce:
    """The workers of a case's tasks: `workers`, distributed evenly over `nodes` nodes with `cores` virtual cores each.

    A free worker takes the next `chunk` of tasks.
    """

    workers: int
    nodes: int
    cores: int
    chunk: int = 1

    def node_of(self, worker: int) -> int:
        """The number of a worker's node."""
        return 1 + worker * self.nodes // self.workers

    def without_task(self, spans: Sequence[Span], nodes: Sequence[str]) -> dict[str, int]:
        """The number of workers without a span, by node; only nodes that have such workers.

        `nodes` are the names of the cluster's nodes, the head's first. Without any spans, nothing is returned.
        """
        if not spans:
            return {}
        asked = Counter(nodes[self.node_of(worker)] for worker in range(self.workers))
        return dict(asked - Counter(node for node, *_ in by_worker(spans)))


def workforce(case: Case, spec: Spec, tasks: int, *, gil: bool = True) -> Workforce:
    """The workers for this many tasks of a case. With a GIL, threads of one process share a virtual core."""
    workers = case.workers(spec.virtual_cores)
    nodes = 1 if case.launch == PYTHON else min(spec.nodes, workers)
    cores = 1 if case.threads and gil else spec.cores
    chunk = case.whole("chunk") if "chunk" in case.settings else 1
    return Workforce(workers, nodes, cores, max(1, map_chunk(tasks, workers)) if chunk is None else chunk)


def worker_of(span: Span) -> Worker:
    """The worker that did a task."""
    return span.node, span.pid, span.thread


def by_worker(spans: Iterable[Span]) -> dict[Worker, list[Span]]:
    """The spans of each worker, a thread of a process on a node, in the order of their starts."""
    found: dict[Worker, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.started):
        found.setdefault(worker_of(span), []).append(span)
    return found


def by_node(spans: Iterable[Span]) -> dict[str, list[list[Span]]]:
    """The spans of each worker, by the name of its node."""
    found: dict[str, list[list[Span]]] = {}
    for (node, *_), own in by_worker(spans).items():
        found.setdefault(node, []).append(own)
    return found


def first_submission(spans: Iterable[Span]) -> float:
    """The time of the first submission, which is 0 on the axis of a launch's charts; 0 if there are no spans."""
    return min((span.submitted for span in spans), default=0.0)


def most_at_once(spans: Iterable[Span]) -> int:
    """The most workers at the same time; each counts from the start of its first task to the end of its last."""
    lives = [(own[0].started, max(span.finished for span in own)) for own in by_worker(spans).values()]
    changes = sorted([(began, 1) for began, _ in lives] + [(ended, -1) for _, ended in lives])
    return max(accumulate(change for _, change in changes), default=0)


def thread_numbers(spans: Iterable[Span]) -> dict[Worker, int]:
    """The number of each worker among the threads of its process, from 1."""
    seen: Counter[tuple[str, int]] = Counter()
    numbers = {}
    for node, pid, thread in by_worker(spans):
        seen[node, pid] += 1
        numbers[node, pid, thread] = seen[node, pid]
    return numbers


def in_order(nodes: Iterable[str]) -> list[str]:
    """Nodes in the order of their numbers: node-2 before node-10."""
    return sorted(nodes, key=lambda node: (len(node), node))


def last_to_finish(spans: Sequence[Span]) -> list[Span]:
    """The spans of the worker whose last task finished last: it determines the total time."""
    return max(by_worker(spans).values(), key=lambda own: max(span.finished for span in own))
