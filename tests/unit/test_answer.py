"""What the first screen of a page says of a run, and the same charts on paper."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import pytest

from parlab.model.span import Phase
from parlab.model.workers import Workforce
from parlab.report.answer import accounts_of, sentence, time_bars
from parlab.report.page import report
from parlab.report.paper import case_on_paper
from parlab.report.svg import LEFT, RIGHT, WIDTH
from parlab.report.views import RunView
from parlab.results.record import Answer, Claim, MeasuredCase, Run
from parlab.terminal import states
from tests.unit.samples import case, case_on, many_spans, raised, repeat, run, span, spans, took, verdict

LATE = [replace(one, finished=one.finished + 1, received=one.received + 1) for one in spans()]
SLOW = case(repeat(LATE), name="slow")
HALF = spans(4, tasks=2)
ONE = case_on(1)
UNKNOWN = case(ideal_s=None, serial_s=None, name="unknown")
QUICK = case(repeat([span(seconds=1.0)]), ideal_s=None, serial_s=None, name="quick")
WRONG = case(repeat([span(seconds=1.0)], outcome="wrong"), declared="wrong", ideal_s=0.5, name="wrong")


def sized(workers: int, took_s: float, tasks: int = 4, **facts: Any) -> MeasuredCase:
    """So many workers, in a pool for so many tasks."""
    settings = {"tasks": tasks, "workers": workers}
    given: dict[str, Any] = {"ideal_s": took_s, "serial_s": 2.0 * tasks} | facts
    made = case(took(took_s), name=f"pool(tasks={tasks}, workers={workers})", settings=settings, **given)
    return replace(made, workforce=Workforce(workers, 1, workers))


def program(*cases: MeasuredCase) -> Run:
    return run(*cases, lab="solver", command=("python", "solver.py"), exit_code=0)


def ranks(*measured: tuple[int, float]) -> list[MeasuredCase]:
    """The cases of a sweep: numbers of ranks with their times."""
    return [
        replace(
            sized(number, took_s, ideal_s=None, serial_s=measured[0][1]),
            name=f"solver(ranks={number})",
            settings={"ranks": number},
        )
        for number, took_s in measured
    ]


RANKS = ranks((2, 1.74), (4, 0.95), (8, 1.26))
GIL = "CPU bound threads wait for a GIL."
HOLDS = verdict(Claim("time is whole rounds", Answer.YES), Claim("more is less", Answer.NO), Claim("b", Answer.YES))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (run(sized(1, 8.0), sized(2, 4.0), verdict=HOLDS), "Time is whole rounds. B."),
        (run(case(), verdict=verdict(Claim("cpu bound threads wait for a gil", Answer.YES))), GIL),
        (
            run(sized(1, 8.0), sized(2, 4.0)),
            "pool(tasks=4): fastest with 2 workers, 4.00 s, 2 times as fast as with 1 (8.00 s), ideally 2 times.",
        ),
        (
            run(sized(1, 4.0, 2), sized(2, 2.0, 2), sized(1, 44.0, 22), sized(2, 22.0, 22)),
            "pool(tasks=22): fastest with 2 workers, 22.00 s, 2 times as fast as with 1 (44.00 s), ideally 2 times.",
        ),
        (
            program(*RANKS),
            "solver: fastest with 4 ranks, 0.95 s, 1.83 times as fast as with 2 (1.74 s); more ranks are slower: "
            "8 take 1.26 s.",
        ),
        (program(*ranks((2, 10.0), (4, 9.6))), "solver: with 2 ranks as fast as with any (within 5 %), 10.00 s."),
        (
            program(*ranks((2, 2.0), (4, 1.0), (8, 0.98), (16, 1.3))),
            "solver: with 4 ranks as fast as with any (within 5 %), 1.00 s, 2 times as fast as with 2 (2.00 s); "
            "slower: 16 take 1.30 s.",
        ),
        (
            program(*ranks((2, 1.0), (4, 1.02), (8, 1.3))),
            "solver: fastest with 2 ranks, 1.00 s; slower: 8 take 1.30 s.",
        ),
        (
            run(*(sized(workers, s, ideal_s=None) for workers, s in ((1, 2.0), (2, 2.01)))),
            "pool(tasks=4): fastest with 1 worker, 2.00 s; more workers gain nothing.",
        ),
        (run(ONE, case_on(4)), "pool(nodes=1) took 4.00 s, 0.0 % more than its ideal: of 2 cases the farthest off."),
        (run(SLOW), "slow took 5.00 s, 25.0 % more than its ideal."),
        (run(case(), SLOW), "slow took 5.00 s, 25.0 % more than its ideal: of 2 cases the farthest off."),
        (run(SLOW, WRONG), "slow took 5.00 s, 25.0 % more than its ideal."),
        (run(UNKNOWN), "unknown took 4.00 s."),
        (run(UNKNOWN, QUICK), ""),  # nobody knows whether their work is the same
        (run(case(raised())), ""),
        (run(), ""),
    ],
)
def test_a_run_is_answered_by_what_holds_or_what_can_be_compared(made: Run, said: str) -> None:
    assert sentence(made) == said


def test_what_is_no_measurement_has_no_sentence() -> None:
    assert RunView(run(SLOW)).sentence
    assert RunView(run(SLOW, verdict=verdict(quiet=Answer.NO))).sentence == ""


def test_bars_share_one_scale_and_show_what_is_behind_the_ideal() -> None:
    good, slow = time_bars(run(case(), SLOW))
    assert (good.measured, good.ideal, good.behind, good.lost) == (80.0, 80.0, 0.0, False)
    assert (slow.measured, slow.ideal, slow.behind, slow.lost) == (100.0, 80.0, 20.0, True)
    late = case(took(4.1))
    (a_little,) = time_bars(run(late))
    assert a_little.behind > 0
    assert not a_little.lost


def test_outcomes_have_a_column_only_where_one_is_not_right() -> None:
    assert "outcome" not in dict(time_bars(run(case()))[0].cells)
    right, wrong = time_bars(run(case(), case(raised(), declared="ValueError")))
    assert dict(right.cells)["outcome"] == "right"
    assert dict(wrong.cells)["outcome"] == "ValueError, as declared"
    assert dict(wrong.cells)["measured"] == "-"  # the error is told once


def test_the_lab_s_own_metrics_are_columns_if_they_tell_cases_apart() -> None:
    first, second = (case(repeat(metrics={"of 10 wrong": wrong, "GIL": 1.0})) for wrong in (10.0, 0.0))
    cells = [dict(bar.cells) for bar in time_bars(run(first, second))]
    assert [one["of 10 wrong"] for one in cells] == ["10", "0"]
    assert all("GIL" not in one for one in cells)


def test_several_launches_have_their_spread_beside_the_median() -> None:
    (bar,) = time_bars(run(case(took(4.0), took(4.2), took(4.4))))
    assert list(dict(bar.cells))[1:3] == ["measured", "spread"]
    assert dict(bar.cells)["spread"] == "9.5 %"
    assert "spread" not in dict(time_bars(run(case()))[0].cells)


def test_a_program_s_cases_are_ranks_or_the_workers_that_it_has_started() -> None:
    traced = replace(UNKNOWN, name="solver: tasks", tasks=(), workforce=Workforce(4, 1, 2))
    cells = [dict(bar.cells)["ran as"] for bar in time_bars(program(*RANKS[:1], UNKNOWN, traced))]
    assert cells == ["2 ranks", "2 processes", "4 workers"]


def test_the_time_of_a_case_goes_to_categories_that_add_up() -> None:
    (account,) = accounts_of(run(case()))
    assert sum(percent for *_, percent in account.parts) == pytest.approx(100)


def test_a_program_has_no_account_of_its_time_as_its_spans_do_not_tell() -> None:
    assert accounts_of(program(*RANKS)) == []
    assert "account" not in [chart.name for chart in RunView(program(*RANKS)).charts()]


def names(*cases: MeasuredCase) -> list[tuple[str, str]]:
    return [(bar.group, bar.name) for bar in time_bars(run(*cases))]


def test_a_case_s_name_has_only_the_settings_that_tell_it_apart() -> None:
    def ten(kind: str, lock: str) -> MeasuredCase:
        return case(name=f"ten_runs(kind={kind!r}, lock={lock!r}, n=1)", settings={"kind": kind, "lock": lock, "n": 1})

    assert names(ten("processes", "none"), ten("threads", "Lock"), case(name="alone(n=1)", settings={"n": 1})) == [
        ("ten_runs", "processes · none"),
        ("ten_runs", "threads · Lock"),
        ("alone", "alone"),
    ]
    assert names(case_on(1), case_on(2)) == [("pool", "nodes=1"), ("pool", "nodes=2")]
    assert names(sized(1, 8.0), sized(2, 4.0)) == [("pool", "workers=1"), ("pool", "workers=2")]
    assert names(case(), case()) == [("pool", "pool(nodes=1)"), ("pool", "pool(nodes=1), 2")]


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


def boxes_of(made: MeasuredCase, colour: str) -> list[tuple[float, float, bool]]:
    """Each box of that colour in the picture: where it begins, how wide it is, and whether it has a white edge."""
    root = ElementTree.fromstring(case_on_paper(made, []))
    return [
        (float(x), float(wide), "stroke" in path.attrib)
        for path in root.iter("path")
        if path.get("fill") == colour
        for x, wide in re.findall(r"M([\d.]+) [\d.]+h([\d.]+)v", path.attrib["d"])
        if float(x) > LEFT or float(wide) != 14  # not the legend's
    ]


@pytest.mark.parametrize(("tasks", "every_s"), [(4000, 0.0025), (4000, 0.00251), (40000, 0.00025)])
def test_on_paper_a_worker_with_many_short_tasks_is_busy(tasks: int, every_s: float) -> None:
    short = [span(start=10.0 + number * every_s, seconds=every_s) for number in range(tasks)]
    ((left, wide, _),) = boxes_of(case(repeat(short), ideal_s=None), states.BLUE)
    assert left == LEFT
    assert wide == pytest.approx((WIDTH - LEFT - RIGHT) / 1.01, abs=1)


def test_on_paper_a_short_task_among_long_ones_is_seen() -> None:
    own = [span(start=10.0, seconds=4.0), span(start=15.0, seconds=0.001), span(start=16.0, seconds=4.0)]
    (first, short, last) = sorted(boxes_of(case(repeat(own), ideal_s=None), states.BLUE))
    assert first[2]
    assert last[2]
    assert short[1] == pytest.approx(0.25, abs=0.06)
    assert not short[2], "an edge would hide it"


def test_a_program_of_the_user_s_own_is_no_lab() -> None:
    made = run(UNKNOWN, lab="prog", command=("prog.py",), exit_code=0)
    view = RunView(made)
    assert (view.title, view.answer, view.badges) == ("prog", "yes", [("exit code 0", "yes"), ("a measurement", "yes")])
    assert "units" not in view.about
    assert "reproduced" not in view.findings
    assert "handout" not in report([made]).partition("<script")[0].partition("</style>")[2]


def test_a_program_that_ended_well_is_good_though_its_times_are_no_measurement() -> None:
    view = RunView(run(UNKNOWN, command=("prog.py",), exit_code=0, verdict=verdict(quiet=Answer.NO)))
    assert view.answer == "yes"
    assert view.badges == [("exit code 0", "yes"), ("not a measurement", "undecided")]
    assert view.warnings()[0].startswith("The program itself ended well, but its times are not a measurement")


def test_on_paper_all_words_of_marks_and_the_cpu_are_there() -> None:
    marks = tuple(Phase(f"reads the balance {number}", 10.1, 10.1) for number in range(4))
    drawn = case_on_paper(case(repeat([span(seconds=4.0, phases=marks)])), [])
    root = ElementTree.fromstring(drawn)
    texts = {one.text: (float(one.attrib["x"]), float(one.attrib["y"])) for one in root.iter("text")}
    places = [texts[mark.name] for mark in marks]
    assert len(set(places)) == len(marks)  # each on a line of its own
    assert any("throttled, in 0 % of periods" in str(text) for text in texts)
    assert not any("without words" in str(text) for text in texts)


def test_on_paper_marks_whose_words_do_not_fit_are_counted() -> None:
    marks = tuple(Phase(f"reads the balance {number}", 10.1, 10.1) for number in range(9))
    root = ElementTree.fromstring(case_on_paper(case(repeat([span(seconds=4.0, phases=marks)])), []))
    heights = {one.text: float(one.attrib["y"]) for one in root.iter("text")}
    assert sum("reads the balance" in str(text) for text in heights) == 6
    assert heights["3 marks without words"] < min(heights[mark.name] for mark in marks[:6]), "on a line of their own"
