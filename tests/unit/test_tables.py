"""The columns and tables that only some runs have, and the summary of several."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from parlab.formatting import number
from parlab.results.record import Answer, Claim, MeasuredCase
from parlab.run.observer import Started
from parlab.terminal.live import Board, Lines
from parlab.terminal.tables import ideal_and_measured, list_of, show_comparison, show_run
from tests.unit.samples import (
    SPEC,
    case,
    case_on,
    in_a_line,
    nodes_of,
    raised,
    recording,
    repeat,
    run,
    shown,
    span,
    took,
    verdict,
)

YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT
CLAIMS = (Claim("it halves", YES), Claim("it needs more", CANNOT, "needs 4 CPUs"), Claim("it doubles", NO, "too slow"))


def table(*cases: MeasuredCase) -> list[str]:
    """The lines of the table of a run, on a console with room for all of its columns, with single blanks."""
    console = recording(width=160)
    console.print(ideal_and_measured(run(*cases), 160))
    return [in_a_line(line) for line in console.export_text().splitlines()]


# The table of a run.


def test_what_the_lesson_printed_stands_before_the_ideal() -> None:
    assert table(case(took(5.0), lesson_s=8.04), case(took(4.0), name="other")) == [
        "case lesson ideal measured off by speed-up",
        "pool(nodes=1) 8.04 s 4.00 s 5.00 s +25.0 % 1.60 x",
        "other - 4.00 s 4.00 s +0.0 % 2.00 x",
    ]


def test_where_the_lesson_printed_nothing_there_is_no_column_for_it() -> None:
    assert table(case(took(4.0)))[0] == "case ideal measured off by speed-up"


def test_the_outcome_of_every_case_is_shown_where_one_is_not_right() -> None:
    assert table(case(took(5.0, outcome="wrong"), name="racing"), case(took(4.0), name="locked")) == [
        "outcome,",
        "case ideal measured off by speed-up as declared",
        "racing 4.00 s 5.00 s +25.0 % 1.60 x wrong",
        "locked 4.00 s 4.00 s +0.0 % 2.00 x right",
    ]


def test_what_raises_before_its_first_task_has_an_outcome_and_no_figures() -> None:
    found = table(case(raised("PicklingError"), lesson_s=1.5, name="lambda"), case_on(2))
    assert found[:2] == ["outcome,", "case lesson ideal measured off by speed-up tasks by node as declared"]
    assert found[2] == "lambda 1.50 s - - - - - PicklingError"
    assert found[3].endswith("8 8 right")


def test_what_the_lesson_printed_and_an_outcome_are_shown_whole_in_eighty_columns() -> None:
    text = shown(show_run, run(case(raised("PicklingError"), name="lambda(workers=4)", lesson_s=12.34), case()))
    assert "12.34 s" in text
    assert "PicklingError" in text


def test_with_repeats_and_all_columns_every_row_has_a_cell_in_each() -> None:
    quick, slow = took(4.0, outcome="wrong"), took(5.0, outcome="wrong")
    found = table(case(quick, quick, slow, lesson_s=4.0), case(raised(), name="lambda"), case_on(2))
    assert found[:2] == ["outcome,", "case lesson ideal median spread off by speed-up tasks by node as declared"]
    assert found[2] == "pool(nodes=1) 4.00 s 4.00 s 4.00 s 25.0 % +0.0 % 2.00 x 1 wrong"
    assert found[3] == "lambda - - - - - - - ValueError"


def test_a_case_without_units_has_no_ideal_and_is_off_by_nothing() -> None:
    lost = span(seconds=5.0, cpu_s=0.0)  # a node that did nothing for all that is known
    without = case(repeat([lost]), ideal_s=None, serial_s=None)
    assert table(without)[1] == "pool(nodes=1) 5.00 s"
    text = shown(show_run, run(without))
    assert "unexplained: " not in text  # it is not paced: there is nothing to hold it to
    assert "nan" not in text


def test_two_runs_without_an_ideal_are_compared_by_what_they_took() -> None:
    first, second = (run(case(took(seconds), ideal_s=None, serial_s=None)) for seconds in (4.0, 5.0))
    text = in_a_line(shown(show_comparison, first, second, wide=True))
    assert "pool(nodes=1) - 4.00 s 5.00 s 1.250 ±" in text
    assert "Not significant: pool(nodes=1). Launches of one case differ as much" in text  # nothing paces it


def test_in_a_list_a_run_is_off_by_what_its_cases_with_an_ideal_are() -> None:
    without = case(took(4.0), ideal_s=None, serial_s=None)
    for cases, words in (((without,), "no ideal"), ((without, case(took(5.0))), "+25.0 %")):
        made = run(*cases)
        text = shown(lambda console, made=made: console.print(list_of({1: made})))
        assert f" x 1/8 {words} " in in_a_line(text)
        assert "nan" not in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (12.0, "12.00 s"),
        (0.5, "0.50 s"),
        (0.0625, "62.5 ms"),
        (0.0078125, "7.81 ms"),
        (0.0098, "9.80 ms"),
    ],
)
def test_what_is_over_in_less_than_a_tenth_of_a_second_is_told_in_milliseconds(seconds: float, words: str) -> None:
    assert table(case(repeat([span(start=0.0, seconds=seconds)])))[1].startswith(f"pool(nodes=1) 4.00 s {words} ")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("own.py", "--cells", "9"), "own.py --cells 9"),
        (("-m", "mpi4py", "own.py", "a b"), "own.py 'a b'"),
        (("-m", "mpi4py.futures", "-m", "mine"), "-m mine"),
        (("own.py", *["word"] * 9), "own.py word word word w\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_runs_of_a_program_are_listed_by_what_was_typed(command: tuple[str, ...], words: str) -> None:
    made, console = replace(run(case(took(4.0))), command=("python", *command)), recording(width=160)
    console.print(list_of({1: made}))
    assert f" {words} " in in_a_line(console.export_text())


# Figures and claims.


def test_figures_stand_in_a_table_of_those_cases_that_took_some() -> None:
    took_two = case(repeat(metrics={"MB/s": 812.5, "messages": 12345.0}), name="buffers")
    text = shown(show_run, run(case(name="silent"), took_two, case(repeat(metrics={"MB/s": 0.035}), name="pickles")))
    found = [in_a_line(line) for line in text[text.index("\nfigures") :].splitlines()[1:4]]
    assert found == ["figures", "buffers 812 MB/s, 12345 messages", "pickles 0.035 MB/s"]


def test_without_figures_there_is_no_table_of_them() -> None:
    assert "figures" not in shown(show_run, run(case()))


def test_of_several_repeats_the_median_of_each_figure_is_shown() -> None:
    taken: list[dict[str, float]] = [{"MB/s": 9.0}, {"MB/s": 1.0, "lost": 4.0}, {"MB/s": 2.0}]
    measured = case(*(repeat(metrics=figures) for figures in taken))
    assert measured.metrics == {"MB/s": 2.0, "lost": 4.0}
    assert "2 MB/s, 4 lost" in shown(show_run, run(measured))


@pytest.mark.parametrize(
    ("value", "words"), [(1234.6, "1235"), (0.035, "0.035"), (12.5, "12.5"), (3.0, "3"), (0.0, "0"), (-7.25, "-7.25")]
)
def test_a_number_has_three_digits_at_least_and_none_that_say_nothing(value: float, words: str) -> None:
    assert number(value) == words


@given(st.floats(1e-4, 1e9))
def test_a_number_is_told_to_half_a_percent(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=0.005)


def test_several_claims_are_told_below_the_verdict_each_with_its_reason() -> None:
    text = shown(show_run, run(case(), verdict=verdict(*CLAIMS)))
    found = [in_a_line(line) for line in text[text.index("\nreproduced") :].splitlines()[2:]]
    assert found == ["yes it halves", "cannot it needs more: needs 4 CPUs", "no it doubles: too slow"]


def test_how_sure_a_claim_is_that_is_shown_is_told_where_all_is() -> None:
    sure = replace(CLAIMS[0], margin="no if it took 4 % more", rests_on="3 launches")
    unsure = Claim("it doubles", Answer.UNDECIDED, "about twice", margin="yes if it took 2 % less")
    made = run(case(), verdict=verdict(sure, unsure))
    text = shown(show_run, made)
    assert "yes it halves undecided it doubles: about twice (yes if it took 2 % less)" in in_a_line(text)
    assert "4 % more" not in text
    text = in_a_line(shown(show_run, made, verbose=True))
    assert "yes it halves (no if it took 4 % more)" in text
    assert "Known from: 3 launches." in text


@pytest.mark.parametrize("claims", [(), CLAIMS[:1]])
def test_of_one_claim_or_none_the_answer_says_it_all(claims: tuple[Claim, ...]) -> None:
    assert shown(show_run, run(case(), verdict=verdict(*claims))).splitlines()[-1].startswith("reproduced ")


def test_what_looks_like_markup_in_a_claim_is_shown_as_it_is() -> None:
    claim = Claim("a [bold] claim", NO, "got [1, 2] and [/red]")
    text = in_a_line(shown(show_run, run(case(), verdict=verdict(claim, CLAIMS[0]))))
    assert "no a [bold] claim: got [1, 2] and [/red]" in text


# While it goes on.


STARTED = Started("pool", SPEC, nodes_of(1), tasks=4, workers=16, ideal_s=None, repeat=1, repeats=1)


def test_a_case_without_an_ideal_is_announced_without_one() -> None:
    assert shown(lambda console: Lines(console).started(STARTED)) == "pool: 4 tasks on 16 workers\n"


def test_a_board_of_a_case_without_an_ideal_shows_its_seconds_alone() -> None:
    made = Board(Console(file=io.StringIO()))
    made.started(STARTED)
    made.spans([span()])
    text = in_a_line(shown(lambda console: console.print(made)))
    assert "1 of 4 tasks" in text
    assert "ideally" not in text


def test_what_a_figure_is_called_is_shown_as_it_is() -> None:
    text = shown(show_run, run(case(took(4.0, metrics={"MB/s [copy]": 999.7}))))
    assert "1000 MB/s [copy]" in in_a_line(text)


def test_an_outcome_is_never_cut() -> None:
    one = case(raised("BrokenProcessPool"), raised("BrokenProcessPool"), lesson_s=2.0, declared="BrokenProcessPool")
    assert "BrokenProcessPool" in "".join(shown(show_run, run(one)).split())
