"""For those who change the project: all checks in one command, and the locks."""

import os
import subprocess
import sys
from pathlib import Path

from parlab.environment import ROOT, ensure_installed
from parlab.errors import ParlabError

BIN = Path(sys.executable).parent
LOCKS = ("host", "node", "dev")  # in this order: a later one keeps to the versions of the earlier


class ChecksFailed(ParlabError):
    """A linter, type checker or test said no."""

    exit_code = 1


def test(require_engine: bool) -> None:
    """Run linter, type checker and tests, and stop at the first that fails. Raises ChecksFailed."""
    ensure_installed("node", print)
    ensure_installed("dev", print)
    engine = ["--require-engine"] if require_engine else []
    for command in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["pytest", *engine],
    ):
        print(f"$ {' '.join(command)}", flush=True)
        if code := subprocess.call([str(BIN / command[0]), *command[1:]], cwd=ROOT):
            raise ChecksFailed(f"{command[0]} failed with exit code {code}")


def lock() -> None:
    """Resolve requirements/*.in for all platforms into hashed files that name no package index."""
    ensure_installed("dev", print)
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header"]
    for name in LOCKS:
        command = [
            str(BIN / "uv"),
            "pip",
            "compile",
            "--quiet",
            "--upgrade",
            *options,
            f"{name}.in",
            "-o",
            f"{name}.txt",
        ]
        if code := subprocess.call(
            command, cwd=ROOT / "requirements", env={**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "./invoke lock"}
        ):
            raise ParlabError(f"uv could not resolve requirements/{name}.in, exit code {code}; its words are above")
