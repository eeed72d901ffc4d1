"""Jobs: runs in the background. A number and a folder in this user's state hold everything known about each job.

    job.json        the program, its arguments and its folder; no options of parlab, which may hold values of --env
    lock            its process id; the process keeps this file locked until it ends, in whatever way
    stdout, stderr  its output
    begun           made when it gets its cluster
    cancelled       made before the first signal of a cancellation
    end             its exit code

The lock is the kernel's: after a reboot it is free, and no other process can be mistaken for the job's. The time of a
file tells when something happened.
"""

import fcntl
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from parlab.errors import Interrupted, UsageError
from parlab.host.places import COMMAND, STATE

KEPT = 50  # the newest jobs are kept; an older one, too, while it lives
LOOK_SECONDS = 0.1


class State(StrEnum):
    """The state of a job, or how it ended."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # its process died without notice


@dataclass(frozen=True)
class About:
    """The command, as words of a shell, and its place."""

    program: str
    cluster: str
    backend: str


@dataclass(frozen=True)
class Report:
    """A job's state. `lasted_s` counts from when it got its cluster, or else from its start; None: unknown."""

    state: State
    code: int | None = None
    lasted_s: float | None = None

    def __str__(self) -> str:
        return f"{self.state} ({self.code})" if self.state is State.FAILED else str(self.state)


@dataclass(frozen=True)
class Detached:
    """A job, by its number and its folder."""

    number: int
    folder: Path
    about: About

    @property
    def started(self) -> float:
        """The time of its start, in seconds since the epoch."""
        return _time_of(self.folder / "job.json") or 0.0

    @property
    def is_alive(self) -> bool:
        """Whether its process is alive."""
        try:
            with (self.folder / "lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # its folder was removed
            pass
        return False

    @property
    def process(self) -> int | None:
        """Its process id; it may belong to another process once the job has ended."""
        with suppress(OSError, ValueError):
            return int((self.folder / "lock").read_text())
        return None

    def report(self) -> Report:
        """Its state now."""
        alive = self.is_alive  # read first: the folder of an ended job is final
        begun = _time_of(self.folder / "begun")
        since = begun or self.started
        if alive:
            return Report(State.RUNNING if begun else State.WAITING, None, max(0.0, time.time() - since))
        cancelled = (self.folder / "cancelled").exists()
        try:
            code = int((self.folder / "end").read_text())
        except (OSError, ValueError):
            return Report(State.CANCELLED if cancelled else State.LOST)
        interrupted = cancelled and code == Interrupted.exit_code
        state = State.DONE if code == 0 else State.CANCELLED if interrupted else State.FAILED
        ended = _time_of(self.folder / "end")
        return Report(state, code, None if ended is None else max(0.0, ended - since))

    def begin(self) -> None:
        """Note that it has its cluster."""
        with suppress(OSError):  # a full disk: it runs anyway
            (self.folder / "begun").touch()

    def end(self, code: int) -> None:
        """Note its exit code."""
        with suppress(OSError):
            (self.folder / "end").write_text(f"{code}\n")

    def is_first_to_cancel(self) -> bool:
        """Note that it is being cancelled; return whether this is the first note of that."""
        with suppress(OSError):  # a full disk: it is cancelled anyway
            try:
                (self.folder / "cancelled").touch(exist_ok=False)
            except FileExistsError:
                return False
        return True

    def is_gone_in(self, seconds: float) -> bool:
        """Wait for its process to end; return whether it has ended."""
        until = time.monotonic() + seconds
        while self.is_alive:
            if time.monotonic() >= until:
                return False
            time.sleep(LOOK_SECONDS)
        return True


def _time_of(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _folder() -> Path:
    return STATE / "jobs"


def _numbers() -> list[int]:
    """The numbers in use, the newest first."""
    try:
        names = [path.name for path in _folder().iterdir()]
    except OSError:
        return []
    return sorted((int(name) for name in names if re.fullmatch("[1-9][0-9]{0,8}", name)), reverse=True)


def all_jobs() -> list[Detached]:
    """All jobs, the newest first; without folders that are damaged or not complete yet."""
    return [job for number in _numbers() if (job := _read(number)) is not None]


def _read(number: int) -> Detached | None:
    folder = _folder() / str(number)
    try:
        return Detached(number, folder, msgspec.json.decode((folder / "job.json").read_bytes(), type=About))
    except (OSError, msgspec.MsgspecError):
        return None


def find(wanted: str | None) -> Detached:
    """The job of that number, or the newest. Raises UsageError if there is none."""
    if wanted is None:
        jobs = all_jobs()
        if not jobs:
            raise UsageError(f"No job yet. {COMMAND} run --detach PROGRAM starts one.")
        return jobs[0]
    job = _read(int(wanted)) if re.fullmatch("[1-9][0-9]{0,8}", wanted) else None
    if job is None:
        raise UsageError(f"No job {wanted!r}. Use a number from {COMMAND} jobs.")
    return job


def new(about: About) -> tuple[Detached, int]:
    """Make a job with the next number; return it with its lock's descriptor, for its process to inherit.

    Raises UsageError if its files cannot be written.
    """
    try:
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)  # only the user may read its output
        job = Detached(*_next_folder(), about)
    except OSError as error:
        raise no_place(error) from error
    try:
        with (job.folder / "lock").open("wb") as file:
            lock = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 3)  # a standard stream may be closed, and its number free
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody looks at it before job.json exists
        (job.folder / "job.json").write_bytes(msgspec.json.encode(about))
    except OSError as error:
        forget(job)
        raise no_place(error) from error
    return job, lock


def _next_folder() -> tuple[int, Path]:
    """A folder with a number of its own: making it is atomic, even if others do so at the same time."""
    while True:
        number = max(_numbers(), default=0) + 1
        with suppress(FileExistsError):
            (folder := _folder() / str(number)).mkdir()
            return number, folder


def no_place(error: OSError) -> UsageError:
    """The error for a job's files that cannot be written."""
    return UsageError(f"no place for a job: {error}. XDG_STATE_HOME names another folder")


def forget(job: Detached) -> None:
    """Remove its folder."""
    shutil.rmtree(job.folder, ignore_errors=True)


def forget_old() -> None:
    """Remove the folders of old ended jobs, and damaged folders."""
    for number in _numbers()[KEPT:]:
        job = _read(number) or Detached(number, _folder() / str(number), About("", "", ""))
        if not job.is_alive:
            forget(job)
