"""Programs modelled on public bug reports, and the right result of each run; tests/cases/cases.toml has the format."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, ROOT

CASES = ROOT / "tests" / "cases"
OWN_SECONDS = 30  # of a program's own time, where the file does not say: generous
DEADLINE = 15
HANDS_OUT = re.compile("Pool|Executor|loky|Parallel")
LONG = ("out_of_memory", "large_messages", "loky_in_ranks", "progress_bar")


def all_cases() -> list[Any]:
    """All runs of programs, as parameters of a test, named after the program and its arguments."""
    found = tomllib.loads((CASES / "cases.toml").read_text(encoding="utf-8"))["case"]
    return [
        pytest.param(case, id="-".join([case["name"], *case.get("args", ())]), marks=_marks(case)) for case in found
    ]


def pooled_cases() -> list[Any]:
    """The runs whose programs hand out tasks."""
    return [param for param in all_cases() if HANDS_OUT.search((CASES / f"{param.values[0]['name']}.py").read_text())]


def _marks(case: dict[str, Any]) -> list[pytest.MarkDecorator]:
    takes_long = case.get("repeat", 1) > 1 or case["exit"] == "deadline" or case["name"] in LONG
    return [pytest.mark.slow] if takes_long else []


def run(case: dict[str, Any], folder: Path, *where: str) -> subprocess.CompletedProcess[bytes]:
    """Run a case in a copy of the folder, as a user whose current folder it is."""
    shutil.copytree(CASES, folder, dirs_exist_ok=True)
    options = {"mpi": ["--mpi"], "futures": ["--futures"], "plain": []}[case["launch"]]
    if options:
        options += ["--nodes", str(case["nodes"]), "--ranks", str(case["ranks"])]
    options += [] if case.get("limits", True) else ["--no-limits"]
    options += ["--timeout", str(DEADLINE)] if case["exit"] == "deadline" else []
    words = ["run", *options, *where, f"{case['name']}.py", *case.get("args", ())]
    return start(folder, *words, stdin=_stdin(case), seconds=(OWN_SECONDS + case.get("within", 30)) * PATIENCE)


def start(
    folder: Path, *words: str, stdin: bytes | None = None, seconds: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Run `parlab WORDS` in that folder."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "parlab", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=seconds, check=False, **given)


def _stdin(case: dict[str, Any]) -> bytes | None:
    given = case.get("stdin")
    if isinstance(given, dict):
        return "".join(f"{number}\n" for number in range(given["numbers_up_to"])).encode()
    return None if given is None else str(given).encode()


def check(case: dict[str, Any], done: subprocess.CompletedProcess[bytes], folder: Path) -> None:
    """Assert everything that cases.toml requires of the run."""
    said = f"exit code {done.returncode}\n{done.stdout[-3000:].decode()}\n{done.stderr[-6000:].decode()}"
    match case["exit"]:
        case "any":
            assert done.returncode not in (2, 125, 130), said
        case "fails":
            assert done.returncode not in (0, 2, 125, 130), said
        case "deadline":
            assert done.returncode == 124, said
        case code:
            assert done.returncode == code, said
    output = done.stdout.decode()
    for text in case.get("out", ()):
        assert output.count(text) >= case.get("times", 1), f"{text!r} is not in\n{said}"
    for text in case.get("err", ()):
        assert text in done.stderr.decode(), f"{text!r} is not in\n{said}"
    lines = output.splitlines()
    for beginning, count in case.get("lines", {}).items():
        found = [line for line in lines if line.startswith(beginning)]
        assert len(found) == count, said
        assert all(line.endswith(">") for line in found)
    for name in case.get("files", ()):
        assert (folder / name).is_file(), said


def timed(case: dict[str, Any], folder: Path, *where: str) -> subprocess.CompletedProcess[bytes]:
    """Like `run`, but fails if the run takes longer than PATIENCE times the case's `within`."""
    began = time.monotonic()
    done = run(case, folder, *where)
    if "within" in case:
        assert time.monotonic() - began < PATIENCE * case["within"]
    return done
