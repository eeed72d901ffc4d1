"""What becomes of a claim that a busy host spoils: tried again, counted, and a failure where that is asked for."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parlab.results.record import Answer, Finding, Verdict
from tests import measuring
from tests.conftest import ROOT
from tests.measuring import HostUse, NotMeasured, measured, shown

Tested = Callable[..., pytest.RunResult]

FILE = """
import pytest
from tests.measuring import HostUse, NotMeasured
tries = []

def spoiled(count, **facts):
    tries.append(0)
    if len(tries) <= count:
        raise NotMeasured("noise", **facts)

"""
BUSY, QUIET = 1.5, 0.05  # CPUs that others use


@pytest.fixture(autouse=True)
def _beside_no_other_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(measuring.SPREAD, raising=False)


@pytest.fixture
def tested(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Tested:
    """Run a test file with the mechanism, on a host of which others use so many CPUs."""
    monkeypatch.setattr(measuring, "PAUSE_S", 0.0)

    def run(code: str, *options: str, foreign: float = QUIET, still: float = 0.0) -> pytest.RunResult:
        monkeypatch.setattr(HostUse, "foreign_cpus", lambda self, later: foreign)
        monkeypatch.setattr(measuring, "standing_still", lambda: still)
        pytester.makeini("[pytest]\nmarkers = measures: takes times")
        pytester.makepyfile(FILE + code)
        return pytester.runpytest_inprocess("-p", "tests.measuring", "-p", "no:cacheprovider", *options)

    return run


def counts(result: pytest.RunResult) -> dict[str, int]:
    return {kind: number for kind, number in result.parseoutcomes().items() if number}


def test_a_test_that_is_spoiled_is_tried_again(tested: Tested) -> None:
    result = tested("def test_it(): spoiled(2)")
    assert counts(result) == {"passed": 1}
    assert result.outlines[-1] == "claims not measured: 0"


def test_what_stays_spoiled_is_counted_with_its_reason_and_fails_nothing(tested: Tested) -> None:
    result = tested("def test_it(): spoiled(9)\ndef test_well(): assert len(tries) == 3")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*not measured: the host was busy*", "*::test_it: noise", "*1 passed, 1 not measured*"]
    )
    assert result.outlines[-1] == "claims not measured: 1"


def test_with_measurements_required_it_fails(tested: Tested) -> None:
    result = tested("def test_it(): spoiled(9)", "--require-measurements")
    assert counts(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*not measured: noise*"])


def test_what_fails_before_it_is_known_to_be_spoiled_fails(tested: Tested) -> None:
    result = tested("def test_it():\n    assert not 'right'\n    spoiled(9)", foreign=BUSY)
    assert counts(result) == {"failed": 1}


def test_what_noise_does_not_excuse_is_tried_again_and_then_fails(tested: Tested) -> None:
    assert counts(tested("def test_it(): spoiled(9, excusable=False)")) == {"failed": 1}
    assert counts(tested("def test_it(): spoiled(1, excusable=False)")) == {"passed": 1}


@pytest.mark.parametrize(
    ("mark", "foreign", "expected"),
    [
        ("@pytest.mark.measures", BUSY, {"not": 1}),  # of "not measured" the first word is read
        ("@pytest.mark.measures", QUIET, {"failed": 1}),
        ("", BUSY, {"failed": 1}),
    ],
)
def test_only_a_test_that_takes_times_may_fail_and_only_on_a_busy_host(
    tested: Tested, mark: str, foreign: float, expected: dict[str, int]
) -> None:
    assert counts(tested(f"{mark}\ndef test_it(tmp_path): assert not tmp_path", foreign=foreign)) == expected


@pytest.mark.parametrize(("foreign", "still"), [(BUSY, 0.0), (QUIET, 0.05), (QUIET, 0.0)])
def test_a_test_that_takes_times_is_tried_again(tested: Tested, foreign: float, still: float) -> None:
    code = "@pytest.mark.measures\ndef test_it():\n    tries.append(1)\n    assert len(tries) == 3"
    assert counts(tested(code, foreign=foreign, still=still)) == {"passed": 1}


def test_a_machine_that_stands_still_excuses_a_time(tested: Tested) -> None:
    assert counts(tested("@pytest.mark.measures\ndef test_it(): assert tries", still=0.05)) == {"not": 1}


def test_a_time_that_is_wrong_in_all_tries_on_a_quiet_host_fails_and_shows_its_assertion(tested: Tested) -> None:
    result = tested("@pytest.mark.measures\ndef test_it():\n    took = 3\n    assert took == 2")
    assert counts(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*assert took == 2*", "E*assert 3 == 2"])


def test_time_for_further_tries_ends(tested: Tested, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SESSION_S", -1.0)
    result = tested("def test_it(): spoiled(9)\ndef test_one_try(): assert len(tries) == 1")
    assert result.outlines[-1] == "claims not measured: 1"
    assert result.ret == 0
    assert counts(tested("def test_it(): spoiled(1, excusable=False)")) == {"passed": 1}  # all the same once more


# What is a measurement.


def verdict(held: Answer, quiet: Answer, reproduced: Answer = Answer.YES) -> Verdict:
    findings = (Finding(held, "a limit"), Finding(quiet, "somebody"), Finding(reproduced, "a claim"))
    return Verdict(Finding(Answer.YES, ""), *findings, ())


@pytest.mark.parametrize(
    ("held", "quiet", "excusable"), [("YES", "NO", True), ("NO", "NO", True), ("NO", "YES", False)]
)
def test_limits_that_do_not_hold_on_a_quiet_host_are_no_noise(held: str, quiet: str, excusable: bool) -> None:
    with pytest.raises(NotMeasured, match="somebody" if excusable else "a limit") as caught:
        measured(verdict(Answer[held], Answer[quiet]))
    assert caught.value.excusable is excusable


@pytest.mark.parametrize(("reproduced", "excusable"), [("UNDECIDED", True), ("NO", False)])
def test_a_claim_that_is_not_shown_may_spoil_one_try_but_not_all(reproduced: str, excusable: bool) -> None:
    with pytest.raises(NotMeasured, match="a claim") as caught:
        shown(verdict(Answer.YES, Answer.YES, Answer[reproduced]))
    assert caught.value.excusable is excusable


def test_a_verdict_is_asked_for_only_where_no_other_test_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(measuring.SPREAD, "gw0")
    with pytest.raises(AssertionError, match="the mark `judged`"):
        measured(verdict(Answer.YES, Answer.YES))


def test_a_lab_that_shows_its_claims_passes() -> None:
    shown(verdict(Answer.YES, Answer.YES))


@pytest.mark.parametrize("held", [Answer.YES, Answer.CANNOT])
def test_a_measurement_passes(held: Answer) -> None:
    measured(verdict(held, Answer.YES))


# How busy the host is.


def test_what_others_use_is_what_is_spent_and_not_ours() -> None:
    before, after = HostUse(10.0, 100.0, 3.0), HostUse(20.0, 115.0, 8.0)
    assert before.foreign_cpus(after) == pytest.approx(1.0)
    assert before.foreign_cpus(HostUse(20.0, None, 8.0)) == 0.0


def test_the_kernel_counts_idle_time_apart(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 20 30 9999 8888 4 5 6 0 0\ncpu0 1\n")
    ticks = os.sysconf("SC_CLK_TCK")
    assert HostUse.now(stat).spent_s == pytest.approx((100 + 20 + 30 + 4 + 5 + 6) / ticks)
    assert HostUse.now(tmp_path / "none").spent_s is None


# The order of the suite, and what is left out of it.


# One file of each folder, in the wrong order.
FILES = ("cluster/test_labs.py", "browser/test_export.py", "embedded/test_serial.py", "unit/test_spec.py")


def collected(*options: str) -> list[str]:
    files = [f"tests/{name}" for name in FILES]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *files, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_the_quick_tests_come_first_and_the_slow_ones_last_or_not_at_all() -> None:
    everything, default = collected("--all"), collected()
    slow = everything[len(default) :]
    assert everything == default + slow
    assert slow
    assert list(dict.fromkeys(test.split("::")[0] for test in default)) == [f"tests/{name}" for name in FILES[::-1]]
