"""Lets the processes of a launch be looked at, however they were started: by their stacks, and by who of them died.

Nothing here runs until somebody looks (parlab/node/look.py): on the signal LOOK faulthandler writes the stacks of all
threads, in C and whatever Python does. It writes into memory that has no name, and of which nothing can stay behind; a
process that is forked has its parent's, with the handler, and does nothing for that. One that starts a Python of its
own gets here as soon as it imports the lab, or is sent a task.
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
STACKS, DEATHS = "parlab-stacks", "parlab-deaths"  # what these files are called in /proc/PID/fd
KILLS = "kills"  # how many processes the kernel had ended in this node for want of memory, as a rank began
LAUNCH = "PARLAB_CASE"  # in the environment of a launch's processes, and of no others
HIGH = 200  # descriptors from here on are none that a lab closes or counts on

_seen = False
_deaths: int | None = None


def let_be_seen() -> None:
    """Have this process of a launch answer a look, and those that it forks; elsewhere than on Linux it is not seen."""
    global _seen, _deaths
    if _seen or LAUNCH not in os.environ or sys.platform != "linux":
        return
    _seen = True
    with suppress(OSError, ValueError):
        faulthandler.register(LOOK, file=_memory(STACKS), all_threads=True)
        _deaths = _memory(DEATHS)
        _note_who_died()


def _memory(name: str) -> int:
    """A file without a place, to which processes append."""
    import fcntl

    number = os.memfd_create(name)
    high: int = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(number)
    fcntl.fcntl(high, fcntl.F_SETFL, os.O_APPEND)
    return high


def note(words: str) -> None:
    """Leave a line for whoever looks at this process, or at one that it has forked since."""
    if _deaths is not None:
        with suppress(OSError):
            os.write(_deaths, f"{words}\n".encode())


def _note_who_died() -> None:
    """Note each child that did not end with 0: a pool that has lost a worker waits for ever, without a word."""

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
    """That file of a process, to be read as long as the process is there; None of one that has none."""
    for link in Path(f"/proc/{pid}/fd").glob("[0-9]*"):
        with suppress(OSError):  # closed, or the process is gone
            if link.readlink().name.startswith(f"memfd:{name} "):
                return link
    return None
