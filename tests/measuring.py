"""A busy host fails no test: a claim spoiled by it is tried again, then counted as *not measured*.

A test reports in one of two ways that it cannot measure. If the instrument has judged a run, the test has the
mark `judged`, and passes the verdict to `measured`. If the test measures times itself, it has the mark `measures`: its
assertions may fail in some tries, and in all tries while other programs use the CPU. In both cases, the whole test
function runs again after a pause. Tests of the first kind check everything that needs no quiet host, such as the
results, before that, in every try. `./invoke test` runs tests of both kinds one after the other, beside no other test.

With `--require-measurements`, a test that stays unmeasured is a failure.
"""

import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from parlab.results.record import Answer, Verdict
from parlab.task.pace import Scale, VirtualCore

SPREAD = "PYTEST_XDIST_WORKER"  # in the environment of a process that runs some of the tests
OPTION = "--require-measurements"
CATEGORY = "not measured"
TRIES = 3  # of one test
PAUSE_S = 10.0  # before the next: what disturbs is often short, such as a browser's start
SESSION_S = 240.0  # that pauses and further tries may cost in all: a host may be busy for the whole session
TEST_S = 90.0  # after which a test is not begun again: its timeout (pyproject.toml) is for all of its tries
STANDS_STILL = 0.01  # of a burn's CPU time; where a machine does not, it is nothing
FOREIGN_CPUS = 0.15  # that others may use; the daemons of an idle machine take less than a third of it


class NotMeasured(Exception):
    """The host did not let the test measure; unless `excusable`, even the last try must have worked."""

    def __init__(self, reason: str, *, excusable: bool = True) -> None:
        super().__init__(reason)
        self.excusable = excusable


def measured(verdict: Verdict) -> None:
    """Raise NotMeasured unless the verdict is that of a measurement that decides each claim.

    Limits that do not hold while the host is quiet are not noise. They may spoil some tries, e.g. by a burst during the
    unpaced burn; if they spoil all tries, the test fails.
    """
    assert SPREAD not in os.environ, "a test that needs a quiet host has the mark `judged`: this one runs beside others"
    if not verdict.is_measurement:
        noisy = verdict.quiet.answer is Answer.NO
        raise NotMeasured((verdict.quiet if noisy else verdict.held).evidence, excusable=noisy)
    if verdict.reproduced.answer is Answer.UNDECIDED:
        raise NotMeasured(verdict.reproduced.evidence)


def shown(verdict: Verdict) -> None:
    """Raise NotMeasured unless the verdict is that of a measurement that shows each claim.

    A virtual machine has noise that it cannot see itself, e.g. memory that is slow for an instant. So a claim may fail
    in some tries; if it fails in all tries, the test fails.
    """
    measured(verdict)
    if verdict.reproduced.answer is Answer.NO:
        raise NotMeasured(verdict.reproduced.evidence, excusable=False)


@dataclass(frozen=True)
class HostUse:
    """CPU seconds used on this machine, and the part of them used by this process and its ended children."""

    at: float
    spent_s: float | None  # None where the kernel does not say
    ours_s: float

    @classmethod
    def now(cls, stat: Path = Path("/proc/stat")) -> "HostUse":
        times = os.times()
        ours_s = times.user + times.system + times.children_user + times.children_system
        try:
            user, nice, system, _idle, _io, irq, softirq, stolen = map(int, stat.read_text().split()[1:9])
        except (OSError, ValueError):
            return cls(time.monotonic(), None, ours_s)
        ticks = user + nice + system + irq + softirq + stolen
        return cls(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), ours_s)

    def foreign_cpus(self, later: "HostUse") -> float:
        """CPUs used by other processes since then, or withheld by a hypervisor."""
        if self.spent_s is None or later.spent_s is None:
            return 0.0
        return (later.spent_s - self.spent_s - (later.ours_s - self.ours_s)) / max(later.at - self.at, 0.01)


class Retries:
    """The time that a session may still spend on further tries."""

    def __init__(self) -> None:
        self.left_s = SESSION_S

    def again(self, test: Callable[..., object], compares_times: bool) -> Callable[..., object]:
        """Wrap the test: it runs until it is measured, or until there is no more time for tries."""

        @wraps(test)
        def run(*args: Any, **kwargs: Any) -> object:
            began = first_end = time.monotonic()
            for number in range(1, TRIES + 1):
                try:
                    return one_try(test, compares_times, *args, **kwargs)
                except NotMeasured as why:
                    now = time.monotonic()
                    first_end = now if number == 1 else first_end
                    late = now - began > TEST_S or now - first_end > self.left_s
                    if number == TRIES or (late and (why.excusable or number > 1)):
                        self.left_s -= now - first_end
                        raise
                    time.sleep(PAUSE_S)
            raise AssertionError("the last try returns or raises")

        return run


def one_try(test: Callable[..., object], compares_times: bool, *args: Any, **kwargs: Any) -> object:
    """Run a test once. Raises NotMeasured if it compares times and fails; excusable if others used the CPU."""
    before = HostUse.now()
    try:
        return test(*args, **kwargs)
    except AssertionError as error:
        if not compares_times:
            raise
        failed = (str(error).splitlines() or ["an assertion failed"])[0]
        if (foreign := before.foreign_cpus(HostUse.now())) > FOREIGN_CPUS:
            raise NotMeasured(f"others used {foreign:.1f} CPUs: {failed}") from error
        if (still := standing_still()) > STANDS_STILL:
            raise NotMeasured(f"the machine stood still, {still:.0%}: {failed}") from error
        raise NotMeasured(failed, excusable=False) from error


def standing_still() -> float:
    """The fraction of a burn's CPU time in which this machine stands still, like some virtual ones: worst of three."""
    shares = []
    for _ in range(3):
        core = VirtualCore(Scale(speed=1 / 8))
        core.burn(1)
        shares.append(core.held_up_s() / core.scale.speed)
    return max(shares)


# pytest's hooks.

RETRIES = pytest.StashKey[Retries]()
REASON = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="fail, rather than count, what a busy host kept unmeasured")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RETRIES] = Retries()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    if isinstance(item, pytest.Function):
        compares_times = item.get_closest_marker("measures") is not None
        item.obj = item.config.stash[RETRIES].again(item.obj, compares_times)
    try:
        yield
    except NotMeasured as why:
        if not why.excusable and isinstance(why.__cause__, AssertionError):
            raise why.__cause__ from None
        if item.config.getoption(OPTION) or not why.excusable:
            pytest.fail(f"{CATEGORY}: {why}", pytrace=False)
        item.stash[REASON] = str(why)
        pytest.skip(f"{CATEGORY}: {why}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and REASON in item.stash:
        report.user_properties.append((CATEGORY, item.stash[REASON]))
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    if report.when == "call" and CATEGORY in dict(report.user_properties):
        return CATEGORY, "N", (CATEGORY.upper(), {"yellow": True})
    return None


def unmeasured(reporter: pytest.TerminalReporter) -> dict[str, str]:
    """The reason why each test was not measured, by the test's id."""
    return {str(report.nodeid): dict(report.user_properties)[CATEGORY] for report in reporter.getreports(CATEGORY)}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if found := unmeasured(terminalreporter):
        terminalreporter.section(f"{CATEGORY}: the host was busy", yellow=True)
        for test, why in found.items():
            terminalreporter.write_line(f"{test}: {why}")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the count as the last line, even if it is 0, so that a log shows that everything was measured."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not config.getoption("collectonly"):
        reporter.write_line(f"claims {CATEGORY}: {len(unmeasured(reporter))}")
