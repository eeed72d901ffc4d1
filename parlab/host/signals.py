"""Ctrl-C, SIGTERM, a lost terminal (SIGHUP): stop at once, clean up undisturbed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from parlab.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    # Under nohup a lost terminal stays ignored. SIGINT does not: a script's shell ignores it for all it starts with &.
    ours = [n for n in SIGNALS if n is not signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
    before = [signal.signal(number, handler) for number in ours]
    try:
        yield
    finally:
        for number, previous in zip(ours, before, strict=True):
            signal.signal(number, previous)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block the first signal raises Interrupted; later ones are ignored, for the sake of the clean-up."""
    come: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        come.append(number)
        if len(come) == 1:
            raise Interrupted(f"interrupted by {signal.Signals(number).name}")

    with _handled_by(interrupt):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block, a clean-up with deadlines of its own, signals are ignored."""
    with _handled_by(lambda _number, _frame: None):
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block signals wait; at its end the first is handled as ever. For what must not be torn apart."""
    come: list[int] = []
    with _handled_by(lambda number, _frame: come.append(number)):
        yield
    if come:
        signal.raise_signal(come[0])


@contextmanager
def child(command: list[str], number: int, seconds: float, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a command (options as of Popen) for the length of the block.

    One that outlives the block, for an interruption or a failure, gets the signal `number` and `seconds` to clean up,
    then is killed, and with it what it has started and left. It has a session of its own: a Ctrl-C is ours to pass on,
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
                with suppress(ProcessLookupError, PermissionError):  # nobody is left, as macOS says of the dead, too
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
