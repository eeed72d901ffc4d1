"""The timeline in the terminal, from planted sequences of spans."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.model.span import LOCK_WAIT, Phase, Span
from parlab.model.workers import Workforce
from parlab.results.record import MeasuredCase
from parlab.terminal.tables import show_run
from parlab.terminal.timeline import BLOCKS, LABEL, PLAIN, Scale, bar, levels, timeline
from tests.unit.samples import case, case_on, embedded_run, failed_run, raised, repeat, run, shown, span, took

TEN = Scale(cells=10, total_s=10.0)


def rows(*cases: MeasuredCase, width: int = 80, plain: bool = True) -> list[str]:
    return list(timeline(run(*cases), width, plain=plain))


def test_a_bar_has_its_tasks_where_they_were_and_blanks_where_there_was_none() -> None:
    own = [span(start=0.0, seconds=3.0), span(start=3.0, seconds=2.0), span(start=7.0, seconds=2.0)]
    assert bar(own, 0.0, TEN, PLAIN) == "|##|#  |#"
    assert bar(own, 0.0, TEN, BLOCKS) == "▐██▐█  ▐█"


def test_a_bar_tells_of_cells_that_are_not_filled() -> None:
    own = [span(start=0.0, seconds=1.5), span(start=5.0, seconds=1.0), span(start=6.0, seconds=1.1)]
    assert bar(own, 0.0, TEN, PLAIN) == "|-   ||."


def test_where_several_tasks_begin_in_a_cell_its_shade_tells_what_is_lost() -> None:
    full = [span(start=0.25 * number, seconds=0.25) for number in range(8)]
    half = [span(start=2 + 0.25 * number, seconds=0.15) for number in range(8)]
    assert bar([*full, *half], 0.0, TEN, PLAIN) == "##--"


def test_waiting_for_a_lock_and_failing_are_told_apart() -> None:
    waits = span(start=0.0, seconds=4.0, phases=(Phase(LOCK_WAIT, 1.0, 3.0),))
    fails = replace(span(start=5.0, seconds=3.0), outcome="ValueError")
    assert bar([waits, fails], 0.0, TEN, PLAIN) == "|::# |#x"


def test_a_row_of_several_workers_tells_how_many_were_busy() -> None:
    own = [span(start=0.0, seconds=6.0, pid=1), span(start=0.0, seconds=3.0, pid=2)]
    assert levels(own, 2, 0.0, TEN, PLAIN) == "999555"
    assert levels(own, 200, 0.0, TEN, PLAIN) == "111"  # a hundredth shows, half of one does not


def test_a_case_has_its_ideal_above_a_row_for_each_worker_grouped_by_node() -> None:
    lines = rows(case_on(2))
    assert lines[0] == "pool(nodes=2): ideal 4.00 s, measured 4.00 s"
    labels = [line[:LABEL].strip() for line in lines[1:6]]
    assert labels == ["ideal", "node-1", "", "node-2", ""]
    assert lines[2][LABEL:].count("|") == 4
    assert " " not in lines[2][LABEL:]
    assert lines[6].split() == ["0", "s", "4.00", "s"]


def test_all_cases_are_drawn_on_one_scale() -> None:
    long, short = case(took(8.0), ideal_s=8.0), case(took(4.0))
    lines = rows(long, short)
    bars = [len(line[LABEL:]) for line in lines if line[:LABEL].strip() == "node-1"]
    assert bars == [66, 33]


def test_a_case_that_is_over_at_once_is_named_and_not_drawn() -> None:
    lines = rows(case(took(8.0), ideal_s=8.0), case(took(0.01), name="quick"))
    assert lines[-1] == "too short, or too long, to be drawn beside these: quick"
    assert not any(line.startswith("quick") for line in lines)


def test_of_many_workers_there_is_a_row_for_each_node_and_of_many_nodes_one() -> None:
    assert [line[:LABEL].strip() for line in rows(case_on(8))[1:10]] == ["ideal", *(f"node-{n}" for n in range(1, 9))]
    assert [line[:LABEL].strip() for line in rows(case_on(32))[1:3]] == ["ideal", "32 nodes"]


@pytest.mark.parametrize(
    "made", [run(), failed_run(), run(case(raised())), run(case(repeat(())))], ids=["empty", "failed", "raised", "none"]
)
def test_where_nothing_was_measured_nothing_is_drawn(made: object) -> None:
    assert list(timeline(made, 80)) == []  # type: ignore[arg-type]


def test_a_case_that_raised_midway_is_drawn_without_an_ideal() -> None:
    lines = rows(case(took(4.0)), case(took(2.0, outcome="ValueError"), name="raises"))
    assert "ideal" not in "".join(lines[lines.index("raises: measured 2.00 s") :])


def test_what_was_done_before_every_case_broke_off_is_drawn() -> None:
    lines = rows(case(took(1.0, outcome="ValueError"), name="raises"))
    assert lines[0] == "raises: measured 1.00 s"
    assert lines[1].startswith("  node-1   ")
    assert lines[-2].endswith("1.00 s") or lines[-3].endswith("1.00 s")


def test_workers_and_nodes_without_a_task_have_their_rows() -> None:
    four = replace(case_on(2), workforce=Workforce(8, 4, 2), nodes=case_on(4).nodes)
    drawn = [line.rstrip() for line in rows(four)]
    first = next(index for index, line in enumerate(drawn) if line.startswith("  node-3 "))
    assert [line[LABEL:] for line in drawn[first : first + 4]] == ["no task"] * 4
    assert drawn[first + 2].startswith("  node-4 ")


def test_rows_of_workers_without_a_task_count_as_rows() -> None:
    one = replace(case(took(4.0)), workforce=Workforce(8, 1, 8))
    assert len(rows(*[one] * 12)) < 48


def test_the_legend_tells_what_is_drawn_and_nothing_else() -> None:
    assert "waits for a lock" not in "".join(rows(case(took(4.0))))
    waiting = span(seconds=4.0, phases=(Phase(LOCK_WAIT, 10.0, 13.0),))
    legend = "".join(rows(case(repeat([waiting]))))
    assert "waits for a lock" in legend
    assert "fails" not in legend


def test_a_run_shows_its_timeline_in_eighty_columns_and_without_colour() -> None:
    text = shown(show_run, run(case_on(1), case_on(4)))
    assert "  node-4  " in text
    assert "a task" in text
    assert "\n  simulated-1 " in shown(show_run, embedded_run())


own = st.lists(
    st.tuples(st.floats(0, 100), st.floats(0.001, 50), st.integers(1, 12), st.integers(1, 10)), min_size=1, max_size=40
)


@given(own, st.integers(60, 200), st.booleans())
def test_whatever_was_measured_fits_the_width(
    tasks: list[tuple[float, float, int, int]], width: int, plain: bool
) -> None:
    made: list[Span] = [span(f"node-{node}", start, length, pid=pid) for start, length, pid, node in tasks]
    lines = rows(case(repeat(made)), width=width, plain=plain)
    assert max(map(len, lines), default=0) <= width
    assert not plain or all(line.isascii() for line in lines)
