"""What is printed of runs of all labs: a line each, and what they leave open."""

from collections.abc import Sequence

import pytest
from rich.console import Console

from parlab.results.record import Answer, Claim, Run
from parlab.terminal.several import Rows, show_open
from tests.unit.samples import case, failed_run, in_a_line, noisy_repeat, run, shown, took, verdict

YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT
INVALID = "Invalid measurements: ignore their numbers."
CLAIMS = (Claim("it halves", YES), Claim("it needs more", CANNOT, "needs 4 CPUs"), Claim("it doubles", NO, "too slow"))


def table(*runs: Run, refused: Sequence[str] = ()) -> list[str]:
    """The lines of a table of runs of which each took ten seconds."""

    def show(console: Console) -> None:
        rows = Rows(console, ["processes", "pool"])
        rows.heading()
        for made in runs:
            rows.ran(made, 10.0)
        for name in refused:
            rows.refused(name)
        rows.total(10.0 * len(runs))

    return shown(show).splitlines()


def left_open(*runs: Run, refused: dict[str, str] | None = None, numbers: dict[str, int] | None = None) -> list[str]:
    text = shown(show_open, runs, refused or {}, numbers or {})
    return [line for line in text.splitlines() if line]


def test_a_lab_is_a_line_whose_columns_stand_below_each_other() -> None:
    shows = run(case(took(4.1)), case(took(3.0)), lab="pool", verdict=verdict(*CLAIMS, reproduced=NO))
    lines = table(shows, run(case(noisy_repeat()), lab="mpi"), refused=["blas"])
    assert [in_a_line(line) for line in lines] == [
        "lab correct held quiet reproduced claims shown off by took",
        "pool yes yes yes no 1 of 3 -25.0 % 10 s",
        "mpi yes yes no none 0 of 0 +0.0 % 10 s",
        "blas not run - - - - - -",
        "all 20 s",
    ]
    heading = lines[0]
    for line in lines[1:3]:
        assert len(line) == len(heading)
        for column in ("correct", "held", "quiet", "reproduced", "claims shown"):
            assert line[heading.index(column) - 1] == " "
            assert line[heading.index(column)] != " "


def test_a_run_that_broke_off_answers_nothing_in_its_line() -> None:
    lines = table(failed_run(case(took(5.0)), text="node-2 is gone"), failed_run())
    assert in_a_line(lines[1]) == "sample broke off - - - 0 of 0 +25.0 % 10 s"
    assert in_a_line(lines[2]) == "sample broke off - - - 0 of 0 - 10 s"


def test_each_lab_that_did_not_show_all_tells_of_it_and_where_to_look() -> None:
    first = run(case(), lab="pool", verdict=verdict(*CLAIMS), id="20260102T030405-pool-1")
    fine = run(case(), verdict=verdict(CLAIMS[0]))
    found = left_open(first, fine, numbers={first.id: 7})
    assert found[0].startswith("pool  ")
    assert found[0].endswith(" results 7")
    assert found[1:] == ["  no: it doubles: too slow", "  cannot: it needs more: needs 4 CPUs"]


def test_a_run_that_is_no_measurement_is_a_line_and_the_last_line_says_what_to_do_with_it() -> None:
    noisy = run(case(noisy_repeat()), lab="mpi")
    assert left_open(noisy) == ["mpi  not a measurement: not quiet", INVALID]  # it was not kept
    (line, _) = left_open(noisy, numbers={noisy.id: 3})
    assert line.split("  ")[0::2] == ["mpi", "not a measurement: not quiet"]
    assert " results 3  not a" in line


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (failed_run(text="node-2 is [gone]\nlast lines"), "broke off: node-2 is [gone]"),
        (run(case(took(4.0, complaint="result 1 is 5"))), "wrong: pool(nodes=1): result 1 is 5"),
    ],
)
def test_what_failed_is_told_in_its_first_line(made: Run, words: str) -> None:
    assert left_open(made)[1].strip() == words


def test_a_lab_that_was_refused_tells_why() -> None:
    assert left_open(run(case()), refused={"blas": "more than the 2 CPUs [of] this machine"}) == [
        "blas  not run: more than the 2 CPUs [of] this machine",
    ]


def test_of_many_open_claims_the_first_are_told() -> None:
    many = verdict(*(Claim(f"claim {number}", NO) for number in range(9)))
    assert left_open(run(case(), verdict=many))[1:] == [
        "  no: claim 0",
        "  no: claim 1",
        "  no: claim 2",
        "  and 6 more",
    ]


def test_labs_that_showed_all_are_told_in_one_line() -> None:
    fine = run(case(), verdict=verdict(CLAIMS[0]))
    assert left_open(fine, fine) == ["All claims of 2 labs are shown."]
