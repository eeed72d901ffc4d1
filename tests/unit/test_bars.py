"""The bars of a Gantt: one a span, one a phase, and what a task's way takes; each in its worker's row."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.model.span import LOCK_HELD, LOCK_WAIT, Phase, Span
from parlab.model.workers import Worker
from parlab.report.bars import (
    ASLEEP,
    CONTENDED,
    FAILED,
    MARK,
    PHASE,
    QUEUED,
    TASK,
    TRANSFER,
    UNEXPLAINED,
    Bar,
    bars,
    chunks,
    merged,
    rows,
)
from parlab.report.gantt import row_pixels
from tests.unit.samples import span, spans

PHASES = (
    Phase(LOCK_WAIT, 10.5, 11.0),
    Phase(LOCK_HELD, 11.0, 12.0),
    Phase("reads 100", 11.5, 11.5),
    Phase("packing", 12.0, 12.5),
)


def of_kind(drawn: list[Bar], kind: str) -> list[tuple[float, float]]:
    return [(bar.began, bar.ended) for bar in drawn if bar.kind == kind]


def any_spans() -> st.SearchStrategy[list[Span]]:
    phases = st.lists(st.sampled_from(PHASES), max_size=4).map(tuple)
    made = st.builds(
        lambda start, seconds, way_s, pid, phases, outcome: replace(
            span(start=start, seconds=seconds, way_s=way_s, pid=pid, phases=phases), outcome=outcome
        ),
        *(
            st.floats(0, 50),
            st.floats(0, 5),
            st.floats(0, 1),
            st.integers(1, 4),
            phases,
            st.sampled_from(["ok", "OSError"]),
        ),
    )
    return st.lists(made, max_size=15)


@given(any_spans())
def test_there_is_exactly_one_bar_a_span_and_one_a_phase(tasks: list[Span]) -> None:
    found = Counter((bar.task, bar.kind in (TASK, FAILED)) for bar in bars(tasks) if bar.kind not in (QUEUED, TRANSFER))
    for number, task in enumerate(tasks):
        assert found[number, True] == 1
        assert found[number, False] == len(task.phases)
    assert sum(found.values()) == len(tasks) + sum(len(task.phases) for task in tasks)


@given(any_spans())
def test_no_bar_ends_before_it_begins_nor_lies_outside_of_the_launch(tasks: list[Span]) -> None:
    if not tasks:
        return
    first, last = min(t.submitted for t in tasks), max(t.received for t in tasks)
    for bar in bars(tasks):
        assert bar.began <= bar.ended
        if bar.kind in (TASK, FAILED, QUEUED, TRANSFER):
            assert -1e-9 <= bar.began <= bar.ended <= last - first + 1e-9


def test_a_task_is_queued_until_its_worker_is_free_and_on_its_way_until_it_starts() -> None:
    first = Span(**{**vars(span(start=1.0, seconds=2.0)), "submitted": 0.0, "received": 3.25})
    second = Span(**{**vars(span(start=3.5, seconds=1.0)), "submitted": 0.0, "received": 4.75})
    drawn = list(bars([first, second]))
    assert of_kind(drawn, TASK) == [(1.0, 3.0), (3.5, 4.5)]
    assert of_kind(drawn, QUEUED) == [(0.0, 3.0)]
    assert of_kind(drawn, TRANSFER) == [(0.0, 1.0), (3.0, 3.25), (3.0, 3.5), (4.5, 4.75)]


def test_phases_have_kinds_of_their_own_and_an_instant_is_a_mark() -> None:
    drawn = list(bars([replace(span(start=10.0, seconds=3.0, phases=PHASES), outcome="OSError")]))
    assert of_kind(drawn, FAILED) == [(0.0, 3.0)]
    assert of_kind(drawn, LOCK_WAIT) == [(0.5, 1.0)]
    assert of_kind(drawn, LOCK_HELD) == [(1.0, 2.0)]
    assert of_kind(drawn, MARK) == [(1.5, 1.5)]
    assert of_kind(drawn, PHASE) == [(2.0, 2.5)]
    assert {bar.name for bar in drawn if bar.kind in (MARK, PHASE)} == {"reads 100", "packing"}


def test_rows_are_grouped_by_node_in_the_order_of_their_numbers_each_with_its_limit() -> None:
    made = rows([*spans(2), span("node-10", pid=99)], {"node-1": 0.25, "node-2": 0.25})
    assert made.labels == ("", "rank 2", "rank 3", "", "rank 4", "rank 5", "", "rank 99")
    assert list(made.headings.items()) == [
        (0, "node-1: at most 0.25 host CPUs"),
        (3, "node-2: at most 0.25 host CPUs"),
        (6, "node-10"),
    ]
    assert made.of_worker["node-1", 3, 1] == 2


def test_workers_are_told_apart_by_rank_else_by_process_else_by_thread() -> None:
    same_rank = [replace(span(pid=pid), rank=-1) for pid in (7, 8)]
    same_process = [replace(span(start=at, pid=7), rank=-1, thread=thread) for at, thread in ((1.0, 72), (2.0, 71))]
    assert rows(same_rank, {}).labels == ("", "worker 1", "worker 2")
    threads = rows(same_process, {})
    assert threads.labels == ("", "thread 1", "thread 2")
    assert threads.of_worker["node-1", 7, 72] == 1  # it began first, though its number is the larger
    mixed = rows([*same_process, replace(span(pid=8), rank=-1)], {})
    assert mixed.labels[1:] == ("worker 1, thread 1", "worker 1, thread 2", "worker 2, thread 1")


@given(st.integers(0, 2000))
def test_however_many_rows_there_are_each_can_be_seen(count: int) -> None:
    assert 5 <= row_pixels(count) <= 20
    assert row_pixels(count) >= row_pixels(count + 1)


def test_what_was_submitted_at_one_instant_is_one_chunk() -> None:
    at = [0.0, 0.0, 1.0, 0.0, 2.0]
    assert chunks([replace(span(), submitted=when) for when in at]) == [1, 1, 2, 1, 3]


def test_a_worker_without_a_task_has_a_row_and_a_node_without_one_a_heading() -> None:
    found = rows([span(pid=1), span(pid=2)], {"node-2": 0.25}, {"node-1": 1, "node-2": 2})
    assert found.labels == ("", "rank 1", "rank 2", "no task", "", "no task", "no task")
    assert found.headings == {0: "node-1", 4: "node-2: at most 0.25 host CPUs"}


def test_the_parts_of_a_task_are_those_of_its_account_so_that_the_rest_is_computing() -> None:
    made = span(seconds=4.0, cpu_s=0.125, waited_s=1.0, run_delay_s=0.5)  # a second computes, 1.5 s nothing explains
    parts = {bar.kind: (bar.share, bar.above) for bar in bars([made], 0.125)}
    assert parts == {TASK: (1.0, 0.0), ASLEEP: (0.25, 0.75), CONTENDED: (0.125, 0.0), UNEXPLAINED: (0.375, 0.125)}


def test_a_wait_for_a_lock_is_no_computing() -> None:
    made = span(seconds=4.0, cpu_s=0.0, phases=(Phase(LOCK_WAIT, 10.0, 14.0),))
    assert next(bar.share for bar in bars([made], 0.125) if bar.kind == ASLEEP) == 1.0


def test_short_bars_of_a_row_become_one_and_long_ones_stay() -> None:
    one, other = ("node-1", 1, 1), ("node-1", 2, 1)

    def bar(began: float, ended: float, worker: Worker = one, share: float = 1.0, above: float = 0.0) -> Bar:
        return Bar(ASLEEP, worker, began, ended, 0, share=share, above=above)

    short = [bar(0.0, 0.1, share=0.2, above=0.8), bar(0.1, 0.4, share=0.6, above=0.4), bar(0.5, 0.6, other)]
    (first, apart) = merged(short, 0.2)
    assert (first.began, first.ended) == (0.0, 0.4)
    assert [first.share, first.above] == pytest.approx([0.5, 0.5])
    assert apart == short[2], "another worker's"
    long = [bar(0.0, 1.0), bar(1.0, 2.0), bar(2.5, 2.6)]
    assert merged(long, 0.2) == long
    assert merged([bar(1.0, 1.0), bar(1.0, 1.0)], 0.2) == [bar(1.0, 1.0)], "no time at all"
