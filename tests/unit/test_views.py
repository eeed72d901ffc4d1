"""What a page says of a run in words, and how far its axes reach."""

from dataclasses import replace
from typing import Any

import pytest
from bokeh.models import Range1d

from parlab.errors import UsageError
from parlab.model.job_events import PEAK
from parlab.model.span import Phase
from parlab.report.case_view import CaseView
from parlab.report.charts import overview, side_by_side
from parlab.report.gantt import MARK_PIXELS
from parlab.report.measures import cpu_use
from parlab.report.page import chart_of
from parlab.report.style import share_of_axis
from parlab.report.timelines import case_chart, cpu_used, without_dips
from parlab.report.views import RunView
from parlab.results.record import Answer, Claim, MeasuredCase, NodeRecord
from tests.unit.samples import (
    case,
    case_on,
    failed_run,
    noisy_repeat,
    raised,
    readings,
    repeat,
    run,
    span,
    spans,
    took,
    verdict,
)


def figures(made: MeasuredCase) -> dict[str, str]:
    return dict(CaseView(made, "case-1").figures())


def test_a_case_is_headed_by_its_figures() -> None:
    found = figures(case_on(2))
    assert found == {
        "measured": "4.00 s",
        "ideal": "4.00 s",
        "off by": "+0.0 %",
        "total work": "16.00 s",
        "time in tasks": "16.00 s",
        "speed-up": "4.00 x",
        "efficiency": "100.0 %",
        "busy on average": "4 of 4",
        "two or more busy": "4.00 s",
        "idle, all workers": "0 ms",
        "load balance": "100.0 %",
        "straggler": "none",
        "start-up": "0.40 s",
        "shut-down": "0.10 s",
    }


def test_who_finishes_long_after_the_others_is_named() -> None:
    late = [replace(one, finished=20.0, received=20.0) if one.pid == 3 else one for one in spans(tasks=1)]
    assert figures(case(repeat(late)))["straggler"] == "rank 3 on node-1, by 9.00 s"


def test_workers_are_counted_that_a_case_has_started_by_itself() -> None:
    own = [span(pid=pid) for pid in range(1, 5)]
    found = figures(case(repeat(own)))  # made for two
    assert found["busy on average"] == "4 of 4"
    (bar,) = RunView(run(case(repeat(own)))).time_bars
    assert dict(bar.cells)["workers"] == "4"
    chart = case_chart(case(repeat(own)), "case-1")
    assert chart is not None
    assert "4 tasks on 4 workers" in chart.words


def test_processes_that_follow_each_other_are_not_so_many_workers() -> None:
    turns = [span(start=10.0 + turn, seconds=1.0, pid=2 * turn + one) for turn in range(4) for one in range(2)]
    made = case(repeat(turns))
    chart = case_chart(made, "case-1")
    assert chart is not None
    drawn: Any = chart.model.select_one({"name": "measured"})
    assert drawn.title.text == "measured: 4.00 s, 8 workers, 2 at once"
    found = figures(made)
    assert found["busy on average"] == "2 of 2"
    assert found["idle, all workers"] == "0 ms"
    assert list(RunView(run(case(repeat(turns)))).warnings()) == []


def test_of_a_case_of_which_nothing_came_back_nothing_is_made_up() -> None:
    found = figures(case(raised(), raised(), declared="ValueError"))
    assert found.keys() == {"outcome", "start-up", "shut-down"}
    assert found["outcome"] == "ValueError"
    assert case_chart(case(raised()), "case-1") is None


@pytest.mark.parametrize(
    ("made", "answer", "in_short"),
    [
        (run(case(noisy_repeat())), "no", "not a measurement"),
        (failed_run(case()), "no", "broke off"),
        (run(case(repeat(outcome="wrong", complaint="differs"))), "no", "wrong"),
        (run(case()), "no_claims", "no claims"),
    ],
)
def test_a_run_is_good_bad_or_cannot_be_told(made: Any, answer: str, in_short: str) -> None:
    assert (RunView(made).answer, RunView(made).in_short) == (answer, in_short)


