"""One of a rank's output streams: a pipe, or a terminal if the user's own stream is one.

The terminal is raw: bytes pass unchanged, and nothing is echoed. It is not the controlling terminal of any process: it
sends no SIGINT, SIGTSTP or SIGHUP. Only its size is set.
"""

import os
import sys
import termios
import tty
from contextlib import suppress

import msgspec

from parlab.model.terminal import Terminal

PIECE = 1 << 16  # bytes of output in one message
PIPE = 1 << 20  # bytes that a pipe holds: a large pipe makes a rank wait for us later
SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of fcntl(2)
MUCH_OF_A_TERMINAL = 4095  # bytes: Linux has one page ready at once


def terminal() -> Terminal | None:
    """The user's terminal; None if no stream is one."""
    told = os.environ.get("PARLAB_TERMINAL")
    return None if told is None else msgspec.json.decode(told, type=Terminal)


class Outlet:
    """One stream: the rank writes to its `far` end; its output is read here."""

    def __init__(self, name: str, terminal: Terminal | None) -> None:
        self.is_terminal = False
        if terminal is not None and name in terminal.streams:
            with suppress(OSError):  # if the system has no terminal left, it is a pipe
                self._near, self.far = os.openpty()
                self.is_terminal = True
                tty.setraw(self.far)
                self.resize(terminal.columns, terminal.lines)
        if not self.is_terminal:
            self._near, self.far = os.pipe()
            _widen(self._near)
        os.set_blocking(self._near, False)
        self._much = MUCH_OF_A_TERMINAL if self.is_terminal else PIECE

    def resize(self, columns: int, lines: int) -> None:
        """Change a terminal's size."""
        if self.is_terminal:
            termios.tcsetwinsize(self._near, (lines, columns))

    def fileno(self) -> int:
        """The descriptor to wait on, for more output."""
        return self._near

    def read(self) -> bytes | None:
        """The output so far, up to a PIECE; None if there is none yet, b"" once nobody can write any more."""
        data = b""
        while len(data) < PIECE:
            try:
                piece = os.read(self._near, PIECE - len(data))
            except BlockingIOError:
                return data or None
            except OSError:  # EIO: the end of a terminal's output, once all is read
                return data
            if not piece:
                return data
            data += piece
        return data

    def is_much(self, data: bytes) -> bool:
        """Whether a rank that writes this much at once is likely to have more already."""
        return len(data) >= self._much


def _widen(pipe: int) -> None:
    """Enlarge the kernel's buffer, if possible."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe, SET_PIPE_SIZE, PIPE)
