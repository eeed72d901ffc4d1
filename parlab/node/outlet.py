"""Where a rank writes one of its streams: a pipe, or a terminal, where the user's own is one.

The terminal is raw: bytes pass as they are, and nothing is echoed. It is no process's controlling terminal: no SIGINT,
SIGTSTP or SIGHUP comes from it. Only its size is set.
"""

import os
import sys
import termios
import tty
from contextlib import suppress

import msgspec

from parlab.model.terminal import Terminal

PIECE = 1 << 16  # bytes of output in one message
PIPE = 1 << 20  # bytes that a pipe holds: a rank need not wait for us so soon
SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of fcntl(2)
MUCH_OF_A_TERMINAL = 4095  # bytes: Linux has a page of it ready at once


def terminal() -> Terminal | None:
    """The user's terminal; None where no stream is one."""
    told = os.environ.get("PARLAB_TERMINAL")
    return None if told is None else msgspec.json.decode(told, type=Terminal)


class Outlet:
    """One stream: the rank writes at its `far` end, what it has written is read here."""

    def __init__(self, name: str, terminal: Terminal | None) -> None:
        self.is_terminal = False
        if terminal is not None and name in terminal.streams:
            with suppress(OSError):  # where the system has no terminal left, it is a pipe
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
        """Give a terminal another size."""
        if self.is_terminal:
            termios.tcsetwinsize(self._near, (lines, columns))

    def fileno(self) -> int:
        """What to wait at, for more."""
        return self._near

    def read(self) -> bytes | None:
        """What there is by now, up to a PIECE; None where there is nothing yet, b"" once nobody can write any more."""
        data = b""
        while len(data) < PIECE:
            try:
                piece = os.read(self._near, PIECE - len(data))
            except BlockingIOError:
                return data or None
            except OSError:  # EIO: of a terminal this is the end, once all is read
                return data
            if not piece:
                return data
            data += piece
        return data

    def is_much(self, data: bytes) -> bool:
        """Whether a rank that writes so much at once is likely to have more already."""
        return len(data) >= self._much


def _widen(pipe: int) -> None:
    """Have the kernel keep more of it, where it can."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe, SET_PIPE_SIZE, PIPE)
