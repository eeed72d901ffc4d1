"""A comparison as a reader sees it: who is faster, the bars, the folds, one axis for both, and paper."""

from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page

from parlab.report.page import comparison
from parlab.results.record import Answer, Finding, MeasuredCase, Run
from tests.browser.conftest import WIDTH, Open
from tests.unit.samples import case, repeat, run, span, verdict

TIME = "name => { const time = timeOf(name); return [time.start, time.end] }"
NARROW: Any = {"width": 400, "height": 900}


def taking(seconds: float, chunk: int, launches: int = 5) -> MeasuredCase:
    """A case with launches that hardly differ."""
    times = [seconds * (1 + 0.001 * launch) for launch in range(launches)]
    return case(
        *(repeat([span(seconds=time)]) for time in times), name=f"pool(chunk={chunk})", settings={"chunk": chunk}
    )


def two(*times: tuple[float, float]) -> tuple[Run, Run]:
    first = run(*(taking(one, chunk) for chunk, (one, _) in enumerate(times, 1)))
    return first, run(*(taking(other, chunk) for chunk, (_, other) in enumerate(times, 1)), id="second")


FIVE = two((4.0, 4.0), (4.0, 2.0), (4.0, 4.8), (4.0, 4.0), (4.0, 3.6))


def open_folds(page: Page) -> list[str]:
    return page.locator("details.case[open] h3").all_inner_texts()


@pytest.mark.parametrize("width", [WIDTH, 400])
def test_the_first_screen_says_which_is_faster(width: int, open_page: Open) -> None:
    page = open_page(comparison(*FIVE), size={"width": width, "height": 900}).page
    for words in ("B was faster beyond the noise in 2 of 5 cases", "now A, now B is faster"):
        box = page.get_by_text(words).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_cases_that_differ_most_are_open(open_page: Open) -> None:
    page = open_page(comparison(*FIVE)).page
    assert open_folds(page) == ["pool(chunk=2)", "pool(chunk=3)", "pool(chunk=5)"]
    page.locator("table.bars a", has_text="chunk=4").click()
    page.wait_for_function("document.getElementById('B-4').dataset.drawn === 'yes'")
    assert "pool(chunk=4)" in open_folds(page)


def test_each_case_has_a_bar_for_each_run_and_says_in_words_how_they_compare(open_page: Open) -> None:
    page = open_page(comparison(*FIVE)).page
    rows = page.locator("table.bars tbody tr.member")
    assert rows.count() == 5
    second, third = rows.nth(1), rows.nth(2)
    widths = [(bar.bounding_box() or {"width": 0})["width"] for bar in second.locator(".track i").all()]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)
    assert second.locator(".track b").count() == 2
    assert second.locator("td[data-of='B against A']").inner_text().startswith("50.0 % shorter, ±")
    assert third.locator("td[data-of='B against A']").inner_text().startswith("20.0 % longer, ±")
    assert rows.first.locator("td[data-of='B against A']").inner_text().startswith("as long, ±")


def test_both_runs_of_a_case_share_an_axis_that_opens_at_0_and_move_together(open_page: Open) -> None:
    page = open_page(comparison(*FIVE)).page
    a, b, other = (page.evaluate(TIME, name) for name in ("A-2", "B-2", "A-3"))
    assert a == b == other
    assert a[0] == pytest.approx(0, abs=0.02 * a[1])
    page.get_by_label("each case its own").check()
    assert page.evaluate(TIME, "A-2") == page.evaluate(TIME, "B-2")
    assert page.evaluate(TIME, "A-2")[1] < page.evaluate(TIME, "A-3")[1]
    page.locator("#A-2").focus()
    page.keyboard.press("+")
    assert page.evaluate(TIME, "A-2") == page.evaluate(TIME, "B-2") != a
    assert page.evaluate(TIME, "A-3")[0] < page.evaluate(TIME, "A-2")[0]


def test_a_above_b_in_a_fold(open_page: Open) -> None:
    page = open_page(comparison(*FIVE)).page
    a, b = (page.locator(f"#{name}").bounding_box() for name in ("A-2", "B-2"))
    assert a is not None
    assert b is not None
    assert a["x"] == b["x"]
    assert a["y"] + a["height"] <= b["y"]


def test_paper_is_complete_at_once_and_nothing_is_cut(open_page: Open) -> None:
    page = open_page(comparison(*FIVE), drawn=False).page
    page.set_viewport_size({"width": 720, "height": 1000})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("svg.on-paper:visible").count() == 10
    assert page.locator("div.chart:visible").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(open_folds(page)) == 3


def test_what_hinders_a_comparison_is_loud_and_the_rest_quiet(open_page: Open) -> None:
    first, _ = two((4.0, 4.0))
    noisy = run(
        taking(3.0, 1),
        id="b",
        backend="embedded",
        environment={**first.environment, "cpu": "Model 2", "git": "def"},
        verdict=verdict(quiet=Answer.NO),
    )
    page = open_page(comparison(first, noisy)).page
    assert page.locator(".sentence").inner_text().startswith("Which is faster cannot be told: the times of B")
    told = "\n".join(page.locator(".verdict .differs").all_inner_texts())
    assert "Different hosts: cpu Model 1 and Model 2." in told
    assert "Different backends" in told
    assert page.get_by_text("git abc and def").is_hidden()
    page.get_by_text("What else differs").click()
    assert page.get_by_text("git abc and def").is_visible()


@pytest.mark.parametrize("width", [WIDTH, 400])
def test_nothing_is_wider_than_the_window_however_long_the_evidence(width: int, open_page: Open) -> None:
    long = replace(FIVE[1], verdict=replace(verdict(), held=Finding(Answer.NO, "node-1: 0.25 " * 30, "try again")))
    page = open_page(comparison(FIVE[0], long), size={"width": width, "height": 900}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.get_by_text("Try again.").is_visible()


def test_cases_of_different_labs_have_rows_of_their_own(open_page: Open) -> None:
    page = open_page(comparison(run(case()), run(case(), lab="other", id="b"))).page
    assert page.locator(".sentence").inner_text() == "A and B ran different labs: none of their times are compared."
    assert page.locator("table.bars tbody tr").count() == page.locator("details.case").count() == 2
    assert "Different labs: sample and other" in page.locator("main").inner_text()


@pytest.mark.parametrize("size", [{"width": WIDTH, "height": 900}, NARROW])
def test_charts_follow_the_width_of_the_window(size: Any, open_page: Open) -> None:
    page = open_page(comparison(*FIVE), size=size).page
    chart, main = page.locator("#A-2").bounding_box(), page.locator("main").bounding_box()
    assert chart is not None
    assert main is not None
    assert 0.9 * main["width"] <= chart["width"] <= main["width"]
