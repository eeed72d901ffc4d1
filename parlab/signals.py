"""Ctrl-C, SIGTERM, a lost terminal (SIGHUP): stop at once, clean up undisturbed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from parlab.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    before = [signal.signal(number, handler) for number in SIGNALS]
    try:
        yield
    finally:
        for number, previous in zip(SIGNALS, before, strict=True):
            signal.signal(number, previous)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block the first signal raises Interrupted, so that what was started is ended on the way out."""

    def interrupt(number: int, _frame: object) -> None:
        raise Interrupted(f"interrupted by {signal.Signals(number).name}")

    with _handled_by(interrupt):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within the block, a clean-up with deadlines of its own, signals are ignored: a second Ctrl-C leaves no ranks."""
    with _handled_by(signal.SIG_IGN):
        yield
