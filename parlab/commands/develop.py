"""Commands for developers of the project: all checks in one command, and the lock files."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from parlab.errors import ChecksFailed, ParlabError
from parlab.host.environment import ensure_installed
from parlab.host.places import ROOT
from parlab.host.signals import child

BIN = Path(sys.executable).parent
CLEAN_UP_SECONDS = 120
PROCESSES = 4  # each with a cluster of its own; on fewer cores, too, since tests mostly wait
TAKE_TIMES = "measures or judged"  # marks of tests
SPREAD = ("-m", f"not ({TAKE_TIMES})", "-n", str(PROCESSES))
ALONE = ("-m", TAKE_TIMES)
NOTHING_SELECTED = 5  # pytest's exit code
LOCKS = ("host", "node", "report", "dev")  # in this order: each keeps the versions of the earlier ones
UV_OPTIONS = (
    *("--quiet", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-emit-index-url", "--no-header"),
)


def test(options: Sequence[str]) -> None:
    """Run linter, type checker and tests; `options` are for the tests. Raises ChecksFailed.

    Tests that take times run by themselves, after the others, which mostly wait and are spread over PROCESSES.
    """
    for lock in LOCKS[1:]:
        ensure_installed(lock, print)
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        if code := _run(command):
            raise ChecksFailed(f"{command[0]} failed with exit code {code}")
    selections = ((),) if any(option.startswith("-m") for option in options) else (SPREAD, ALONE)
    codes = [_run(["pytest", "--durations=10", *selection, *options]) for selection in selections]
    failed = [code for code in codes if code not in (0, NOTHING_SELECTED)]
    if failed or 0 not in codes:
        raise ChecksFailed(f"pytest failed with exit code {(failed or codes)[0]}")


def _run(command: Sequence[str]) -> int:
    """The exit code of a program of the environment. On an interrupt, pytest takes its clusters down before it ends."""
    print(f"$ {shlex.join(command)}", flush=True)
    with child([str(BIN / command[0]), *command[1:]], signal.SIGINT, CLEAN_UP_SECONDS, cwd=ROOT) as process:
        return process.wait()


def write_locks(upgrade: bool) -> None:
    """Resolve requirements/*.in for all platforms, into files with hashes but no package index. Raises ParlabError.

    Versions that are locked already stay, unless `upgrade`.
    """
    ensure_installed("dev", print)
    env = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "./invoke dev.pin"}
    for name in LOCKS:
        files = [f"{name}.in", "--output-file", f"{name}.txt"]
        command = [str(BIN / "uv"), "pip", "compile", *UV_OPTIONS, *["--upgrade"] * upgrade, *files]
        if code := subprocess.call(command, cwd=ROOT / "requirements", env=env):
            raise ParlabError(f"uv failed on requirements/{name}.in with exit code {code}; its output is above")