def test_what_was_not_predicted_is_told_on_the_page_as_on_the_terminal() -> None:
    more = case(repeat([span(pid=pid) for pid in range(1, 5)]))
    assert any("Not as predicted: pool(nodes=1): 4 workers did tasks" in said for said in RunView(run(more)).warnings())


@pytest.mark.parametrize(("used", "least"), [(0.25, 0.25), (2.0, 2.0), (0.0, 0.25)])
def test_the_axis_of_cpu_shows_what_was_used_though_it_is_over_the_limit(used: float, least: float) -> None:
    use = NodeRecord(0.25, readings=tuple(replace(one, at=one.at - 90) for one in readings(used_s=4 * used)))
    launch = repeat([span(seconds=4.0)], nodes={"node-1": use})
    plot = cpu_used(launch, cpu_use(launch), Range1d(start=0, end=4))
    assert least < plot.y_range.end < 4 * least  # type: ignore[attr-defined]


def test_charts_of_cases_without_an_ideal_do_not_speak_of_one() -> None:
    without, other = (run(case(ideal_s=None, serial_s=None), id=letter) for letter in "AB")
    drawn = [overview(without), overview(run(case())), side_by_side(without, other), side_by_side(run(case()), other)]
    titles = [chart.title for chart in drawn if chart is not None]
    assert titles == ["Measured", "Ideal and measured", "A and B", "A and B"]


def test_what_matters_is_open_at_first() -> None:
    good, late = (case(took(seconds), ideal_s=4.0) for seconds in (4.0, 6.0))
    marked = case(repeat([span(phases=(Phase("reads", 10.5, 10.5),))]), ideal_s=None)
    wrong = case(repeat(outcome="wrong"), declared="wrong")
    view = RunView(run(good, good, good, late, wrong, marked))
    assert [one.is_open for one in view.cases] == [False, False, False, True, True, True]
    view = RunView(run(*[good] * 5))
    assert [one.is_open for one in view.cases] == [True, True, True, False, False]
    short, raising = case(took(0.01), ideal_s=None), case(raised(), declared="ValueError")
    view = RunView(run(raising, short, short, good, good, good))
    assert [one.is_open for one in view.cases] == [False, False, False, True, True, True]


def test_cases_of_very_different_lengths_start_with_an_axis_each() -> None:
    assert not RunView(run(case(took(4.0)), case(took(1.0)))).apart
    assert RunView(run(case(took(4.0)), case(took(0.1)))).apart


def test_claims_that_were_not_judged_are_not_told_as_none_shown() -> None:
    held = verdict(Claim("a", Answer.YES), Claim("b", Answer.NO))
    assert RunView(run(case(), verdict=held)).claims == "1 of the lab's 2 claims holds"
    assert RunView(run(case(), verdict=verdict(Claim("a", Answer.YES)))).claims == "The lab's claim holds"
    unjudged = verdict(Claim("a", Answer.CANNOT), quiet=Answer.NO)
    assert RunView(run(case(), verdict=unjudged)).claims == "The lab makes 1 claim; none is judged here"


def test_columns_that_say_nothing_are_left_out() -> None:
    view = CaseView(case(repeat([replace(span(start=10.0 + at), rank=-1) for at in range(3)])), "case-1")
    assert view.tasks().headings[:4] == ("task", "node", "process", "thread")  # each task is its own chunk, no rank
    assert view.tasks().headings[-1] == "outcome"  # no phases
    assert len(view.tasks().rows[0]) == len(view.tasks().headings)


def test_the_machine_is_told_in_words() -> None:
    view = RunView(run(case(), environment={"gil": True, "cpus": 2, "image": "sha256:" + "ab" * 32, "odd": "x"}))
    assert view.machine == [
        ("GIL", "yes"),
        ("CPUs", "2"),
        ("image of the nodes (digest)", "abababababab"),
        ("odd", "x"),
    ]


def test_a_program_has_the_facts_of_its_end() -> None:
    ranks = [span(seconds=4.0, cpu_s=cpu_s, pid=rank) for rank, cpu_s in enumerate((0.1, 0.5))]
    made = case(repeat(ranks, metrics={f"{PEAK}node-1": 34.0}), ideal_s=None, serial_s=None)
    view = RunView(run(made, command=("python", "solver.py"), exit_code=0)).cases[0]
    found = dict(view.groups()["the program"])
    assert (found["CPU"], found["peak memory"]) == ("node-1 0.60 s", "node-1 34 MB")
    assert found["imbalance"] == "rank 1 on node-1 used 0.50 s of CPU, 1.7 times the mean"
    assert view.headline() == [("measured", "4.00 s")]


