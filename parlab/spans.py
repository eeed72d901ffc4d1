"""Spans: one task's life, recorded without bending the code that runs it.

The harness hands a case a `Task` in place of the plain function. Whichever interface then runs it, pickling does the
book-keeping: the callable is stamped *submitted* as it is pickled; in the worker it returns an `Envelope`, which
takes itself off as it is unpickled, stamps *received*, leaves the span with the recorder and hands the case the bare
result. In a thread or a plain loop nothing is pickled, and the span is recorded on the spot.

All stamps are `time.monotonic()`: one clock for all processes under one kernel, so for all nodes of one engine.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from parlab.pace import resume


@dataclass(frozen=True)
class Span:
    """Times in seconds of the monotonic clock; `node` is the host name that the worker saw, `rank` its MPI rank."""

    submitted: float
    started: float
    finished: float
    received: float
    cpu_s: float
    node: str
    rank: int
    pid: int
    thread: int

    def to_json(self) -> dict[str, Any]:
        """As it travels on the control channel."""
        return asdict(self)


_recorded: list[Span] = []


def take_recorded() -> list[Span]:
    """Return the spans recorded in this process since the last call, and forget them."""
    spans = _recorded.copy()
    _recorded.clear()
    return spans


def _rank() -> int:
    return int(os.environ.get("OMPI_COMM_WORLD_RANK", "-1"))


def _open(result: Any, stamps: tuple[Any, ...]) -> Any:
    submitted, started, finished, *where = stamps
    _recorded.append(Span(submitted, started, finished, time.monotonic(), *where))
    return result


class Envelope:
    """A result on its way back; unpickles as the bare result."""

    def __init__(self, result: Any, stamps: tuple[Any, ...]) -> None:
        self.result, self.stamps = result, stamps

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self.result, self.stamps)


class Task:
    """A function that leaves a span for every call; `gate` is passed before each submission."""

    def __init__(
        self, function: Callable[..., Any], gate: Callable[[], None] | None = None, submitted: float | None = None
    ) -> None:
        self.function, self.gate, self.submitted = function, gate, submitted

    def __reduce__(self) -> tuple[Any, ...]:
        return Task, (self.function, None, self._submit())

    def _submit(self) -> float:
        if self.gate is not None:
            self.gate()
        return time.monotonic()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function. Returns its result, in an Envelope where it has to travel back."""
        submitted = self._submit() if self.submitted is None else self.submitted
        resume()
        started, cpu = time.monotonic(), time.thread_time()
        result = self.function(*args, **kwargs)
        cpu, finished = time.thread_time() - cpu, time.monotonic()
        stamps = submitted, started, finished, cpu, socket.gethostname(), _rank(), os.getpid(), threading.get_ident()
        if self.submitted is None:  # never pickled: the caller is in this process
            return _open(result, stamps)
        return Envelope(result, stamps)
