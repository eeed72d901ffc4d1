"""The processes of this node, each with its launch; run as a program, this module ends those of every launch."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

TRACKER = b"resource_tracker"  # in a resource tracker's command line
TRACKER_SECONDS = 2.0  # for a tracker to clean up
MARK = b"PARLAB_RUN="  # in the environment of every rank, and of every process that a rank starts


def processes(proc: Path = Path("/proc")) -> Iterator[tuple[Path, bytes | None]]:
    """Each process's folder in /proc and its launch's id; None for a process of no launch, or of another user."""
    for folder in proc.glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except PermissionError:
            yield folder, None
        except OSError:
            continue  # gone meanwhile
        else:
            yield folder, next((item.removeprefix(MARK) for item in environment if item.startswith(MARK)), None)


def end_processes(which: Callable[[bytes], bool]) -> list[int]:
    """Kill the processes of those launches; return their pids.

    A resource tracker, which multiprocessing and loky start, is left until last: once all processes that it serves are
    dead, it removes the semaphores and folders that they have left in shared memory, and ends.
    """
    found = [folder for folder, belongs_to in processes() if belongs_to is not None and which(belongs_to)]
    trackers = [folder for folder in found if TRACKER in _command(folder)]
    ended = [int(folder.name) for folder in found if folder not in trackers and _kill(folder)]
    until = time.monotonic() + TRACKER_SECONDS
    while any(TRACKER in _command(folder) for folder in trackers) and time.monotonic() < until:
        time.sleep(0.01)
    return ended + [int(folder.name) for folder in trackers if TRACKER in _command(folder) and _kill(folder)]


def _command(folder: Path) -> bytes:
    """A process's command line; b'' if it is gone or a zombie."""
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""


def _kill(folder: Path) -> bool:
    with suppress(ProcessLookupError, PermissionError):  # gone meanwhile
        os.kill(int(folder.name), signal.SIGKILL)
        return True
    return False


if __name__ == "__main__":
    end_processes(bool)
