"""A user of runs in the background, with jobs of their own; no job outlives the test."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parlab.host.detached import About, Detached
from tests.conftest import PATIENCE, ROOT, within

ROW = re.compile(r"(?P<number>[0-9]+) +(?P<state>[a-z]+( \([0-9]+\))?)  ")


@dataclass(frozen=True)
class User:
    """Works in a folder; `where` holds the options for the place where programs run."""

    folder: Path
    state: Path
    where: tuple[str, ...]

    @property
    def _given(self) -> dict[str, Any]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(self.state)}
        return {"cwd": self.folder, "env": env, "text": True}

    def types(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `parlab WORDS` to its end."""
        return subprocess.run(
            command(*words), input=stdin, capture_output=True, timeout=30 * PATIENCE, check=False, **self._given
        )

    def begins(self, *words: str, **options: Any) -> "subprocess.Popen[str]":
        """Start `parlab WORDS`."""
        return subprocess.Popen(command(*words), **options, **self._given)

    def detaches(self, *words: str, stdin: str = "") -> str:
        """Run a program in the background; return the number of its job."""
        done = self.types("run", *self.where, "--detach", *words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.removesuffix("\n")

    def sees(self) -> dict[str, str]:
        """The state of each job, by its number."""
        rows = map(ROW.match, self.types("jobs").stdout.splitlines())
        return {row["number"]: row["state"] for row in rows if row is not None}

    def waits_for(self, number: str, state: str) -> None:
        """Wait until this job is in that state."""
        within(20, lambda: str(self.job(number).report()) == state)

    def job(self, number: str) -> Detached:
        """The job itself, read without a command."""
        return Detached(int(number), self.state / "parlab/jobs" / number, About("", "", ""))

    def kills(self, number: str) -> None:
        """Kill the process of a job, if it is alive."""
        job = self.job(number)
        if job.is_alive and job.process is not None:
            with suppress(ProcessLookupError):
                os.kill(job.process, signal.SIGKILL)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "parlab", *words]


@contextmanager
def user_in(folder: Path, *where: str) -> Iterator[User]:
    """A user in a new folder; jobs that still run at the end of the block are killed."""
    user = User(folder / "a folder, größer", folder / "state", where)
    user.folder.mkdir()
    try:
        yield user
    finally:
        for job in user.state.glob("parlab/jobs/*"):
            user.kills(job.name)
