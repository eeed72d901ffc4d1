"""A case's figures on its page."""

from dataclasses import replace

from parlab.report.case_view import CaseView
from parlab.results.record import MeasuredCase
from tests.unit.samples import case, took


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
