"""A user's terminal: a command started in it has it as controlling terminal, and its screen output can be read."""

import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.conftest import PATIENCE, ROOT

COLUMNS, LINES = 80, 24


class OwnTerminal:
    """A command at a terminal of 80 columns, which is its standard input and, unless given, its output."""

    def __init__(self, near: int, process: subprocess.Popen[bytes]) -> None:
        self._near, self.process, self.shown = near, process, b""

    def type(self, keys: bytes) -> None:
        """Type keys as a user does."""
        os.write(self._near, keys)

    def resize(self, columns: int, lines: int) -> None:
        """Resize the terminal, as a user resizes its window."""
        termios.tcsetwinsize(self._near, (lines, columns))

    def shows(self, wanted: bytes, seconds: float = 10) -> None:
        """Read until `wanted` is shown; fail after PATIENCE times `seconds`, the time on an idle host."""
        until = time.monotonic() + PATIENCE * seconds
        while wanted not in self.shown:
            assert self._read(until), f"{wanted!r} is not in {self.shown.decode(errors='replace')}"

    def end(self, seconds: float = 30) -> int:
        """Read all output to its end; return the exit code."""
        until = time.monotonic() + PATIENCE * seconds
        while self._read(until):
            pass
        return self.process.wait(max(0.1, until - time.monotonic()))

    @property
    def lines(self) -> list[str]:
        """The output so far, line by line; a terminal turns a line's end into two characters."""
        return self.shown.decode().replace("\r\n", "\n").splitlines()

    def _read(self, until: float) -> bool:
        """Read new output; return whether there was any by `until`, which also needs the terminal to be open."""
        if not select.select([self._near], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        with suppress(OSError):  # EIO: nobody has it any more
            data = os.read(self._near, 1 << 16)
            self.shown += data
            return bool(data)
        return False


@contextmanager
def at_terminal(
    folder: Path, *words: str, stdout: IO[Any] | None = None, stderr: IO[Any] | None = None, **env: str
) -> Iterator[OwnTerminal]:
    """Start `parlab WORDS` in that folder, at its own terminal; kill it if it outlives the block."""
    near, far = os.openpty()
    termios.tcsetwinsize(near, (LINES, COLUMNS))
    ours = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    process = subprocess.Popen(
        [sys.executable, "-m", "parlab", *words],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **env},
        stdin=far,
        stdout=stdout or far,
        stderr=stderr or far,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # for Ctrl-C, typed
    )
    os.close(far)
    try:
        yield OwnTerminal(near, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(near)
