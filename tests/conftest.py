"""Shared by all tests: the user's command line and, if there is one, the container engine."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from hypothesis import HealthCheck, settings

from parlab.backend import embedded
from parlab.backend.engine import connect
from parlab.errors import UsageError
from parlab.host import cluster_lock, detached, places, questions
from parlab.report.export import find_browser
from parlab.run import invocation

pytest_plugins = ["pytester", "tests.measuring", "tests.spreading"]

ROOT = Path(__file__).resolve().parents[1]
Invoke = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE = 4  # times the seconds that a thing takes on an idle host: a deadline ends a hang, it measures nothing
FIRST, LAST = ("unit", "embedded"), ("browser", "cluster")  # folders: the quick and the telling first


# What some tests need, by their marker, which is their folder's name, too: the option that makes it a must, and how to
# look for it.
NEEDS: dict[str, tuple[str, Callable[[], object]]] = {
    "cluster": ("--require-engine", lambda: connect().close()),
    "browser": ("--require-browser", find_browser),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the tests marked `slow`, too")
    for marker, (option, _) in NEEDS.items():
        parser.addoption(
            option, action="store_true", help=f"fail, rather than skip tests/{marker}, where there is none"
        )


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile("busy host", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy host")
    for option, look in NEEDS.values():
        if config.getoption(option):
            try:
                look()
            except UsageError as error:
                raise pytest.UsageError(f"{option}: {error}") from error


@pytest.hookimpl(trylast=True)  # after pytest's own order, which groups tests by their fixtures' parameters
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their needs, skip those whose need is unmet, deselect slow ones, and run telling tests first."""
    for marker, (option, look) in NEEDS.items():
        marked = [item for item in items if f"/tests/{marker}/" in item.path.as_posix()]
        for item in marked:
            item.add_marker(marker)
        if not marked or config.getoption(option):
            continue
        try:
            look()
        except UsageError as error:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=str(error)))
    if not config.getoption("--all"):
        slow = [item for item in items if is_slow(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not is_slow(item)]
    items.sort(key=lambda item: (is_slow(item), rank_of(item.path)))


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def rank_of(path: Path) -> int:
    """The position of a file's folder in the order of tests; folders in neither FIRST nor LAST come in the middle."""
    order = (*FIRST, None, *LAST)
    (folder, *_) = path.relative_to(ROOT / "tests").parts
    return order.index(folder if folder in order else None)


@pytest.fixture(scope="session", autouse=True)
def _what_tests_leave_is_kept_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    results = tmp_path_factory.mktemp("results")
    os.environ["PARLAB_RESULTS"], invocation.RESULTS = str(results), results  # type: ignore[attr-defined]
    state = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(state)
    for module in (places, cluster_lock, questions, detached, embedded):  # each has read it by now
        module.STATE = state / "parlab"  # type: ignore[attr-defined]


def slow(value: object) -> ParameterSet:
    """Mark a parameter's value: with it, the test is slow."""
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Run `invoke ARGUMENTS` as a user does, and return the finished process."""

    def run(*arguments: str, seconds: float = 240, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "invoke", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=seconds, check=False
        )

    return run


def start_invoke(*arguments: str, **env: str) -> subprocess.Popen[str]:
    """Start `invoke ARGUMENTS`, with standard error as a pipe and without standard output."""
    command = [sys.executable, "-m", "invoke", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def within(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait until the condition is true; fail after PATIENCE times `seconds`, the time on an idle host."""
    until = time.monotonic() + PATIENCE * seconds
    while not condition():
        assert time.monotonic() < until, f"not within {PATIENCE * seconds} s"
        time.sleep(0.05)


@pytest.fixture
def lab_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a lab into a folder of its own and return its path."""

    def write(code: str) -> Path:
        path = tmp_path / "sample.py"
        path.write_text(code)
        return path

    return write
