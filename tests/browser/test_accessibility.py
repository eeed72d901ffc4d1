"""Pages as an accessibility engine sees them: axe (https://github.com/dequelabs/axe-core) has no complaint."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from parlab.report.page import comparison, index, report
from parlab.results.record import Answer, Claim
from tests.browser.conftest import WIDTH, Open
from tests.browser.test_report import RUNS
from tests.unit.samples import case, case_on, run, verdict

HANDOUT = "sample: what it is about\n\nQuestion   How long?\n\nRun        ./invoke lab.sample\n\nTraps      - One.\n"
CLAIMS = verdict(Claim("as quick as ideal", Answer.YES), Claim("quicker", Answer.CANNOT), reproduced=Answer.YES)
ODD = ("phases", "raised", "not a measurement", "empty", "embedded")
PAGES: dict[str, Callable[[], str]] = {
    "one run": lambda: report([run(*map(case_on, (1, 2, 3, 4, 6)), verdict=CLAIMS, handout=HANDOUT)]),
    "all kinds of runs": lambda: report([RUNS[name] for name in ODD]),
    "a comparison": lambda: comparison(run(case_on(1), case_on(2)), run(case_on(1), case_on(2), id="second")),
    "a comparison of different labs": lambda: comparison(
        run(case_on(1), case_on(2)), run(case(), lab="other", id="second", verdict=verdict(quiet=Answer.NO))
    ),
    "the index": lambda: index({1: run(case(), id="2-b"), 2: RUNS["broken off"]}, ["3-c: unreadable"]),
}


@pytest.mark.parametrize(("width", "theme"), [(WIDTH, "light"), (400, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, width: int, theme: str, open_page: Open) -> None:
    page: Any = open_page(PAGES[name](), color_scheme=theme).page
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    page.wait_for_function("[...document.querySelectorAll('div.chart')].every(chart => chart.dataset.drawn === 'yes')")
    found = Axe().run(page)
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()


def test_the_first_key_leads_past_the_contents(open_page: Open) -> None:
    page = open_page(PAGES["one run"]()).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the answer"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
