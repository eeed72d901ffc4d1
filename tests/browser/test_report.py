"""Reports as a reader sees them: what is drawn, told by hovering, by keyboard, in words, in the dark and on paper."""

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from parlab.model.span import LOCK_HELD, LOCK_WAIT, Phase
from parlab.report.page import comparison, index, report
from parlab.results.record import Answer, Claim, Failure, Run
from tests.browser.conftest import HEIGHT, WIDTH, Open
from tests.unit.samples import (
    ENVIRONMENT,
    case,
    case_on,
    embedded_run,
    failed_run,
    many_spans,
    noisy_repeat,
    raised,
    repeat,
    run,
    span,
    spans,
    verdict,
)

BLUE = (0x00, 0x72, 0xB2)
MARKED = span(
    start=10.0,
    seconds=3.0,
    phases=(Phase(LOCK_WAIT, 10.5, 11.0), Phase(LOCK_HELD, 11.0, 12.0), Phase("reads 100", 11.5, 11.5)),
)
RUNS = {
    "one size": run(case(), environment=ENVIRONMENT | {"platform": "Linux-" + "6" * 100}),
    "sizes and repeats": run(case_on(1), case_on(2), case_on(4, repeats=3)),
    "phases": run(case(repeat([MARKED]))),
    "a task failed": run(case(repeat([replace(span(), outcome="OSError")], outcome="OSError"), declared="OSError")),
    "raised": run(case(raised(), declared="ValueError")),
    "wrong": run(case(repeat(outcome="wrong", complaint="the results differ"))),
    "not a measurement": run(case(noisy_repeat())),
    "broken off": failed_run(case()),
    "empty": failed_run(),
    "nothing at all": run(),
    "embedded": embedded_run(),
}

# What is drawn, by the page's own account: of each figure, how many things each of its glyphs shows.
GLYPHS = """name => [...figures(views.get(name))].map(plot => [plot.model.name, plot.model.renderers
    .map(glyph => [glyph.name, glyph.data_source.get_length()])])"""
# Where on the screen a point of a figure is, in its own coordinates.
PLACE = """([name, part, x, y]) => {
    const plot = [...figures(views.get(name))].find(plot => plot.model.name === part)
    const box = plot.canvas_view.el.getBoundingClientRect()
    return [box.x + plot.frame.x_scale.compute(x), box.y + plot.frame.y_scale.compute(y)]
}"""
TIME = "name => { const time = timeOf(name); return [time.start, time.end] }"


def counts(page: Page, chart: str, part: str) -> dict[str, int]:
    found: dict[str, Any] = dict(page.evaluate(GLYPHS, chart))
    return {name: count for name, count in found[part] if name}


def place(page: Page, chart: str, part: str, x: float, y: float) -> tuple[float, float]:
    """Scroll there; where it then is in the window."""
    page.locator(f"#{chart}").scroll_into_view_if_needed()
    at: tuple[float, float] = page.evaluate(PLACE, [chart, part, x, y])
    page.evaluate("([x, y]) => window.scrollBy(0, y - innerHeight / 2)", at)
    x_, y_ = page.evaluate(PLACE, [chart, part, x, y])
    return x_, y_


def brightness(shot: bytes) -> list[int]:
    """Of every pixel, from 0 to 765."""
    data = Image.open(io.BytesIO(shot)).convert("RGB").tobytes()
    return [sum(data[at : at + 3]) for at in range(0, len(data), 3)]


def colour_at(page: Page, x: float, y: float) -> tuple[int, ...]:
    shot = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    return Image.open(io.BytesIO(shot)).convert("RGB").getpixel((0, 0))  # type: ignore[return-value]


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS)
def test_any_run_has_a_page_that_opens_without_a_network_or_a_complaint(made: Run, open_page: Open) -> None:
    page = open_page(report([made])).page
    assert page.locator("h1").inner_text().startswith("lab.sample")
    for question in ("correct", "held", "quiet", "reproduced"):
        assert page.get_by_role("rowheader", name=question, exact=True).is_visible()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("empty", "This run broke off, with exit code 4: node-2 is gone"),
        ("empty", "No case was measured"),
        ("nothing at all", "No case was measured"),
        ("broken off", "This run broke off"),
        ("not a measurement", "Invalid measurement: ignore these numbers."),
        ("wrong", "A result is wrong"),
        ("embedded", "Embedded: the nodes are simulated"),
    ],
)
def test_a_page_says_first_what_its_figures_are_not(name: str, told: str, open_page: Open) -> None:
    page = open_page(report([RUNS[name]])).page
    assert any(told in alert for alert in page.get_by_role("alert").all_inner_texts())


