"""What a report says in numbers, against spans and readings whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.model.clocks import Clock
from parlab.model.span import Span
from parlab.report.measures import CpuUse, apart, busy_steps, cpu_limit, cpu_use, measure, throttled_share
from parlab.results.record import NodeRecord
from tests.unit.samples import repeat, span, usage

# Worker 1 has a task of 4 s; worker 2 has two of 1 s each, and a second between them; worker 3 has none.
PLANTED = (
    span(start=10.0, seconds=4.0, pid=1),
    span(start=10.0, seconds=1.0, pid=2),
    replace(span(start=12.0, seconds=1.0, pid=2), received=15.0),
)


def test_a_planted_sequence_gives_back_what_was_planted() -> None:
    measures = measure(PLANTED, workers=3)
    assert measures.wall_s == 5.0
    assert measures.work_s == 6.0
    assert measures.idle_s == 9.0
    assert measures.overlap_s == 2.0
    assert measures.most_busy == 2
    assert measures.balance == 0.5
    assert measures.busy == 1.2
    assert measures.straggler == ("node-1", 1, 1)
    assert measures.straggled_s == 1.0


def test_one_worker_is_balanced_and_has_nobody_to_straggle_behind() -> None:
    measures = measure([span(seconds=2.0)], workers=1)
    assert (measures.balance, measures.busy, measures.overlap_s, measures.straggled_s) == (1.0, 1.0, 0.0, 0.0)


def test_nothing_has_measures_too() -> None:
    measures = measure([], workers=4)
    assert (measures.wall_s, measures.busy, measures.straggler) == (0.0, 0.0, None)


def tasks_in_whole_seconds() -> st.SearchStrategy[list[Span]]:
    stretch = st.tuples(st.integers(0, 20), st.integers(0, 6), st.integers(1, 4))
    made = stretch.map(lambda s: span(start=float(s[0]), seconds=float(s[1]), pid=s[2]))
    return st.lists(made, min_size=1, max_size=12)


@given(tasks_in_whole_seconds())
def test_overlap_idle_and_work_are_those_of_counting_second_by_second(tasks: list[Span]) -> None:
    first, last = int(min(t.submitted for t in tasks)), int(max(t.received for t in tasks))
    busy = [sum(task.started <= at < task.finished for task in tasks) for at in range(first, last)]
    measures = measure(tasks, workers=4)
    assert measures.wall_s == last - first
    assert measures.work_s == sum(busy)
    assert measures.overlap_s == sum(count > 1 for count in busy)
    assert measures.idle_s == max(0, 4 * (last - first) - sum(busy))
    assert measures.most_busy == max(busy, default=0)


@given(tasks_in_whole_seconds())
def test_busy_steps_are_in_order_and_end_with_nobody_busy(tasks: list[Span]) -> None:
    steps = busy_steps(tasks)
    assert [at for at, _ in steps] == sorted({at for at, _ in steps})
    assert steps[-1][1] == 0


def read(*readings: tuple[float, float, int, int], wanted: float | None = 0.25) -> NodeRecord:
    """A node by its readings: when, CPU seconds used, quota periods, those of them in which it was held back."""
    return NodeRecord(
        wanted,
        readings=tuple(
            replace(usage(at, used_s=used_s, periods=periods), throttled=throttled)
            for at, used_s, periods, throttled in readings
        ),
    )


def test_what_two_nodes_use_is_added_up_though_they_are_read_at_different_times() -> None:
    first = read((10.0, 5.0, 0, 0), (12.0, 5.5, 20, 10), (14.0, 5.5, 20, 10))  # 0.25 CPU, then none
    second = read((11.0, 1.0, 0, 0), (13.0, 1.5, 20, 0))  # 0.25 CPU
    launch = repeat(
        [span(start=10.0, seconds=4.0)],
        nodes={"head": read((0.0, 0.0, 0, 0), (9.0, 9.0, 0, 0))}
        | {
            "node-1": first,
            "node-2": second,
        },
    )
    assert cpu_use(launch) == [
        CpuUse(1.0, 2.0, used=0.5, throttled=0.25),
        CpuUse(2.0, 3.0, used=0.25, throttled=0.0),
    ]  # before and after, one of them was not read: that is not no use
    assert throttled_share(launch) == pytest.approx(10 / 40)
    assert cpu_limit(launch) == 0.5


def test_readings_are_brought_to_the_clock_of_the_spans() -> None:
    far = read((110.0, 0.0, 0, 0), (112.0, 0.5, 20, 0))
    launch = repeat([span(start=10.0, seconds=2.0)], nodes={"node-1": far}, clocks={"node-1": Clock(100.0, 0.001)})
    assert cpu_use(launch) == [CpuUse(0.0, 2.0, used=0.25, throttled=0.0)]


def test_a_node_that_was_not_counted_has_no_part_in_the_limit() -> None:
    nodes = {"node-1": read((10.0, 0.0, 0, 0), (12.0, 0.5, 20, 0)), "node-2": read((10.0, 0.0, 0, 0))}
    launch = repeat([span(start=10.0, seconds=2.0)], nodes=nodes)
    assert [one.used for one in cpu_use(launch)] == [0.25]
    assert cpu_limit(launch) == 0.25


@pytest.mark.parametrize("use", [NodeRecord(None), read(wanted=None), read((10.0, 5.0, 0, 0), wanted=None)])
def test_what_was_not_read_twice_is_not_made_up(use: NodeRecord) -> None:
    launch = repeat([span()], nodes={"node-1": use})
    assert cpu_use(launch) == []
    assert cpu_limit(launch) is None


def test_readings_that_lie_close_together_make_no_stretch_of_their_own() -> None:
    found = apart(np.array([0.0, 0.003, 0.4, 0.402, 0.8, 0.85]), 0.1)
    assert found.tolist() == [0.0, 0.4, 0.85]
    assert apart(np.array([0.0, 0.05]), 0.1).tolist() == [0.0, 0.05]
