"""What the tests share: the command line as a user has it, and the engine where there is one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from parlab.backend.engine import connect
from parlab.errors import UsageError
from parlab.report.export import find_browser

ROOT = Path(__file__).resolve().parents[1]
Invoke = Callable[..., subprocess.CompletedProcess[str]]


# What some tests need, by their marker, which is their folder's name, too: the option that makes it a must, and how to
# look for it.
NEEDS: dict[str, tuple[str, Callable[[], object]]] = {
    "cluster": ("--require-engine", lambda: connect().close()),
    "browser": ("--require-browser", find_browser),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for marker, (option, _) in NEEDS.items():
        parser.addoption(
            option, action="store_true", help=f"fail, rather than skip tests/{marker}, where there is none"
        )


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile("no deadline", deadline=None)  # a busy host is no failure
    settings.load_profile("no deadline")
    for option, look in NEEDS.values():
        if config.getoption(option):
            try:
                look()
            except UsageError as error:
                raise pytest.UsageError(f"{option}: {error}") from error


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
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


@pytest.fixture(scope="session", autouse=True)
def _results_of_tests_are_kept_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["PARLAB_RESULTS"] = str(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def invoke() -> Invoke:
    """Run `invoke ARGUMENTS` as a user does, and return the finished process."""

    def run(*arguments: str, seconds: float = 180, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "invoke", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=seconds, check=False
        )

    return run


def start_invoke(*arguments: str, **env: str) -> subprocess.Popen[str]:
    """Start `invoke ARGUMENTS`; what it says on standard error can be read."""
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
    """Wait until the condition is true, and fail when it is not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def lab_file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a lab into a folder of its own and return its path."""

    def write(code: str) -> Path:
        path = tmp_path / "sample.py"
        path.write_text(code)
        return path

    return write