def test_a_run_with_nothing_to_say_first_says_nothing(open_page: Open) -> None:
    assert open_page(report([RUNS["one size"]])).page.get_by_role("alert").count() == 0


def test_the_gantt_has_exactly_one_bar_a_span_and_phase(open_page: Open) -> None:
    page = open_page(report([RUNS["sizes and repeats"], RUNS["phases"]])).page
    for number, nodes in enumerate((1, 2, 4), 1):
        assert counts(page, f"run-1-case-{number}", "measured")["task"] == len(spans(nodes))
    assert counts(page, "run-2-case-1", "measured") == {
        "task": 1,
        LOCK_WAIT: 1,
        LOCK_HELD: 1,
        "mark": 1,
        "mark words": 1,
        "start-up": 1,
        "shut-down": 1,
        "ideal end": 1,
    }


def test_a_bar_is_where_its_task_was(open_page: Open) -> None:
    page = open_page(report([RUNS["one size"]])).page  # rows: the node, its two workers
    assert colour_at(page, *place(page, "case-1", "measured", 0.5, 1.6)) == BLUE
    assert colour_at(page, *place(page, "case-1", "measured", 0.5, 0.6)) != BLUE


def test_waiting_and_what_is_lost_do_not_look_like_computing(open_page: Open) -> None:
    asleep = span(seconds=4.0, cpu_s=0.0, waited_s=4.0)
    held_back = span(seconds=4.0, cpu_s=0.25, run_delay_s=2.0, pid=2)
    page = open_page(report([run(case(repeat([asleep, held_back])))])).page
    found = counts(page, "case-1", "measured")
    assert (found["task"], found["waiting"], found["contended"]) == (2, 1, 1)
    for y in (1.4, 1.6, 1.8):  # all of it waited
        assert colour_at(page, *place(page, "case-1", "measured", 2.1, y)) != BLUE
    assert colour_at(page, *place(page, "case-1", "measured", 2.1, 2.8)) == BLUE  # half of it computed
    assert colour_at(page, *place(page, "case-1", "measured", 2.1, 2.4)) != BLUE


def test_hovering_tells_a_task_s_facts(open_page: Open) -> None:
    page = open_page(report([RUNS["one size"]])).page
    page.mouse.move(*place(page, "case-1", "measured", 1.5, 1.6))
    page.locator(".bk-tooltip-row-label").first.wait_for()
    assert page.locator(".bk-tooltip-row-label").all_inner_texts()[:2] == ["took:", "ideally:"]
    for what, value in {
        "took": "1.0000 s",
        "ideally": "1.0000 s",
        "task": "3 of 8",
        "chunk": "2",
        "node": "node-1",
        "rank": "2",
        "process": "2, thread 1",
        "started": "1.0000 s",
        "finished": "2.0000 s",
        "CPU seconds": "0.1250",
        "outcome": "ok",
    }.items():
        row = page.locator(".bk-tooltip-row-label", has_text=what).first
        row.wait_for()
        told = page.locator(f".bk-tooltip-row-label:text-is('{what}:') + .bk-tooltip-row-value")
        assert told.inner_text() == value


def test_the_keyboard_reaches_a_chart_and_moves_in_time(open_page: Open) -> None:
    page = open_page(report([RUNS["one size"]])).page
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "case-1":
            break
    assert page.evaluate("document.activeElement.id") == "case-1"
    start, end = page.evaluate(TIME, "case-1")
    page.keyboard.press("+")
    nearer = page.evaluate(TIME, "case-1")
    assert start < nearer[0] < nearer[1] < end
    page.keyboard.press("ArrowRight")
    moved = page.evaluate(TIME, "case-1")
    assert moved[0] > nearer[0]
    assert moved[1] - moved[0] == pytest.approx(nearer[1] - nearer[0])
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    least = page.evaluate(TIME, "case-1")[0]
    assert least < -0.4 < start < 0  # the start-up, which is folded away
    page.keyboard.press("0")
    everything = page.evaluate(TIME, "case-1")
    assert everything[0] == least
    assert everything[1] > end
    page.keyboard.press("Home")
    assert page.evaluate(TIME, "case-1") == [start, end]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"  # a chart is one stop


