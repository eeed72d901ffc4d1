"""Where the time went, in bars and in columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.results.record import MeasuredCase
from parlab.terminal.breakdowns import TITLE, apportioned, in_bars, in_columns
from parlab.terminal.states import STATES
from tests.unit.samples import case, case_on, in_a_line, raised, recording, repeat, run, span, took

WAITS = span(seconds=4.0, cpu_s=0.25, way_s=0.5)  # of 5 s: 2 s at an eighth, 1 s on the way, 2 s unexplained
SHARES = case(repeat([WAITS], startup_s=1.25, shutdown_s=0.5))


def bars(*cases: MeasuredCase, width: int = 80, plain: bool = True) -> list[str]:
    return [line.plain for line in in_bars(run(*cases), width, plain=plain)]


def columns(*cases: MeasuredCase, width: int = 80) -> list[str]:
    console = recording(width=width)
    for table in in_columns(run(*cases), width):
        console.print(table)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_case_is_one_bar_in_parts_with_its_largest_loss_and_a_legend() -> None:
    title, bar, legend = bars(SHARES)
    assert title == TITLE
    assert [bar.count(STATES[name].plain) for name in ("computing", "transfer", "unexplained")] == [
        18,
        9,
        17,
    ]  # of 44 cells
    assert bar.startswith("pool(nodes=1)  ##")
    assert bar.endswith("??   40.0 % unexplained")
    assert in_a_line(legend) == "# computing / transfer ? unexplained"


def test_parts_of_a_bar_have_the_colours_of_their_states() -> None:
    _, bar, *_ = in_bars(run(SHARES), 80)
    colours = {bar.plain[part.start]: part.style for part in bar.spans}
    assert colours == {STATES[name].glyph: STATES[name].style for name in ("computing", "transfer", "unexplained")}


def test_bars_begin_below_each_other() -> None:
    lines = bars(case_on(1), case(repeat([WAITS]), name="waits"), case(took(4.0), name="a_name that takes " * 3))
    starts = {line.index("#") for line in lines[1:] if "##" in line}
    assert len(starts) == 1


def test_a_case_that_lost_nothing_worth_telling_tells_of_no_loss() -> None:
    assert bars(case(took(4.0)))[1].split() == ["pool(nodes=1)", "#" * 50]


def test_a_case_without_a_time_has_an_empty_bar_and_a_run_of_such_has_none() -> None:
    assert bars(case(raised())) == []
    assert bars(case(raised(), name="lambda"), SHARES)[1].strip() == "lambda"


def test_all_shares_stand_in_columns_with_start_up_and_shut_down() -> None:
    found = [in_a_line(line) for line in columns(SHARES, width=100)]
    assert found == [
        "where the time went computing transfer unexplained start-up shut-down",
        "pool(nodes=1) 40.0 % 20.0 % 40.0 % 1.25 s 0.50 s",
    ]


def test_columns_that_do_not_fit_stand_in_a_second_table() -> None:
    lines = columns(SHARES, width=60)
    assert max(map(len, lines)) <= 60
    assert [in_a_line(line) for line in lines if "pool" in line] == [
        "pool(nodes=1) 40.0 % 20.0 % 40.0 %",
        "pool(nodes=1) 1.25 s 0.50 s",
    ]


@given(
    st.dictionaries(st.sampled_from(list(STATES)), st.floats(0.0005, 1.0), min_size=1),
    st.integers(1, 60),
)
def test_a_bar_is_filled_and_each_part_has_its_share_to_a_cell(parts: dict[str, float], cells: int) -> None:
    given_ = apportioned(parts, cells)
    assert sum(given_.values()) == cells
    for name, share in parts.items():
        assert given_[name] == pytest.approx(cells * share / sum(parts.values()), abs=1)
