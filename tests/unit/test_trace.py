"""The trace, by the published rules of the Trace Event Format."""

import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest

from parlab.model.clocks import Clock
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Phase
from parlab.results.record import Run
from parlab.results.trace import to_trace
from tests.unit.samples import case, case_on, embedded_run, failed_run, noisy_repeat, raised, repeat, run, span

PHASED = span(start=10.0, seconds=2.0, phases=(Phase(LOCK_WAIT, 10.5, 11.0), Phase(LOCK_HELD, 11.0, 12.0)))
RUNS = {
    "one size": run(case()),
    "sizes and repeats": run(case_on(1), case_on(4, repeats=3)),
    "phases": run(case(repeat([PHASED]))),
    "marks": run(case(repeat([span(start=10.0, seconds=2.0, phases=(Phase("reads 100", 10.5, 10.5),))]))),
    "a task failed": run(case(repeat([replace(span(), outcome="OSError")], outcome="OSError"))),
    "threads": run(case(repeat([replace(span(start=at), thread=thread) for at, thread in ((10.0, 9), (10.5, 2))]))),
    "other clocks": run(case(repeat(clocks={"node-1": Clock(90.0, 0.001)}))),
    "not a measurement": run(case(noisy_repeat())),
    "raised": run(case(raised())),
    "broken off": failed_run(case()),
    "empty": failed_run(),
    "embedded": embedded_run(),
}
each_run = pytest.mark.parametrize("made", RUNS.values(), ids=RUNS)


def events(made: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(to_trace(made))["traceEvents"]
    return found


@each_run
def test_every_event_has_what_its_kind_asks_for(made: Run) -> None:
    for event in events(made):
        assert {"ph", "name", "pid", "tid"} <= event.keys()
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
            continue
        assert isinstance(event["ts"], int)
        assert event["ts"] >= 0
        match event["ph"]:
            case "X":
                assert event["dur"] >= 0
            case "i":
                assert event["s"] == "t"
            case "b" | "e":
                assert {"cat", "id"} <= event.keys()
            case "C":
                assert all(isinstance(value, int | float) for value in event["args"].values())
            case kind:
                pytest.fail(f"an event of kind {kind}")


@each_run
def test_each_process_and_thread_is_named_once_before_it_does_anything(made: Run) -> None:
    named: set[tuple[str, int, int]] = set()
    for event in events(made):
        key = event["name"], event["pid"], event["tid"]
        if event["ph"] == "M":
            assert key not in named
            named.add(key)
        else:
            assert ("process_name", event["pid"], 0) in named
        if event["ph"] == "X":
            assert ("thread_name", event["pid"], event["tid"]) in named


@each_run
def test_events_of_a_thread_lie_within_each_other_or_apart(made: Run) -> None:
    threads = defaultdict(list)
    for event in events(made):
        if event["ph"] == "X":
            threads[event["pid"], event["tid"]].append((event["ts"], -event["dur"]))
    for stretches in threads.values():
        open_until: list[int] = []
        for began, length in sorted(stretches):
            while open_until and open_until[-1] <= began:
                open_until.pop()
            assert not open_until or began - length <= open_until[-1]
            open_until.append(began - length)


@each_run
def test_async_events_come_in_pairs_that_end_after_they_began(made: Run) -> None:
    pairs = defaultdict(list)
    for event in events(made):
        if event["ph"] in ("b", "e"):
            pairs[event["cat"], event["id"]].append(event)
    for begin, end in pairs.values():
        assert (begin["ph"], end["ph"]) == ("b", "e")
        assert begin["name"] == end["name"]
        assert begin["ts"] <= end["ts"]


def test_a_mark_is_an_instant_of_its_worker() -> None:
    marked = span(start=10.0, seconds=2.0, phases=(Phase("reads 100", 10.5, 10.5),))
    found = events(run(case(repeat([marked]))))
    (instant,) = (event for event in found if event["ph"] == "i")
    (task,) = (event for event in found if event["ph"] == "X" and event["name"] == "task 1")
    assert (instant["name"], instant["s"], instant["tid"]) == ("reads 100", "t", task["tid"])
    assert instant["ts"] == task["ts"] + 500_000


def test_a_task_is_where_it_was_with_its_phases_within() -> None:
    found = {event["name"]: event for event in events(RUNS["phases"]) if event["ph"] == "X"}
    task, waits, held = found["task 1"], found[LOCK_WAIT], found[LOCK_HELD]
    assert [event["dur"] for event in (task, waits, held)] == [2_000_000, 500_000, 1_000_000]
    assert [event["ts"] - task["ts"] for event in (waits, held)] == [500_000, 1_000_000]
    assert task["args"]["outcome"] == "ok"


def test_nodes_are_processes_workers_are_threads_and_launches_are_told() -> None:
    made = RUNS["sizes and repeats"]
    names = [event["args"]["name"] for event in events(made) if event["name"] == "process_name"]
    assert names == ["lab.sample", "head", *(f"node-{number}" for number in range(1, 5))]
    launches = [event["name"] for event in events(made) if event["ph"] == "X" and event["pid"] == 1]
    assert launches == ["pool(nodes=1)", *(f"pool(nodes=4), {number} of 3" for number in (1, 2, 3))]
    tasks = [event for event in events(made) if event["ph"] == "X" and event["name"].startswith("task ")]
    assert len(tasks) == sum(len(one.spans) for each in made.cases for one in each.repeats)


def test_what_a_node_uses_is_a_counter() -> None:
    used = [event["args"]["used"] for event in events(RUNS["one size"]) if event["ph"] == "C"]
    assert used
    assert max(used) == pytest.approx(0.25, rel=0.01)
