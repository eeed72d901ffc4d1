"""Exports charts, for slides: a headless browser draws a page with one chart.

The browser is an installed Chrome, Chromium or Edge. The chart writes its picture as text into the page, and the
browser returns the resulting page. Options as of https://developer.chrome.com/docs/chromium/headless
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

# Chromium comes after the browsers that bring a sandbox profile. Without a profile it ends at once; an example is its
# plain build, unpacked on Ubuntu 24.04 (https://github.com/actions/runner-images/issues/12096).
BROWSERS = (
    *("google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge", "chromium", "chromium-browser"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
DEADLINE_S = 60  # a chart takes about 3 s
END_S = 5  # for the browser to end, once it is told to
PATIENCE_MS = 30_000  # by the page's own clock, which runs ahead while nothing happens
OPTIONS = ("--no-sandbox",) if os.geteuid() == 0 else ()  # root cannot use the sandbox; the page is our own
PICTURE = re.compile(r'<pre id="picture">(.*?)</pre>', re.DOTALL)


def find_browser() -> str:
    """Find an installed browser. Raises UsageError if there is none."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise UsageError(
        "no Chrome, Chromium or Edge was found, and one of them exports a chart: install one, or print the report"
    )


def picture(page: str, kind: str) -> bytes:
    """Return the picture of the page's one chart. Raises UsageError without a browser, ParlabError if it fails."""
    browser = find_browser()
    try:
        with tempfile.TemporaryDirectory(prefix="parlab-", ignore_cleanup_errors=True) as folder:
            code, dom, complaint = _opened(browser, page, kind, Path(folder))
    except OSError as error:
        raise ParlabError(f"{browser} could not be used: {error}") from error
    if not (chart := PICTURE.search(dom)):
        last = "\n  ".join(complaint.strip().splitlines()[-5:])
        raise ParlabError(
            f"{browser} drew no chart; exit code {code}. A snap may not read {tempfile.gettempdir()}:\n  {last}"
        )
    text = unescape(chart[1])
    return text.encode() if kind == "svg" else base64.b64decode(text.partition(",")[2])


def _opened(browser: str, page: str, kind: str, folder: Path) -> tuple[int, str, str]:
    """Open a page; return the browser's exit code, the resulting page, and standard error. Raises ParlabError."""
    file = folder / "export.html"
    file.write_text(page, "utf-8")
    command = [
        *(browser, "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile", *OPTIONS),
        *("--window-size=1040,800", f"--virtual-time-budget={PATIENCE_MS}", "--dump-dom", f"{file.as_uri()}#{kind}"),
    ]
    dom, complaint = folder / "said", folder / "complaint"
    with dom.open("wb") as out, complaint.open("wb") as err:
        env = {**os.environ, "TMPDIR": str(folder)}
        with child(command, signal.SIGTERM, END_S, env=env, stdout=out, stderr=err) as process:
            try:
                code = process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired as error:
                what = f"{browser} did not draw the chart within {DEADLINE_S} s; close other programs and try again"
                raise ParlabError(what) from error
    return code, dom.read_text("utf-8", "replace"), complaint.read_text("utf-8", "replace")
