"""Runs of all labs: with which code they exit when some do not run, or break off."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from docker.errors import APIError

from parlab.commands import course
from parlab.errors import EXIT_NOT_A_MEASUREMENT, Interrupted, RunError, UsageError
from parlab.results.record import Run
from parlab.run.request import Output, Request
from tests.unit.samples import case, failed_run, noisy_repeat, run

GOOD, NOISY, BROKEN = run(case()), run(case(noisy_repeat()), lab="noisy"), failed_run(case())
TOO_LARGE, DOWN = UsageError("more than the 2 CPUs"), RunError("node-2 did not come up")
INTERRUPTED = failed_run(text="interrupted", exit_code=130)


@pytest.mark.parametrize(
    ("came", "code", "asked"),
    [
        ([GOOD], 0, None),
        ([GOOD, NOISY], EXIT_NOT_A_MEASUREMENT, None),
        ([GOOD, TOO_LARGE], 2, None),
        ([TOO_LARGE, NOISY], 2, None),
        ([TOO_LARGE, BROKEN], 4, None),
        ([GOOD, TOO_LARGE, DOWN, GOOD], 4, 3),
        ([TOO_LARGE, INTERRUPTED, GOOD], 130, 2),
        ([GOOD, Interrupted("interrupted while the cluster starts"), GOOD], 130, 2),
        ([GOOD, APIError("no space left"), GOOD], 4, 2),
    ],
)
def test_whatever_comes_of_the_labs_they_are_summed_up_and_the_code_is_the_gravest(
    came: list[Run | BaseException],
    code: int,
    asked: int | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    left: Iterator[Run | BaseException] = iter(came)
    told = 0

    def run_one(*_: object) -> Run:
        nonlocal told
        told += 1
        found = next(left)
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(course, "run_one", run_one)
    labs = course.handouts()[: len(came)]
    monkeypatch.setattr(course, "handouts", lambda: labs)
    report = tmp_path / "all.xml"
    with pytest.raises(SystemExit) if code else nullcontext() as ended:
        course.run_all(Request(), Output(check=True, quiet=True, junit=report))
    assert (ended.value.code if ended else 0) == code
    assert told == (asked or len(came))
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["lab", "correct"]
    assert lines[told + 1].split()[0] == "all"  # a line each, and no more
    assert sum("not run" in line for line in lines[: told + 1]) == sum(
        isinstance(one, BaseException) for one in came[:told]
    )
    assert report.read_text().count("<testsuite ") == told
