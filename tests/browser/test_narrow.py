"""What only a browser sees: text over text, words broken inside, what is cut; on a narrow page and on paper."""

from typing import Any

import pytest
from playwright.sync_api import Page

from parlab.model.span import Phase
from parlab.report.page import report
from parlab.results.record import MeasuredCase
from tests.browser.conftest import Open
from tests.unit.samples import case, case_on, raised, repeat, run, span

NARROW: Any = {"width": 400, "height": 900}
# The words of marks that are drawn: of each its left and right end on the screen, and its row.
WORDS = """name => [...figures(views.get(name))].flatMap(plot => {
    const words = plot.model.renderers.find(one => one.name === "mark words")
    if (!words) return []
    const { x, row, shown, align } = words.data_source.data
    return shown.map((text, at) => {
        const place = plot.frame.x_scale.compute(x[at]) + (align[at] === "left" ? 9 : -9), wide = widthOf(text)
        return text && [row[at], ...(align[at] === "left" ? [place, place + wide] : [place - wide, place]), text]
    }).filter(Boolean)
})"""
# Titles and legends of a chart: how wide their words are, and how wide their chart is.
TOLD = """name => [...figures(views.get(name))].map(plot => [
    Math.max(0, ...(plot.model.title?.text ?? "").split("\\n").map(line => widthOf(line, "14px", "bold"))),
    ...plot.model.above.filter(one => one.type === "Legend").map(one => total(
        one.items.map(({ label }) => widthOf(label.value) + one.glyph_width + one.label_standoff),
        one.ncols,
        one.spacing,
    )),
    plot.frame.bbox.width,
])"""
# Words of the page that are broken inside: a word is as high as one line, unless it is.
BROKEN = """() => {
    const found = [], range = document.createRange()
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT)
    for (let node; (node = walker.nextNode()); ) {
        if (!node.parentElement.checkVisibility() || node.parentElement.closest("code, pre, .chart, svg")) continue
        for (const word of node.data.matchAll(/\\w+/g)) {
            range.setStart(node, word.index)
            range.setEnd(node, word.index + word[0].length)
            const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)))
            if (lines.size > 1) found.push(word[0])
        }
    }
    return found
}"""


def setting(**settings: Any) -> MeasuredCase:
    told = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return case(name=f"to_csv_and_back({told})", settings=settings)


def marked() -> MeasuredCase:
    marks = tuple(
        Phase(f"{who} {what}", 10 + at, 10 + at)
        for at, who, what in ((0.2, "deposit", "reads 100"), (0.6, "deposit", "writes 101"), (0.7, "it", "ends"))
    )
    return case(repeat([span(phases=marks), span(pid=2)]), ideal_s=1.0)


def places(page: Page) -> list[tuple[int, float, float, str]]:
    found: list[tuple[int, float, float, str]] = page.evaluate(WORDS, "case-1")
    return found


@pytest.mark.parametrize("width", [1280, 700, 400])
def test_no_words_of_marks_are_written_over_each_other(width: int, open_page: Open) -> None:
    page = open_page(report([run(marked())]), size={"width": width, "height": 900}).page
    found = places(page)
    assert len(found) == (3 if width == 1280 else len(found))
    assert found
    for row, _, right, text in found:
        assert all(right <= left for other, left, _, name in found if other == row and name > text)


def test_words_of_marks_follow_the_width_of_the_window(open_page: Open) -> None:
    page = open_page(report([run(marked())])).page
    assert len(places(page)) == 3
    page.set_viewport_size(NARROW)
    page.wait_for_function(f"({WORDS})('case-1').length < 3")


def test_titles_and_legends_fit_a_narrow_page(open_page: Open) -> None:
    idle = case(repeat([span(phases=(Phase("a", 10.2, 10.4), Phase("b", 10.5, 10.5)))]), ideal_s=2.0)
    page = open_page(report([run(idle, case_on(2), case_on(4))]), size=NARROW).page
    for name in ("case-1", "case-2", "scaling-1"):
        for *words, room in page.evaluate(TOLD, name):
            assert max(words) <= room + 1


def test_a_title_of_several_lines_is_not_cut(open_page: Open) -> None:
    page = open_page(report([run(case_on(2))]), size=NARROW).page
    lines = """[...figures(views.get("case-1"))].map(plot => [
        plot.frame.bbox.top, plot.model.title.text.split("\\n").length
    ])"""
    found = page.evaluate(lines)
    assert max(count for _, count in found) > 1
    assert all(top >= 16 * count for top, count in found)


@pytest.mark.parametrize("width", [1280, 1024, 400])
def test_no_word_is_broken_inside(width: int, open_page: Open) -> None:
    cases = [setting(jobs="computing", workers=workers, convert=True) for workers in (4, 8)]
    failing = case(raised("AuthenticationError"), declared="AuthenticationError", name="pool_in_a_pool")
    page = open_page(report([run(*cases, failing, case_on(1))]), size={"width": width, "height": 900}).page
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_case_is_one_line_of_the_first_table(open_page: Open) -> None:
    cases = [setting(jobs="computing", workers=workers, convert=True) for workers in range(1, 14)]
    page = open_page(report([run(*cases)])).page
    rows = page.locator("table.bars").first.locator("tr.member")
    heights = [(row.bounding_box() or {"height": 99})["height"] for row in rows.all()]
    assert len(heights) == 13
    assert max(heights) < 32


def test_paper_keeps_its_tables_and_the_words_of_marks(open_page: Open) -> None:
    page = open_page(report([run(marked(), case_on(2))]), drawn=False).page
    page.set_viewport_size({"width": 720, "height": 1000})  # of a sheet: narrower than many a phone's layout
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("table.bars thead").first.is_visible()
    assert page.locator("table.bars td.number").first.evaluate("cell => getComputedStyle(cell).display") == "table-cell"
    assert page.evaluate("getComputedStyle(document.querySelector('.case')).breakInside") == "avoid"
    for words in ("deposit reads 100", "deposit writes 101", "it ends", "host CPUs used"):
        assert page.locator("svg.on-paper text", has_text=words).first.is_visible()


def test_the_tick_of_the_ideal_stays_in_its_row(open_page: Open) -> None:
    page = open_page(report([run(case())]), size=NARROW).page
    tick, below = page.locator(".track b").first, page.locator("table.bars td[data-of]").first
    tick_box, text_box = tick.bounding_box(), below.bounding_box()
    assert tick_box is not None
    assert text_box is not None
    assert tick_box["y"] + tick_box["height"] <= text_box["y"]
