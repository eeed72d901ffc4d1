"""Exported charts where the browser does not do as it should; that it draws is shown by tests/browser."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from parlab.errors import ParlabError, UsageError
from parlab.report import export
from tests.conftest import within


@pytest.fixture
def a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands in for the browser, and the only one that is found; its text is to be written."""
    folder, temporary = tmp_path / "bin", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(export, "BROWSERS", ("stand-in",))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    program = folder / "stand-in"
    program.touch(mode=0o755)
    return program


def left_over(program: Path) -> list[Path]:
    return list((program.parent.parent / "tmp").iterdir())


def test_a_picture_is_what_the_page_has_put_into_itself(a_browser: Path) -> None:
    a_browser.write_text("#!/bin/sh\necho '<html><pre id=\"picture\">&lt;svg&gt;\u22121&lt;/svg&gt;</pre></html>'\n")
    assert export.picture("page", "svg").decode() == "<svg>\u22121</svg>"
    assert left_over(a_browser) == []


def test_a_browser_that_draws_nothing_is_told_with_its_last_words(a_browser: Path) -> None:
    a_browser.write_text("#!/bin/sh\necho 'cannot open display' >&2\nexit 3\n")
    with pytest.raises(ParlabError, match=r"drew no chart; exit code 3\.[^\n]*\n  cannot open display"):
        export.picture("page", "png")
    assert left_over(a_browser) == []


def test_a_browser_that_hangs_is_ended_and_leaves_nothing(a_browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "DEADLINE_S", 3.0)
    pid = a_browser.with_name("pid")
    a_browser.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {pid}\nwait || true\n")  # it starts the true browser
    began = time.monotonic()
    with pytest.raises(ParlabError, match=r"within 3\.0 s; close other programs and try again"):
        export.picture("page", "svg")
    assert time.monotonic() - began < 30
    within(5, lambda: not Path(f"/proc/{pid.read_text().strip()}").exists())
    assert left_over(a_browser) == []


def test_a_program_that_cannot_be_run_is_an_error_in_words(a_browser: Path) -> None:
    a_browser.write_text("#!/nowhere/sh\n")
    with pytest.raises(ParlabError, match="could not be used"):
        export.picture("page", "svg")


def test_without_a_browser_it_says_which_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BROWSERS", ("no-such-browser",))
    with pytest.raises(UsageError, match="Chrome, Chromium or Edge"):
        export.picture("page", "svg")
