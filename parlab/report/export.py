"""Exported charts, for slides: a browser that draws nothing on the screen draws the page with the one chart.

A Chrome, Chromium or Edge that is installed does that; it is asked for what it has made of the page, in which the chart
has put its picture as text. Options as of https://developer.chrome.com/docs/chromium/headless
"""

import base64
import os
import re
import shutil
import signal
import subprocess
import tempfile
from html import unescape
from pathlib import Path

from parlab.errors import ParlabError, UsageError
from parlab.host.signals import child

# Chromium comes after those that bring a sandbox profile: without one, as where its plain build was unpacked on Ubuntu
# 24.04, it ends at once (https://github.com/actions/runner-images/issues/12096).
BROWSERS = (
    *("google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge", "chromium", "chromium-browser"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
DEADLINE_S = 60  # a chart takes some 3
END_S = 5  # that it has to end in, if it must
PATIENCE_MS = 30_000  # by the page's own clock, which runs ahead while nothing happens
OPTIONS = ("--no-sandbox",) if os.geteuid() == 0 else ()  # root has no sandbox to go into; the page is our own
PICTURE = re.compile(r'<pre id="picture">(.*?)</pre>', re.DOTALL)


def find_browser() -> str:
    """The browser that draws. Raises UsageError where there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise UsageError(
        "no Chrome, Chromium or Edge was found, and one of them exports a chart: install one, or print the report"
    )


def picture(page: str, kind: str) -> bytes:
    """The picture that the page's one chart makes of itself. Raises UsageError, or ParlabError when it fails."""
    browser = find_browser()
    try:
        with tempfile.TemporaryDirectory(prefix="parlab-", ignore_cleanup_errors=True) as folder:
            code, said, complaint = _opened(browser, page, kind, Path(folder))
    except OSError as error:
        raise ParlabError(f"{browser} could not be used: {error}") from error
    if not (found := PICTURE.search(said)):
        last = "\n  ".join(complaint.strip().splitlines()[-5:])
        raise ParlabError(
            f"{browser} drew no chart; exit code {code}. A snap may not read {tempfile.gettempdir()}:\n  {last}"
        )
    text = unescape(found[1])
    return text.encode() if kind == "svg" else base64.b64decode(text.partition(",")[2])


def _opened(browser: str, page: str, kind: str, folder: Path) -> tuple[int, str, str]:
    """Open a page; the browser's exit code, what it has made of the page, and its complaints. Raises ParlabError."""
    file = folder / "export.html"
    file.write_text(page, "utf-8")
    command = [
        *(browser, "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile", *OPTIONS),
        *("--window-size=1040,800", f"--virtual-time-budget={PATIENCE_MS}", "--dump-dom", f"{file.as_uri()}#{kind}"),
    ]
    said, complaint = folder / "said", folder / "complaint"
    with said.open("wb") as out, complaint.open("wb") as err:
        env = {**os.environ, "TMPDIR": str(folder)}
        with child(command, signal.SIGTERM, END_S, env=env, stdout=out, stderr=err) as process:
            try:
                code = process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired as error:
                what = f"{browser} did not draw the chart within {DEADLINE_S} s; close other programs and try again"
                raise ParlabError(what) from error
    return code, said.read_text("utf-8", "replace"), complaint.read_text("utf-8", "replace")
