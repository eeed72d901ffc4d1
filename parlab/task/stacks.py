"""Makes the processes of a launch inspectable, however they were started: their stacks, and their dead children.

Nothing here runs until somebody looks (parlab/node/look.py): on the signal LOOK faulthandler, which is C code, writes
the stacks of all threads, whatever Python is doing. It writes into anonymous memory, which leaves nothing behind. A
forked process inherits the memory and the handler from its parent, at no cost. A process that starts its own Python
gets here as soon as it imports the lab, or is sent a task.
"""

import faulthandler
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

LOOK = 62 if sys.platform == "linux" else 31  # as in parlab/node/hook/sitecustomize.py
STACKS, DEATHS = "parlab-stacks", "parlab-deaths"  # names of these files in /proc/PID/fd
KILLS = "kills"  # number of processes that the kernel had killed in this node for lack of memory when a rank began
LAUNCH = "PARLAB_CASE"  # in the environment of a launch's processes only
HIGH = 200  # descriptors from here on are not closed or expected by labs

_seen = False
_deaths: int | None = None


def let_be_seen() -> None:
    """Make this process of a launch, and those that it forks, answer a look; only on Linux."""
    global _seen, _deaths
    if _seen or LAUNCH not in os.environ or sys.platform != "linux":
        return
    _seen = True
    with suppress(OSError, ValueError):
        faulthandler.register(LOOK, file=_memory(STACKS), all_threads=True)
        _deaths = _memory(DEATHS)
        _note_who_died()


def _memory(name: str) -> int:
    """A file in anonymous memory, to which processes append."""
    import fcntl

    number = os.memfd_create(name)
    high: int = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(number)
    fcntl.fcntl(high, fcntl.F_SETFL, os.O_APPEND)
    return high


def note(words: str) -> None:
    """Leave a line for those who look at this process, or at one that it has forked since."""
    if _deaths is not None:
        with suppress(OSError):
            os.write(_deaths, f"{words}\n".encode())


def _note_who_died() -> None:
    """Note each child that did not end with 0: a pool that has lost a worker waits forever, without a message."""

    def noting(wait: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
        def waiting(*arguments: Any) -> tuple[Any, ...]:
            found = wait(*arguments)
            if found[1] and found[0] and (os.WIFSIGNALED(found[1]) or os.WIFEXITED(found[1])):
                note(f"{found[0]} {os.waitstatus_to_exitcode(found[1])} {time.monotonic()}")
            return found

        return waiting

    for name in ("waitpid", "wait", "wait3", "wait4"):
        setattr(os, name, noting(getattr(os, name)))


def memory_of(pid: int, name: str) -> Path | None:
    """That file of a process, readable as long as the process exists; None if it has no such file."""
    for link in Path(f"/proc/{pid}/fd").glob("[0-9]*"):
        with suppress(OSError):  # closed, or the process has ended
            if link.readlink().name.startswith(f"memfd:{name} "):
                return link
    return None
