"""Ctrl-C, SIGTERM, a lost terminal (SIGHUP): the first stops at once and cleans up, the second abandons the clean-up.

A clean-up has deadlines, but with an engine that hangs on 64 nodes they add up.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from parlab.errors import Interrupted

ECHO_SECONDS = 0.5  # a terminal and a shell may both forward one Ctrl-C
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    # Under nohup SIGHUP stays ignored. SIGINT does not: a script's shell ignores it for everything it starts with &.
    ours = [n for n in SIGNALS if n is not signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
    before = [signal.signal(number, handler) for number in ours]
    try:
        yield
    finally:
        for number, previous in zip(ours, before, strict=True):
            signal.signal(number, previous)


class _Heard:
    """When the first signal of this command came, and what remains if its clean-up is abandoned."""

    first_at: float | None = None
    put_off: int | None = None  # a first signal during an undisturbed clean-up
    left = "started processes may still run"


@contextmanager
def leaves(what: str) -> Iterator[None]:
    """Within the block, an abandoned clean-up leaves this; the text also says how to remove it."""
    before, _Heard.left = _Heard.left, what
    try:
        yield
    finally:
        _Heard.left = before


def _is_first() -> bool:
    """Note a signal; return whether it is the first. A second one gives up, unless it echoes the first."""
    now = time.monotonic()
    if _Heard.first_at is None:
        _Heard.first_at = now
        return True
    if now - _Heard.first_at > ECHO_SECONDS:
        _give_up()
    return False


def _give_up() -> NoReturn:
    """End this process at once: threads may wait for an engine that does not answer."""
    shown = "\x1b[?25h" if sys.stderr.isatty() else ""  # the live board hides the cursor
    os.write(2, f"{shown}\nerror: interrupted again, the clean-up was given up: {_Heard.left}\n".encode())
    os._exit(Interrupted.exit_code)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block the first signal raises Interrupted; a second one ends the process at once."""
    _Heard.first_at = _Heard.put_off = None

    def interrupt(number: int, _frame: object) -> None:
        if _is_first():
            raise Interrupted(f"interrupted by {signal.Signals(number).name}")

    with _handled_by(interrupt):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block, a clean-up with deadlines, a first signal is postponed; a second one abandons the clean-up.

    A postponed signal takes effect at the end of the next `deferred` block: the run is saved before that.
    """
    came: list[int] = []

    def hear(number: int, _frame: object) -> None:
        if _is_first():
            came.append(number)

    try:
        with _handled_by(hear):
            yield
    finally:
        if came:
            _Heard.put_off, _Heard.first_at = came[0], None


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block signals wait; the first is handled at its end. For work that must not be interrupted."""
    come = [] if _Heard.put_off is None else [_Heard.put_off]
    _Heard.put_off = None
    with _handled_by(lambda number, _frame: come.append(number)):
        yield
    if come:
        signal.raise_signal(come[0])


def was_put_off() -> bool:
    """Whether a signal waits for the next `deferred` block: then start nothing new."""
    return _Heard.put_off is not None


@contextmanager
def child(command: list[str], number: int, seconds: float, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command (options of Popen) for the duration of the block.

    If it outlives the block, because of an interruption or a failure, it gets the signal `number` and `seconds` to
    clean up. Then it is killed, together with the processes it has left. It has its own session: we pass on a Ctrl-C
    once, and not in the middle of a clean-up.
    """
    process = None
    try:
        with deferred():
            process = subprocess.Popen(command, start_new_session=True, text=True, **options)
        yield process
    finally:
        if process is not None and process.poll() is None:
            with undisturbed():
                process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
                with suppress(ProcessLookupError, PermissionError):  # no process is left; macOS says so of zombies, too
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
