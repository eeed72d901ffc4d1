"""A run in the Trace Event Format, for Perfetto (ui.perfetto.dev) and chrome://tracing.

Each node is a process, each of its workers a thread, named by metadata events. A task is a complete event (`X`)
that contains its phases; its marks are instants (`i`) of the thread. Parts of a task that overlap others of its worker,
namely its time in the queue and its result's way back, are pairs of async events (`b`, `e`). A node's CPU use is a
counter (`C`). The run is one more process, and each launch of a case is a complete event in it. Times are whole
microseconds from the earliest known time of the run.
Documented in "Trace Event Format", https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import json
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

from parlab.model.span import Span
from parlab.model.workers import Worker, by_worker, first_submission, in_order, thread_numbers
from parlab.results.record import MeasuredCase, NodeRecord, Repeat, Run

Event = dict[str, Any]
RUN = 1  # the process of the run itself; the nodes' processes follow


def to_trace(run: Run) -> str:
    """The trace as JSON; a run without tasks has its nodes and their CPU use, if they were read."""
    tracer = _Tracer(run)
    document = {
        "traceEvents": list(tracer.events()),
        "displayTimeUnit": "ms",
        "otherData": {"run": run.id, "lab": run.lab, "backend": run.backend, "spec": str(run.spec)},
    }
    return json.dumps(document, allow_nan=False)


class _Tracer:
    """Numbers nodes and workers in order of appearance, and counts time from the run's earliest known time."""

    def __init__(self, run: Run) -> None:
        self.run = run
        repeats = [repeat for case in run.cases for repeat in case.repeats]
        spans = [span for repeat in repeats for span in repeat.spans]
        submitted = [span.submitted for span in spans]
        self.threads = thread_numbers(spans)
        read = [repeat.by_the_head(node, use.readings[0].at) for repeat in repeats for node, use in _read(repeat)]
        self.origin = min(submitted + read, default=0.0)
        names = {node for repeat in repeats for node in _nodes(repeat)}
        ordered = in_order(names)
        self.pids = {node: RUN + 1 + number for number, node in enumerate(ordered)}
        self.tids: dict[Worker, int] = {}
        self.ids = count(1)  # for pairs of async events

    def events(self) -> Iterator[Event]:
        yield self._named("process_name", RUN, 0, f"lab.{self.run.lab}")
        yield self._named("thread_name", RUN, 1, "launches")
        for node, pid in self.pids.items():
            yield self._named("process_name", pid, 0, node)
        for case in self.run.cases:
            for number, repeat in enumerate(case.repeats, 1):
                name = case.name if len(case.repeats) == 1 else f"{case.name}, {number} of {len(case.repeats)}"
                yield from self._launch(case, repeat, name)

    def _launch(self, case: MeasuredCase, repeat: Repeat, name: str) -> Iterator[Event]:
        if repeat.spans:
            began = first_submission(repeat.spans)
            ended = max(span.received for span in repeat.spans)
            facts = {"ideal_s": case.ideal_s, "workers": case.workers, "outcome": repeat.outcome}
            yield self._complete(name, RUN, 1, began, ended, facts)
        numbers = {id(span): number for number, span in enumerate(repeat.spans, 1)}
        for worker, own in by_worker(repeat.spans).items():
            if worker not in self.tids:
                self.tids[worker] = len(self.tids) + 1
                node, pid, _ = worker
                name = _name(own[0], pid, self.threads[worker])
                yield self._named("thread_name", self.pids[node], self.tids[worker], name)
            for span in own:
                yield from self._task(span, self.tids[worker], f"task {numbers[id(span)]}")
        for node, use in _read(repeat):
            for before, after in pairwise(use.readings):
                if before.used_s is not None and after.used_s is not None and after.at > before.at:
                    used = (after.used_s - before.used_s) / (after.at - before.at)
                    at = repeat.by_the_head(node, before.at)
                    yield self._event("C", "CPU", self.pids[node], 0, at, args={"used": round(used, 4)})
            end = repeat.by_the_head(node, use.readings[-1].at)
            yield self._event("C", "CPU", self.pids[node], 0, end, args={"used": 0})  # a value holds until the next one

    def _task(self, span: Span, tid: int, name: str) -> Iterator[Event]:
        pid = self.pids[span.node]
        facts = {
            "outcome": span.outcome,
            "cpu_s": span.cpu_s,
            "waited_s": span.waited_s,
            "run_delay_s": span.run_delay_s,
            "rank": span.rank,
            "pid": span.pid,
        }
        yield self._complete(name, pid, tid, span.started, span.finished, facts)
        for phase in span.phases:
            if phase.instant:
                yield self._event("i", phase.name, pid, tid, phase.started, s="t")
                continue
            within = (max(phase.started, span.started), min(phase.finished, span.finished))
            yield self._complete(phase.name, pid, tid, *within, {})
        aside = ("queued", span.submitted, span.started), ("way back", span.finished, span.received)
        for what, began, ended in aside:
            if self._us(began) < self._us(ended):
                pair = {"cat": what, "id": next(self.ids)}
                yield self._event("b", what, pid, tid, began, **pair, args={"task": name})
                yield self._event("e", what, pid, tid, ended, **pair)

    def _complete(self, name: str, pid: int, tid: int, began: float, ended: float, facts: dict[str, Any]) -> Event:
        event = self._event("X", name, pid, tid, began, args=facts)
        return event | {"cat": "task", "dur": max(0, self._us(ended) - event["ts"])}

    def _event(self, kind: str, name: str, pid: int, tid: int, at: float, **more: Any) -> Event:
        return {"ph": kind, "name": name, "pid": pid, "tid": tid, "ts": self._us(at), **more}

    def _named(self, what: str, pid: int, tid: int, name: str) -> Event:
        return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}

    def _us(self, at: float) -> int:
        """Whole microseconds; rounding keeps an event inside the event that contains it."""
        return round(1e6 * (at - self.origin))


def _read(repeat: Repeat) -> list[tuple[str, NodeRecord]]:
    """The nodes that were read while the launch ran."""
    return [(node, use) for node, use in repeat.nodes.items() if use.readings]


def _nodes(repeat: Repeat) -> set[str]:
    return {span.node for span in repeat.spans} | repeat.nodes.keys()


def _name(span: Span, pid: int, thread: int) -> str:
    """`rank 3, process 17`; for a process's further threads also their number."""
    rank = f"rank {span.rank}, " if span.rank >= 0 else ""
    return f"{rank}process {pid}{f', thread {thread}' if thread > 1 else ''}"
