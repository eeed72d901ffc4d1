"""Still pictures of charts, for slides: a browser that draws nothing on the screen draws the page with the one chart.

A Chrome, Chromium or Edge that is installed does that; it is asked for what it has made of the page, in which the chart
has put its picture as text. Options as of https://developer.chrome.com/docs/chromium/headless
"""

import base64
import os
import re
import shutil
import subprocess
import tempfile
from html import unescape
from pathlib import Path

from parlab.errors import ParlabError, UsageError

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
SECONDS = 60
PATIENCE_MS = 30_000  # of the page's own time, in which nothing is waited for that takes none
PICTURE = re.compile(r'<pre id="picture">(.*?)</pre>', re.DOTALL)


def find_browser() -> str:
    """The browser that draws. Raises UsageError where there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise UsageError(
        "a still needs Chrome, Chromium or Edge, and none was found; or open the report and use a chart's save tool"
    )


def picture(page: str, kind: str) -> bytes:
    """The picture that the page's one chart makes of itself. Raises ParlabError when the browser does not draw it."""
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="parlab-") as folder:
        file = Path(folder, "still.html")
        file.write_text(page, "utf-8")
        command = [
            *(browser, "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile"),
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # root has none to be put into; the page is our own
            *(
                "--window-size=1040,800",
                f"--virtual-time-budget={PATIENCE_MS}",
                "--dump-dom",
                f"{file.as_uri()}#{kind}",
            ),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise ParlabError(f"{browser} did not draw the chart within {SECONDS} s") from error
    if not (found := PICTURE.search(done.stdout)):
        last = "\n  ".join(done.stderr.strip().splitlines()[-5:])
        raise ParlabError(f"{browser} drew no chart; exit code {done.returncode}:\n  {last}")
    text = unescape(found[1])
    return text.encode() if kind == "svg" else base64.b64decode(text.partition(",")[2])
