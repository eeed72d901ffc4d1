"""The report of 10 000 spans: its size, the time to write it, and the time until a browser has drawn all of it.

    .venv/bin/python -m benchmarks.report

The limits are 5 MB and 3 s; a small report beside it shows the spans' share.
"""

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from parlab.report.export import OPTIONS, find_browser
from parlab.report.page import report
from tests.unit.samples import case, many_spans, repeat, run

TIMES = 5


def page_of(workers: int, tasks: int) -> str:
    """The report of a run with this many workers, each with this many tasks."""
    return report([run(case(repeat(many_spans(workers, tasks))))])


def opened(page: Page, file: Path) -> float:
    """Seconds until the page has drawn all of its charts."""
    began = time.perf_counter()
    page.goto(file.as_uri())
    page.wait_for_function("document.body.dataset.drawn === 'yes'")
    return time.perf_counter() - began


def main() -> None:
    """Measure both and print a line each."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(OPTIONS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        for workers, tasks in ((2, 4), (32, 313)):
            began = time.perf_counter()
            text = page_of(workers, tasks)
            wrote_s = time.perf_counter() - began
            file = Path(folder, f"{tasks}.html")
            file.write_text(text, "utf-8")
            seconds = sorted(opened(page, file) for _ in range(TIMES))
            print(
                f"{workers * tasks:6} spans: {file.stat().st_size / 1e6:.2f} MB, written in {wrote_s:.1f} s, "
                f"drawn in {seconds[0]:.2f} to {seconds[-1]:.2f} s, median {seconds[TIMES // 2]:.2f}"
            )
        browser.close()


if __name__ == "__main__":
    main()