def test_charts_of_one_axis_move_together(open_page: Open) -> None:
    page = open_page(report([run(case(), case())])).page
    page.locator("#case-1").focus()
    page.keyboard.press("+")
    assert page.evaluate(TIME, "case-2") == page.evaluate(TIME, "case-1")
    page.get_by_label("each case its own").check()
    page.locator("#case-1").focus()
    page.keyboard.press("+")
    assert page.evaluate(TIME, "case-2") != page.evaluate(TIME, "case-1")


def test_all_cases_have_one_axis_of_time_or_each_its_own(open_page: Open) -> None:
    short = case(repeat([span(seconds=1.0)]), ideal_s=1.0)
    page = open_page(report([run(case(), short)])).page
    assert page.evaluate(TIME, "case-1") == page.evaluate(TIME, "case-2")
    assert -0.1 < page.evaluate(TIME, "case-2")[0] <= 0
    page.get_by_label("each case its own").check()
    assert page.evaluate(TIME, "case-1")[1] > 4
    assert 1 < page.evaluate(TIME, "case-2")[1] < 1.1
    page.get_by_label("one for all cases").check()
    assert page.evaluate(TIME, "case-1") == page.evaluate(TIME, "case-2")


def test_a_key_leads_back_to_what_a_chart_showed_at_first(open_page: Open) -> None:
    page = open_page(report([run(case(repeat(startup_s=60.0)))])).page  # fifteen times as long as the tasks
    first = page.evaluate(TIME, "case-1")
    page.locator("#case-1").focus()
    page.keyboard.press("0")
    assert page.evaluate(TIME, "case-1")[0] < first[0] - 50
    page.keyboard.press("Home")
    assert page.evaluate(TIME, "case-1") == first


def test_a_chart_that_cannot_be_drawn_says_so_and_hides_no_other(open_page: Open) -> None:
    broken = re.sub(r'(data-chart="case-1">).*', r"\1{</script>", report([run(case(), case())]))
    opened = open_page(broken)
    assert "could not be drawn" in opened.page.locator("#case-1").inner_text()
    assert counts(opened.page, "case-2", "measured")["task"] == 8
    opened.complaints.clear()


def test_the_ideal_is_left_out_where_two_runs_do_not_have_the_same(open_page: Open) -> None:
    page = open_page(comparison(run(case()), run(case(ideal_s=8.0), id="b"))).page
    assert page.locator(".track b").count() == 0
    page = open_page(comparison(run(case()), run(case(), id="b"))).page
    assert page.locator(".track b").count() == 2


def test_dragging_pans_all_figures_of_a_case_together(open_page: Open) -> None:
    page = open_page(report([RUNS["one size"]])).page
    page.locator("#case-1").focus()
    page.keyboard.press("+")
    before = page.evaluate(TIME, "case-1")
    x, y = place(page, "case-1", "measured", 2.0, 1.6)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=5)
    page.mouse.up()
    after = page.evaluate(TIME, "case-1")
    assert after[0] < before[0]


def test_the_first_screen_answers_the_question(open_page: Open) -> None:
    handout = "sample: what it is about\n\nQuestion   How long on one node, and on four?\n"
    made = run(
        case_on(1), case_on(2), case_on(4), handout=handout, verdict=verdict(Claim("four are faster", Answer.YES))
    )
    page = open_page(report([made])).page
    for words in ("How long on one node", "Four are faster.", "what shows held", "reproduced"):
        box = page.get_by_text(words).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < HEIGHT, words
    assert page.locator(".track").first.is_visible()


