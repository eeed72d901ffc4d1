"""The timeline in the terminal, from planted sequences of spans."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.model.span import LOCK_WAIT, Phase, Span
from parlab.model.workers import Workforce
from parlab.results.record import MeasuredCase
from parlab.terminal.states import STATES
from parlab.terminal.tables import show_run
from parlab.terminal.timeline import BLOCKS, LABEL, PLAIN, Case, Glyphs, Scale, bar, levels, timeline
from tests.unit.samples import SPEED, case, case_on, embedded_run, failed_run, raised, repeat, run, shown, span, took

TEN = Scale(cells=10, total_s=10.0)


def rows(*cases: MeasuredCase, width: int = 80, plain: bool = True, verbose: bool = False) -> list[str]:
    return [line.plain for line in timeline(run(*cases), width, plain=plain, verbose=verbose)]


def drawn(own: list[Span], glyphs: Glyphs = PLAIN, *, paced: bool = True) -> str:
    """The row of a worker whose tasks began at 0."""
    return bar(own, Case(own, float(SPEED), paced), TEN, glyphs).plain


def test_a_bar_has_its_tasks_where_they_were_and_tells_of_the_time_between() -> None:
    own = [span(start=0.0, seconds=3.0), span(start=3.0, seconds=3.0), span(start=7.0, seconds=2.0)]
    assert drawn(own) == "|##|##:|#"  # as long as a task has still to start, work is queued
    assert drawn(own, BLOCKS) == "▐██▐██┊▐█"


def test_where_no_task_is_left_to_start_a_bar_is_blank() -> None:
    own, other = [span(start=0.0, seconds=3.0), span(start=7.0, seconds=3.0)], span(start=5.0, seconds=5.0, pid=2)
    own[1] = replace(own[1], submitted=6.0)
    assert bar(own, Case([*own, other], float(SPEED), True), TEN, PLAIN).plain == "|##:::/|##"
    assert bar(own[:1], Case([own[0], other], float(SPEED), True), TEN, PLAIN).plain == "|##::"


def test_a_bar_tells_of_cells_that_are_not_filled() -> None:
    own = [span(start=0.0, seconds=2.5), span(start=5.0, seconds=2.5), span(start=8.0, seconds=1.1)]
    assert drawn(own) == "|#-::|#-|."


def test_tasks_that_are_too_short_have_no_borders() -> None:
    own = [span(start=1.5 * number, seconds=1.5) for number in range(4)]
    assert drawn(own) == "######"
    assert "#### tasks" not in "".join(rows(case(repeat(own))))
    many = [span(start=0.02 * number, seconds=0.02) for number in range(200)]
    assert any(line.strip().startswith("# tasks, too short to be told apart") for line in rows(case(repeat(many))))


def test_where_several_tasks_begin_in_a_cell_its_shade_tells_what_is_lost() -> None:
    full = [span(start=0.25 * number, seconds=0.25) for number in range(8)]
    half = [span(start=2 + 0.25 * number, seconds=0.15) for number in range(8)]
    assert drawn([*full, *half]) == "##--"


def test_states_of_a_worker_are_told_apart_without_colour() -> None:
    waits = span(start=0.0, seconds=4.0, phases=(Phase(LOCK_WAIT, 1.0, 3.0),), cpu_s=2.0 * float(SPEED))
    assert drawn([waits]) == "|\\\\#"  # where it waited for the lock
    half = float(SPEED) * 2.0
    assert drawn([span(seconds=4.0, cpu_s=half, waited_s=2.0)]) == "|#\\\\"
    assert drawn([span(seconds=4.0, cpu_s=half, run_delay_s=2.0)]) == "|#%%"
    assert drawn([span(seconds=4.0, cpu_s=half)]) == "|#??"
    assert drawn([span(seconds=4.0, cpu_s=half)], paced=False) == "|###"  # nothing says that it was to compute
    there = [replace(span(start=3.0, seconds=3.0), submitted=0.0), replace(span(start=8.0, seconds=3.0), submitted=6.0)]
    assert drawn(there) == "///|##//|#"
    queued = [replace(one, submitted=one.started) for one in there]
    assert drawn([span(start=0.0, seconds=3.0), *queued]) == "|##|##::|#"


def test_the_cells_of_a_state_have_its_colour() -> None:
    own = [span(start=0.0, seconds=6.0, cpu_s=3.0 * float(SPEED), run_delay_s=3.0)]
    row = bar(own, Case(own, float(SPEED), True), TEN, BLOCKS)
    styles = [part.style for part in row.spans]
    assert row.plain == "▐██" + 3 * STATES["contended"].glyph
    assert styles[1:3] == [STATES["computing"].style] * 2
    assert styles[3:] == [STATES["contended"].style] * 3


def test_a_task_that_fails_ends_in_a_glyph_of_its_own() -> None:
    fails = replace(span(start=5.0, seconds=3.0), outcome="ValueError")
    assert drawn([span(start=0.0, seconds=4.0), fails]) == "|###:|#!"


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


def test_cases_have_as_many_rows_as_fit_two_screens_and_all_of_them_where_all_is_asked_for() -> None:
    eight = replace(case(took(4.0)), workforce=Workforce(8, 1, 8))  # rows of workers without a task count, too
    for cases, each in ((4, 10), (5, 3), (12, 3)):
        lines = rows(*[eight] * cases)
        assert sum(line.startswith("pool(nodes=1): ") for line in lines) == cases
        assert sum(bool(line.strip()) for line in lines) == each * cases + 2  # the scale and the legend
        assert len(lines) <= 47
    (line,) = rows(*[eight] * 30)
    assert line.startswith("30 cases: too many for a timeline here; --verbose and ")
    assert len(rows(*[eight] * 30, verbose=True)) == 302


def test_where_all_is_asked_for_every_worker_of_a_large_cluster_has_a_row() -> None:
    assert len(rows(case_on(32), verbose=True)) > 64


def test_the_legend_tells_what_is_drawn_and_nothing_else() -> None:
    assert "waiting" not in "".join(rows(case(took(4.0))))
    waiting = span(seconds=4.0, cpu_s=0.125, phases=(Phase(LOCK_WAIT, 10.0, 13.0),))
    legend = "".join(rows(case(repeat([waiting]))))
    assert "\\ waiting" in legend
    assert "fails" not in legend


def test_rows_of_several_workers_are_no_tasks_in_the_legend() -> None:
    assert "a task" in "".join(rows(case_on(1), plain=False))
    legend = "".join(rows(case_on(32), plain=False)[-2:])
    assert "task" not in legend
    assert "few to all workers are busy" not in legend  # all are busy, all of the time


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