def test_a_program_s_tasks_do_not_look_like_computing() -> None:
    made = case(repeat([span(run_delay_s=None)]), ideal_s=None, serial_s=None)
    chart = case_chart(made, "case-1")
    assert chart is not None
    drawn: Any = chart.model.select_one({"name": "measured"})
    assert [item.label.value for item in drawn.legend[0].items] == ["a process"]


def test_a_short_pause_between_two_tasks_is_no_idle_worker() -> None:
    steps = [(0.0, 1), (0.0, 2), (1.0, 1), (1.001, 2), (2.0, 1), (2.5, 2), (3.0, 0)]
    assert without_dips(steps, 0.01) == [(0.0, 1), (0.0, 2), (1.001, 2), (2.0, 1), (2.5, 2), (3.0, 0)]


def test_time_without_a_reading_is_not_told_as_no_use() -> None:
    late = tuple(replace(one, at=one.at - 89) for one in readings(used_s=1.0))  # from a second after the first task on
    launch = repeat([span(seconds=5.0)], nodes={"node-1": NodeRecord(0.25, readings=late)})
    plot = cpu_used(launch, cpu_use(launch), Range1d(start=0, end=5))
    unread: Any = next(one for one in plot.renderers if one.name == "not read")
    assert (unread.data_source.data["left"], unread.data_source.data["right"]) == ([0.0], [1.0])


@pytest.mark.parametrize("chart", ["overview", "case-1", "account", "scaling-1"])
def test_a_still_of_what_is_no_measurement_says_so(chart: str) -> None:
    cases = [case_on(1), case_on(2)]
    noisy = run(*cases, verdict=verdict(quiet=Answer.NO))
    assert f"{noisy.id}: not a measurement" in chart_of(chart, noisy)
    assert "not a measurement" not in chart_of(chart, run(*cases))


@pytest.mark.parametrize("chart", ["both", "A-1", "B-2"])
def test_a_still_of_a_comparison_says_which_of_both_is_no_measurement(chart: str) -> None:
    good, noisy = run(case_on(1)), run(case_on(1), case_on(2), id="noisy", verdict=verdict(quiet=Answer.NO))
    page = chart_of(chart, good, noisy)
    assert "noisy: not a measurement" in page
    assert f"{good.id}: not a measurement" not in page
    with pytest.raises(UsageError, match=r"one of both, A-1, B-1, B-2, found 'A-2'"):
        chart_of("A-2", good, noisy)


@pytest.mark.parametrize("words", ["reads 1", "withdrawal writes 100, and much else besides", 300 * "long "])
def test_the_last_mark_has_room_for_its_words(words: str) -> None:
    made = case(repeat([span(seconds=2.0, phases=(Phase(words, 12.0, 12.0),))]), ideal_s=2.0)
    chart = case_chart(made, "case-1")
    assert chart is not None
    axis: Any = chart.model.select_one({"name": "time"})
    room = (axis.end - 2.0) / (axis.end - axis.start)
    assert min(0.5, share_of_axis(words, MARK_PIXELS)) <= room <= 0.55


def test_the_axis_of_a_case_that_failed_early_is_not_that_of_its_ideal() -> None:
    early = case(repeat([span(seconds=0.5)], outcome="OSError"), ideal_s=40.0)
    chart = case_chart(early, "case-1")
    assert chart is not None
    axis: Any = chart.model.select_one({"name": "time"})
    assert axis.end < 1.1


def test_the_axis_of_time_opens_at_0_and_has_the_start_up_to_the_left() -> None:
    chart = case_chart(case(repeat([span(seconds=1.0)], startup_s=60.0), ideal_s=1.0), "case-1")
    assert chart is not None
    axis: Any = chart.model.select_one({"name": "time"})
    assert -0.1 < axis.start < 0.0
    assert axis.bounds[0] < -60.0