def test_the_contents_stay_and_lead_into_what_is_folded(open_page: Open) -> None:
    page = open_page(report([run(*[case() for _ in range(5)])])).page
    folds = page.locator("details.case")
    assert [fold.get_attribute("open") is not None for fold in folds.all()] == [True, True, True, False, False]
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_role("navigation", name="contents").get_by_role("link", name="Measured").click()
    page.get_by_role("link", name="pool(nodes=1)").nth(4).click()
    expect(folds.nth(4)).to_have_attribute("open", "")  # the browser tells of a new hash a little later
    page.wait_for_function("document.getElementById('case-5').dataset.drawn === 'yes'")
    assert counts(page, "case-5", "measured")["task"] == 8


def test_every_chart_has_its_words_and_its_tables(open_page: Open) -> None:
    page = open_page(report([RUNS["sizes and repeats"]])).page
    charts = page.locator(".chart[role=figure]")
    assert charts.count() == 4  # three cases, more workers
    for words in ("Ideal and measured", "Where the time went"):  # bars in a table
        rows = page.locator("section", has=page.get_by_role("heading", name=words)).get_by_role("row")
        assert rows.all_inner_texts()[1] == "pool"  # the function, above its cases
        assert rows.count() == 5
    for chart in charts.all():
        assert len(chart.get_attribute("aria-label") or "") > 40
        assert chart.get_attribute("tabindex") == "0"
    page.get_by_text("All figures, workers and tasks as tables").first.click()
    assert page.get_by_role("columnheader", name="first start, s").first.is_visible()


def test_a_law_is_fitted_from_three_sizes_and_five_and_told_in_words(open_page: Open) -> None:
    said = open_page(report([run(*map(case_on, (1, 2)))])).page.locator("main").inner_text()
    assert "Too few sizes, 2: Amdahl's law needs 3, the Universal Scalability Law needs 5." in said
    said = open_page(report([run(*map(case_on, (1, 2, 3, 4, 6)))])).page.locator("main").inner_text()
    assert "of the work cannot be shared out" in said
    assert "of the work waits its turn" in said
    assert "with 2 to 12 workers" in said


def test_no_law_is_fitted_to_what_is_no_measurement(open_page: Open) -> None:
    noisy = run(*map(case_on, (1, 2, 3, 4, 6)), verdict=verdict(quiet=Answer.NO))
    said = open_page(report([noisy])).page.locator("main").inner_text()
    assert "No law is fitted" in said
    assert "cannot be shared out" not in said


def test_a_run_of_five_cases_is_at_most_3500_pixels_high(open_page: Open) -> None:
    page = open_page(report([run(*map(case_on, (1, 2, 4, 4, 4)))])).page
    assert page.evaluate("document.documentElement.scrollHeight") <= 3500


