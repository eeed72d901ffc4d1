"""A real browser without a network; it opens pages from files. The runs on the pages are made up."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from parlab.report.export import OPTIONS, find_browser

SECONDS = 60
WIDTH, HEIGHT = 1280, 900
Open = Callable[..., "Opened"]


class Opened:
    """A page, with its requests and its complaints."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._asked)
        page.set_default_timeout(1000 * SECONDS)

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=find_browser(), args=list(OPTIONS))
        yield made
        made.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open the text of a page from a file, offline; at the end, there must be neither other requests nor complaints."""
    opened: list[Opened] = []

    def open_it(text: str, *, name: str = "page with a blank.html", drawn: bool = True, **context: Any) -> Opened:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        size: Any = context.pop("size", {"width": WIDTH, "height": HEIGHT})
        made = browser.new_context(offline=True, viewport=size, **context)
        found = Opened(made.new_page())
        opened.append(found)
        found.page.goto(file.as_uri())
        if drawn and found.page.locator("script.chart").count():
            found.page.wait_for_function("document.body.dataset.drawn === 'yes'")
        return found

    yield open_it
    for found in opened:
        own, *others = found.requests
        assert own.startswith("file://")
        assert [url for url in others if not url.startswith(("data:", "blob:"))] == []
        assert found.complaints == []
        found.page.context.close()
