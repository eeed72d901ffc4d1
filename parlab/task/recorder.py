"""Spans: one task's life, recorded without changes to the code that runs it.

The harness passes a `Task` to a case instead of the plain function. Every interface then pickles it, and pickling does
the recording: when the callable is pickled, it is stamped *submitted*. In the worker it returns an `Envelope`. When
the envelope is unpickled, it stamps *received*, leaves the span with the recorder, and yields the bare result. An
exception is pickled so that it does the same. In a thread or a plain loop nothing is pickled, and the span is
recorded at once; the submission to a pool of threads cannot be seen, so it is taken to be the start.
A `Process` sends no result back: its span goes into a file that all processes of a case share. A process forked to
run a task was submitted when it was forked.

All stamps are `time.monotonic()`: one clock for all processes under one kernel, so for all nodes of one engine. If
nodes have their own kernels, the host converts their stamps to one clock (parlab/model/clocks.py).
"""

import atexit
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from parlab.model.span import OK, Phase, Span
from parlab.task.delay import run_delay_s
from parlab.task.pace import core, resume
from parlab.task.phases import record_into
from parlab.task.stacks import let_be_seen

Stamps = tuple[tuple[float, float, float], tuple[Any, ...]]  # a Span's fields before and after `received`
SHARED = "PARLAB_SPANS"  # names the file in which processes other than the case's own leave their spans

let_be_seen()  # a process that is sent a task gets here first

_recorded: deque[Span] = deque()
_shared: "_Shared | None" = None
_forked_at: float | None = None  # in a forked process that has not run a task yet


class _Shared:
    """The file in which a case's child processes leave their spans for the case's process."""

    def __init__(self) -> None:
        import tempfile  # here: a rank of a pool shares nothing, and starts sooner without it

        self.pid = os.getpid()
        number, self.name = tempfile.mkstemp(prefix="parlab-spans-")
        self._file, self._rest = os.fdopen(number, "rb", buffering=0), b""
        os.environ[SHARED] = self.name
        atexit.register(self.remove)

    def take(self) -> list[Span]:
        """Take the spans left there since the last call."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [msgspec.json.decode(line, type=Span) for line in lines]

    def remove(self) -> None:
        """Remove the file, unless this is a child."""
        if self.pid == os.getpid():
            Path(self.name).unlink(missing_ok=True)


def share_spans() -> None:
    """From now on also collect spans of child processes."""
    global _shared
    _shared = _Shared()


def take_recorded() -> list[Span]:
    """Return and forget the spans recorded since the last call, by this process and its children."""
    found = [_recorded.popleft() for _ in range(len(_recorded))]
    return found + _shared.take() if _shared is not None and _shared.pid == os.getpid() else found


def _record(span: Span) -> None:
    name = os.environ.get(SHARED)
    if name is None or (_shared is not None and _shared.pid == os.getpid()):
        _recorded.append(span)
        return
    with suppress(OSError):  # the reader has gone
        file = os.open(name, os.O_WRONLY | os.O_APPEND)  # the kernel appends each write in one piece
        os.write(file, msgspec.json.encode(span) + b"\n")
        os.close(file)


def _about_to_fork() -> None:
    global _forked_at
    _forked_at = time.monotonic()


def _forked() -> None:
    global _forked_at
    _forked_at = None


os.register_at_fork(before=_about_to_fork, after_in_parent=_forked)


def _begin() -> float | None:
    """A task passes through this process: return the time of its fork, if this is the first task."""
    global _forked_at
    forked_at, _forked_at = _forked_at, None
    return forked_at


@cache
def _place() -> tuple[str, int, int]:
    """This process's node, rank and pid."""
    return socket.gethostname(), int(os.environ.get("OMPI_COMM_WORLD_RANK", "-1")), os.getpid()


os.register_at_fork(after_in_child=_place.cache_clear)


