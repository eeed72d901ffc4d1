"""The commands that draw, from the command line to the file; what is in a page, a browser shows (tests/browser)."""

from pathlib import Path

import pytest

from parlab.results.store import keep
from tests.conftest import Invoke
from tests.unit.samples import case, case_on, run

IDS = ("20260102T000002Z-sample-bbbbbb", "20260101T000001Z-sample-aaaaaa")  # the newest first


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    keep(run(case_on(1), case_on(2), id=IDS[0]), folder)
    keep(run(case(), id=IDS[1]), folder)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".json"}


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ((), f"{IDS[0]}.html"),
        (("2",), f"{IDS[1]}.html"),
        ((IDS[1],), f"{IDS[1]}.html"),
        (("1", "2"), "report.html"),
    ],
)
def test_report_writes_one_file_and_says_where(
    arguments: tuple[str, ...], written: str, results: Path, invoke: Invoke
) -> None:
    done = invoke("report", *arguments, PARLAB_RESULTS=str(results))
    assert done.returncode == 0, done.stderr
    assert names(results) == {written}
    assert done.stdout.startswith("written: ")
    assert written in done.stdout


def test_the_index_has_a_page_for_every_run_made_once(results: Path, invoke: Invoke) -> None:
    done = invoke("report", "--index", PARLAB_RESULTS=str(results))
    assert done.returncode == 0, done.stderr
    assert names(results) == {"index.html", *(f"{run_id}.html" for run_id in IDS)}
    assert len(done.stdout.splitlines()) == 3
    assert len(invoke("report", "--index", PARLAB_RESULTS=str(results)).stdout.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("--open",), ("2", "--open"), ("--index", "--open")])
def test_the_page_is_opened_in_the_users_browser(
    arguments: tuple[str, ...], results: Path, tmp_path: Path, invoke: Invoke
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    done = invoke("report", *arguments, PARLAB_RESULTS=str(results), BROWSER=f"{browser} %s")
    assert done.returncode == 0, done.stderr
    opened = (tmp_path / "opened").read_text().strip()
    assert opened.startswith("file://")
    assert done.stdout.splitlines()[-1].split()[1].endswith(Path(opened).name)


def test_a_page_has_all_runs_that_are_named_and_goes_where_it_is_asked_to(
    results: Path, tmp_path: Path, invoke: Invoke
) -> None:
    out = tmp_path / "a page.html"
    assert invoke("report", "2", "--out", str(out), "1", PARLAB_RESULTS=str(results)).returncode == 0
    text = out.read_text()
    assert all(f'id="run-{number}-{run_id}"' in text for number, run_id in enumerate(reversed(IDS), 1))
    assert names(results) == set()


def test_a_comparison_is_shown_and_drawn(results: Path, invoke: Invoke) -> None:
    done = invoke("compare", "1", "2", "--html", PARLAB_RESULTS=str(results))
    assert done.returncode == 0, done.stderr
    assert "B / A" in done.stdout
    assert names(results) == {"compare.html"}


@pytest.mark.parametrize(
    "command", [("report", "--index"), ("report",), ("lab.maps", "--backend", "embedded"), ("lab.all",)]
)
def test_results_that_cannot_be_a_folder_are_told_before_anything_is_done(
    command: tuple[str, ...], tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "results").touch()
    done = invoke(*command, PARLAB_RESULTS=str(tmp_path / "results"))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("report", "9"), "No run "),
        (("report", "1", "nonsense"), "No run "),
        (("report", "--out", "/nowhere/x.html"), "--out takes a file in a folder that can be written to"),
        (("report", "1", "--index"), "--index lists all runs"),
        (("report", "1", "--out", "run.json"), "that of a record"),
        (("compare", "1", "9", "--html"), "No run "),
        (("export", "case-1", "x.jpg"), "required a file whose name ends with .svg or .png"),
        (("export", "case-1", "x.svg", "--run", "9"), "No run "),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: tuple[str, ...], told: str, results: Path, invoke: Invoke
) -> None:
    done = invoke(*arguments, PARLAB_RESULTS=str(results))
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert names(results) == set()


def test_without_any_run_it_says_how_to_get_one(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("report", PARLAB_RESULTS=str(tmp_path))
    assert done.returncode == 2
    assert "run a lab first" in done.stderr
    assert invoke("report", "--index", PARLAB_RESULTS=str(tmp_path)).returncode == 0


def test_a_still_without_a_browser_says_what_it_needs(results: Path, invoke: Invoke) -> None:
    done = invoke("export", "case-1", str(results / "x.svg"), PARLAB_RESULTS=str(results), PATH="/nowhere")
    assert done.returncode == 2
    assert "Chrome, Chromium or Edge" in done.stderr
