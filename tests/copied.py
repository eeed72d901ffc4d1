"""A copy of the project, in which labs may be changed, and its commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import PATIENCE, ROOT

COPIED = ("parlab", "labs", "tasks.py", "requirements", "pyproject.toml", "compose.yaml", "docker")
CHECKED = ("tests", "docs", "README.md", "CONTRIBUTING.md")  # what its own tests need besides


def copy_of_the_project(folder: Path, *more: str) -> Path:
    """Copy the files that commands need, and `more` files, into a folder."""
    for name in (*COPIED, *more):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def invoke_in(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `invoke ARGUMENTS` in a copy."""
    return run_in(checkout, "invoke", *arguments)


def run_in(checkout: Path, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a Python module as a program in a copy."""
    env = {**os.environ, "PYTHONPATH": str(checkout), "PARLAB_RESULTS": str(checkout / "results")}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=checkout, env=env, capture_output=True, text=True, timeout=PATIENCE * 60, check=False
    )
