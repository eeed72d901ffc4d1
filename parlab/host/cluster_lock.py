"""One command at a time per cluster: limits are shared state."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from parlab.errors import ParlabError
from parlab.formatting import Show, at_most
from parlab.host.places import STATE

WAIT_SECONDS = 120


def lock_path(project: str) -> Path:
    """The file of this user's lock on a cluster; a file beside it, ending in .holder, names the holder."""
    return STATE / f"{project}.lock"


@contextmanager
def only_user(project: str, cluster: str, doing: str, show: Show, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the cluster of this name for one command of this user; wait `seconds` for another command, and say so.

    Raises ParlabError if that takes too long, or if no lock is possible, e.g. in a home that is not writable.

    A second lock, on the head, keeps out others who can reach the engine: other users and other machines
    (parlab/backend/exec.py, BOOTSTRAP).
    """
    path = lock_path(project)
    lock, holder = FileLock(path), path.with_suffix(".holder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _acquire(lock, holder, cluster, show, seconds)
    except BrokenPipeError:  # the reader of the shown lines has gone
        raise
    except OSError as error:
        raise ParlabError(f"no place for a lock: {error}. XDG_STATE_HOME names another folder") from error
    try:
        with suppress(OSError):  # a full disk: the lock holds, but does not name its holder
            holder.write_text(f"{doing} (process {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, holder: Path, cluster: str, show: Show, seconds: float) -> None:
    try:
        lock.acquire(timeout=0)
        return
    except Timeout:
        who = _read(holder) or "another command"
    show(f"cluster {cluster} is in use by {who}: waiting up to {at_most(seconds)}; --cluster NAME gives another")
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise ParlabError(f"cluster {cluster} is still in use by {who}. Stop it, or use --cluster NAME") from None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the lock was released just now
        return ""