class _Measurement:
    """The part of a span that the worker measures, from creation to `stamps`."""

    def __init__(self, submitted: float) -> None:
        self._submitted = submitted
        self._phases: list[Phase] = []
        self._outer = record_into(self._phases)
        resume()
        self._waited, self._held_up, self._delayed = core().waited_s(), core().held_up_s(), run_delay_s()
        self._started, (self._thread, self._process) = time.monotonic(), core().cpu_s()

    def stamps(self, outcome: str) -> Stamps:
        """The measurements of the task, which has ended."""
        thread, process = core().cpu_s()
        finished, delayed = time.monotonic(), run_delay_s()
        run_delay = None if delayed is None or self._delayed is None else delayed - self._delayed
        record_into(self._outer)
        spent = thread - self._thread, process - self._process, core().waited_s() - self._waited, run_delay
        held_up = core().held_up_s() - self._held_up
        place = *_place(), threading.get_ident(), outcome, tuple(self._phases), held_up
        return (self._submitted, self._started, finished), spent + place


def _open(result: Any, before: tuple[float, float, float], after: tuple[Any, ...]) -> Any:
    _record(Span(*before, time.monotonic(), *after))
    return result


class Envelope:
    """A result on its way back; unpickles as the bare result. If dropped, as by a `Process`, it leaves its span."""

    def __init__(self, result: Any, stamps: Stamps) -> None:
        self.result, self.stamps, self._sent = result, stamps, False

    def __reduce__(self) -> tuple[Any, ...]:
        self._sent = True
        return _open, (self.result, *self.stamps)

    def __del__(self) -> None:
        if not self._sent:
            before, after = self.stamps
            _record(Span(*before, before[-1], *after))


def _send_along(error: BaseException, stamps: Stamps) -> None:
    """Make the exception leave the span where it is unpickled.

    An attribute would not do: an exception with its own `__reduce__`, such as json's, loses its attributes.
    Pickle and dill look up `__reduce_ex__` on the instance first.
    """

    def reduce_ex(protocol: int) -> tuple[Any, ...]:
        reduced: Any = type(error).__reduce_ex__(error, protocol)
        make, arguments, *rest = reduced
        state = rest[0] if rest else None
        if isinstance(state, dict):
            state = {name: value for name, value in state.items() if name != "__reduce_ex__"}
        return _open_error, (make, arguments, state, *stamps)

    with suppress(AttributeError, TypeError):  # an exception that takes no attributes arrives without a span
        object.__setattr__(error, "__reduce_ex__", reduce_ex)


def _open_error(make: Callable[..., BaseException], arguments: tuple[Any, ...], state: Any, *stamps: Any) -> Any:
    error = make(*arguments)
    if state:
        error.__setstate__(state)
    return _open(error, *stamps)


class Task:
    """A function that leaves a span for every call; `gate` is passed before each submission.

    It has the function's name, which a case may print.
    """

    def __init__(
        self, function: Callable[..., Any], gate: Callable[[], None] | None = None, submitted: float | None = None
    ) -> None:
        self.function, self.gate, self.submitted = function, gate, submitted
        self.__name__ = getattr(function, "__name__", "task")

    def __reduce__(self) -> tuple[Any, ...]:
        self._pass_gate()
        _begin()  # a process that passes a task on was not forked to run it
        return Task, (self.function, None, time.monotonic())

    def _pass_gate(self) -> None:
        if self.gate is not None:
            self.gate()

    def _submitted(self) -> float:
        """The submission time of this call: when it was pickled; else when the process was forked for it; else now."""
        if self.submitted is None:
            self._pass_gate()
        forked_at = _begin()
        if self.submitted is not None:
            return self.submitted
        return time.monotonic() if forked_at is None else forked_at

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function. Returns its result, in an Envelope if it must travel back."""
        travels = self.submitted is not None
        measured = _Measurement(self._submitted())
        try:
            result = self.function(*args, **kwargs)
        except BaseException as error:
            stamps = measured.stamps(type(error).__name__)
            if travels:
                _send_along(error, stamps)
            else:
                _open(None, *stamps)
            raise
        stamps = measured.stamps(OK)
        return Envelope(result, stamps) if travels else _open(result, *stamps)
