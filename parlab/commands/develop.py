"""Commands for developers of the project: all checks in one command, and the lock files."""

import os
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
LOCKS = ("host", "node", "report", "dev")  # in this order: each keeps the versions of the earlier ones
UV_OPTIONS = (
    *("--quiet", "--upgrade", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-emit-index-url", "--no-header"),
)


def test(options: Sequence[str]) -> None:
    """Run linter, type checker and tests, and stop at the first that fails; `options` are for the tests.

    Raises ChecksFailed.
    """
    for lock in LOCKS[1:]:
        ensure_installed(lock, print)
    for command in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["pytest", "--durations=10", *options],
    ):
        print(f"$ {' '.join(command)}", flush=True)
        # On an interrupt, pytest takes its clusters down before it ends.
        with child([str(BIN / command[0]), *command[1:]], signal.SIGINT, CLEAN_UP_SECONDS, cwd=ROOT) as process:
            code = process.wait()
        if code:
            raise ChecksFailed(f"{command[0]} failed with exit code {code}")


def write_locks() -> None:
    """Resolve requirements/*.in for all platforms, into files with hashes but no package index. Raises ParlabError."""
    ensure_installed("dev", print)
    env = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "./invoke dev.pin"}
    for name in LOCKS:
        files = [f"{name}.in", "--output-file", f"{name}.txt"]
        command = [str(BIN / "uv"), "pip", "compile", *UV_OPTIONS, *files]
        if code := subprocess.call(command, cwd=ROOT / "requirements", env=env):
            raise ParlabError(f"uv failed on requirements/{name}.in with exit code {code}; its output is above")
