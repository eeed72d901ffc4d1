"""A case's figures on its page."""

from dataclasses import replace

from parlab.report.case_view import CaseView
from parlab.report.page import report
from parlab.results.record import MeasuredCase
from tests.unit.samples import case, repeat, run, span, took


def ranks() -> MeasuredCase:
    """A program's case of three launches, each with another start-up."""
    launches = [
        took(seconds, startup_s=startup_s, shutdown_s=0.0) for seconds, startup_s in ((2, 0.2), (3, 0.3), (4, 0.9))
    ]
    return case(*launches, ideal_s=None, serial_s=None)


def test_a_program_s_launch_has_one_start_up_that_of_the_drawn_launch() -> None:
    view = CaseView(ranks(), "case-1", program=True)
    assert [value for name, value in view.figures() if name == "start-up"] == ["0.30 s"]


def test_what_nobody_measures_is_no_figure_of_a_program() -> None:
    view = CaseView(ranks(), "case-1", program=True)
    assert "shut-down" not in dict(view.figures())
    assert view.groups()["around it"] == [("spread", "66.7 % of 3 launches")]
    assert "around it" not in CaseView(case(took(2.0)), "case-1", program=True).groups()


def test_the_tasks_of_a_program_s_pools_have_both_ends() -> None:
    tasks = case(took(2.0, startup_s=0.5, shutdown_s=0.25), ideal_s=None, serial_s=None)
    found = dict(CaseView(replace(tasks, tasks=()), "case-1", program=True).figures())
    assert (found["start-up"], found["shut-down"]) == ("0.50 s", "0.25 s")


def test_a_process_for_each_task_is_listed_only_as_far_as_that_can_be_read() -> None:
    few, many = (case(repeat([span(pid=pid) for pid in range(1, count + 1)])) for count in (300, 301))
    assert [len(table.rows) for table, _ in CaseView(few, "case-1").tables()] == [300, 300]
    assert [(table.rows, count) for table, count in CaseView(many, "case-1").tables()] == [
        ((), "301 workers"),
        ((), "301 tasks"),
    ]
    text = report([run(many)]).partition("All figures, workers and tasks as tables")[2].partition("<script")[0]
    assert (
        "<p>301 workers: too many to list; the record, 20260102T030405-sample-abc123.json, has each of them.</p>"
        in text
    )
    assert "<p>301 tasks: too many to list; " in text
