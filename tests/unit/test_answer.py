"""What the first screen of a page says of a run, and the same charts on paper."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from parlab.report.answer import accounts_of, sentence, time_bars
from parlab.report.page import report
from parlab.report.paper import WIDTH, case_on_paper
from parlab.report.views import RunView
from parlab.results.record import Answer, MeasuredCase, Run
from tests.unit.samples import case, case_on, many_spans, raised, repeat, run, span, spans, verdict

LATE = [replace(one, finished=one.finished + 1, received=one.received + 1) for one in spans()]
SLOW = case(repeat(LATE), name="slow")
HALF = spans(4, tasks=2)
ONE = case_on(1)
SAID, IDEALLY = "pool: 8 workers instead of 2", "ideally as before (2.00 s instead of 4.00 s)."
GROWING = "ideally 4 times (4.00 s instead of 4.00 s)."
UNKNOWN = case(ideal_s=None, serial_s=None, name="unknown")
QUICK = case(repeat([span(seconds=1.0)]), ideal_s=None, serial_s=None, name="quick")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            run(ONE, replace(case_on(4), repeats=(repeat(HALF),), serial_s=8.0)),
            f"{SAID} are 2 times as fast, {IDEALLY}",
        ),
        (run(ONE, case_on(4)), f"{SAID} do 4 times as much in the same time, {GROWING}"),
        (run(SLOW), "slow took 5.00 s, 25.0 % more than its ideal."),
        (run(case(), SLOW), "slow took 5.00 s, 25.0 % more than its ideal: of 2 cases the farthest off."),
        (run(UNKNOWN), "unknown took 4.00 s."),
        (run(UNKNOWN, QUICK), "Fastest is quick with 1.00 s, slowest unknown with 4.00 s: 4 times as long."),
        (run(case(raised())), ""),
        (run(), ""),
    ],
)
def test_a_run_is_answered_in_one_sentence(made: Run, said: str) -> None:
    assert sentence(made) == said


def test_what_is_no_measurement_has_no_sentence() -> None:
    assert RunView(run(SLOW)).sentence
    assert RunView(run(SLOW, verdict=verdict(quiet=Answer.NO))).sentence == ""


def test_bars_share_one_scale_and_show_what_is_lost() -> None:
    good, slow = time_bars(run(case(), SLOW))
    assert (good.measured, good.ideal, good.lost) == (80.0, 80.0, 0.0)
    assert (slow.measured, slow.ideal, slow.lost) == (100.0, 80.0, 20.0)


def test_outcomes_have_a_column_only_where_one_is_not_right() -> None:
    assert "outcome" not in dict(time_bars(run(case()))[0].cells)
    right, wrong = time_bars(run(case(), case(raised(), declared="ValueError")))
    assert dict(right.cells)["outcome"] == "right"
    assert dict(wrong.cells)["outcome"] == "ValueError, as declared"


def test_the_time_of_a_case_goes_to_categories_that_add_up() -> None:
    (account,) = accounts_of(run(case()))
    assert sum(percent for _, percent in account.parts) == pytest.approx(100)


def boxes(made: MeasuredCase) -> list[tuple[float, float]]:
    """Where each box of a task begins on paper, and how wide it is."""
    root = ElementTree.fromstring(case_on_paper(made, made.ideal()))
    (tasks,) = [one for one in root.iter("path") if one.get("fill") == "#0072b2" and one.get("d", "").count("z") > 1]
    return [(float(x), float(wide)) for x, wide in re.findall(r"M([\d.]+) [\d.]+h([\d.]+)v", tasks.attrib["d"])]


def test_on_paper_every_task_has_its_box_and_none_is_cut() -> None:
    found = boxes(case())
    assert len(found) == len(spans())
    assert max(x + wide for x, wide in found) <= WIDTH
    assert len({wide for _, wide in found}) == 1  # all take a second
    assert len(boxes(case(repeat(many_spans(32, 10))))) == 320


def test_a_program_of_the_user_s_own_is_no_lab() -> None:
    made = run(UNKNOWN, lab="prog", command=("prog.py",), exit_code=0)
    view = RunView(made)
    assert (view.title, view.answer) == ("prog", "yes")
    assert "handout" not in report([made]).partition("<script")[0].partition("</style>")[2]
