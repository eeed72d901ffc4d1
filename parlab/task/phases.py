"""Phases: a task's own named parts and instants. Outside a task nothing is recorded."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from parlab.model.span import LOCK_HELD, LOCK_WAIT, Phase
from parlab.task.pace import resume

_here = threading.local()


def _recorded() -> list[Phase] | None:
    return getattr(_here, "phases", None)


def record_into(phases: list[Phase] | None) -> list[Phase] | None:
    """Record the phases of this thread's task in this list from now on; return the previous list, if any."""
    before, _here.phases = _recorded(), phases
    return before


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Name a part of the task that runs in this thread, as in `with phase("lock held"): ...`.

    Two names have a meaning. Time in "lock wait" counts as waiting, which a core cannot make up for later. "lock held"
    is the part under the lock. Other names are only recorded. Outside a task it does nothing.
    """
    began = time.monotonic()
    try:
        yield
    finally:
        if name == LOCK_WAIT:
            resume()
        if (phases := _recorded()) is not None:
            phases.append(Phase(str(name), began, time.monotonic()))


@contextmanager
def holding(lock: AbstractContextManager[Any]) -> Iterator[None]:
    """Hold the lock, like `with lock`; record the time until then as "lock wait", the time under it as "lock held"."""
    with ExitStack() as until_the_end:
        with phase(LOCK_WAIT):
            until_the_end.enter_context(lock)
        with phase(LOCK_HELD):
            yield


def mark(name: str) -> str:
    """Name an instant of the task that runs in this thread, as in `mark("reads 100")`: a phase without duration.

    Returns the name, which a case may print.
    """
    if (phases := _recorded()) is not None:
        now = time.monotonic()
        phases.append(Phase(str(name), now, now))
    return name