def test_nothing_is_wider_than_the_window(open_page: Open) -> None:
    page = open_page(report(list(RUNS.values()))).page
    for width in (WIDTH, 800, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_in_charts_can_be_read_in_light_and_dark(scheme: str, open_page: Open) -> None:
    page = open_page(report([RUNS["one size"]]), color_scheme=scheme).page
    x, y = place(page, "case-1", "measured", page.evaluate(TIME, "case-1")[0], 2.5)
    shot = page.screenshot(clip={"x": x - 110, "y": y - 10, "width": 100, "height": 20})  # the name of a row
    shades = sorted(brightness(shot))
    if scheme == "light":
        assert shades[0] < 200
        assert shades[-1] > 700
    else:
        assert shades[0] < 120
        assert shades[-1] > 550


def test_charts_follow_the_page_when_it_goes_dark(open_page: Open) -> None:
    page = open_page(report([RUNS["one size"]]), color_scheme="light").page
    x, y = place(page, "case-1", "measured", page.evaluate(TIME, "case-1")[0], 2.5)
    clip: Any = {"x": x - 110, "y": y - 10, "width": 100, "height": 20}
    page.emulate_media(color_scheme="dark")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert max(brightness(page.screenshot(clip=clip))) > 550


def test_on_paper_it_is_dark_on_white_and_complete_at_once(open_page: Open) -> None:
    made = run(*map(case_on, (1, 2, 3, 4, 6)))
    page = open_page(report([made]), color_scheme="dark", drawn=False).page  # nothing waits for the charts
    page.set_viewport_size({"width": 720, "height": 1000})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pictures = page.locator("svg.on-paper")
    assert pictures.count() == page.locator("div.chart").count() == 6
    for picture in pictures.all():
        box = picture.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 720
        shades = brightness(picture.screenshot())
        assert min(shades) < 150  # words
        assert sorted(shades)[len(shades) // 2] == 765  # on white
    assert page.locator("summary", has_text="measured").count() == 5
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen", color_scheme="dark")
    assert not pictures.first.is_visible()
    assert page.locator("details.case[open]").count() == 3
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"


def test_what_a_record_says_is_text_and_never_a_part_of_the_page(open_page: Open) -> None:
    evil = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    phases = (Phase(evil, 10.1, 10.2), Phase(evil, 10.3, 10.3))
    own = [replace(one, node=evil, outcome=evil, phases=phases) for one in spans()]
    made = run(
        case(repeat(own), name=f"pool({evil})", nodes=("head", evil)),
        failure=Failure(evil, 4),
        environment={evil: evil},
        verdict=verdict(Claim(evil, Answer.NO, evil)),
        handout=f"x: {evil}\n\nQuestion   {evil}",
    )
    opened = open_page(report([made]))
    opened.page.mouse.move(*place(opened.page, "case-1", "measured", 0.5, 1.6))
    opened.page.get_by_text("CPU seconds:").first.wait_for()
    for text in (comparison(made, made), index({1: made}, [evil])):
        assert open_page(text).page.locator("img[src=x]").count() == 0
    assert opened.page.locator("img[src=x]").count() == 0


def test_the_handout_of_the_run_is_on_its_page(open_page: Open) -> None:
    text = "sample: what it is about\n\nQuestion   What is left?\n\nTraps      - One.\n           - Two.\n"
    page = open_page(report([run(case(), handout=text)])).page
    assert page.locator("h1").inner_text() == "lab.sample: what it is about"
    assert page.get_by_text("What is left?").is_visible()
    page.locator("summary", has_text="what it is about").click()
    assert page.locator("p.item").all_inner_texts() == ["One.", "Two."]
    assert "no handout" in open_page(report([run(case())])).page.locator("main").inner_text()


def test_cases_of_one_name_are_all_drawn(open_page: Open) -> None:
    page = open_page(report([run(case(), case(), case())])).page
    assert "pool(nodes=1), 3" in page.locator("table.bars").first.inner_text()
    page = open_page(comparison(run(case(), case()), run(case()))).page
    assert page.locator("summary h3").all_inner_texts() == ["pool(nodes=1)", "pool(nodes=1), 2"]


def test_the_index_links_every_run_and_filters(open_page: Open) -> None:
    runs = {1: run(case(), id="2-b"), 2: run(case(), id="1-a", lab="other"), 3: failed_run()}
    page = open_page(index(runs, ["3-c: required a record"])).page
    assert page.locator("tbody a").all_inner_texts() == ["sample", "other", "sample"]
    assert page.locator("tbody a").first.get_attribute("href") == "2-b.html"
    assert "3-c: required a record" in page.locator("main").inner_text()
    page.get_by_label("lab").select_option("sample")
    assert page.locator("tbody tr:visible").count() == 2
    page.get_by_label("verdict").select_option("broke off")
    assert page.locator("tbody tr:visible").count() == 1
    assert page.get_by_role("status").inner_text() == "1 of 3"
    page.get_by_label("lab").select_option("other")
    assert page.locator("tbody tr:visible").count() == 0
    assert page.get_by_label("host").locator("option").all_inner_texts() == ["all", "Model 1, 2 CPUs"]
    assert "There is no run yet" in open_page(index({}, [])).page.locator("main").inner_text()


def test_ten_thousand_spans_stay_small_and_can_be_moved(open_page: Open) -> None:
    own = many_spans(32, 313)
    text = report([run(case(repeat(own)))])
    assert len(text.encode()) <= 5_000_000
    page = open_page(text).page  # in less than SECONDS; how long it takes, benchmarks/report.py tells
    assert counts(page, "case-1", "measured")["task"] == len(own) == 10_016
    page.locator("#case-1").focus()
    for key in ("+", "+"):
        page.keyboard.press(key)
    before = page.evaluate(TIME, "case-1")
    page.keyboard.press("ArrowRight")
    after = page.evaluate(TIME, "case-1")
    assert after[0] > before[0]
    assert after[1] - before[1] == pytest.approx(after[0] - before[0])
