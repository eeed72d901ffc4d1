"""Puts a run into the background: starts this command line again, as a process in a session of its own.

That process inherits the lock of its job (parlab/host/detached.py), so a living job never looks lost. A variable tells
it its job; the options stay as typed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from parlab.errors import EXIT_INTERNAL, ParlabError, UsageError
from parlab.formatting import Show, at_most
from parlab.host import detached
from parlab.host.cluster_lock import WAIT_SECONDS
from parlab.host.detached import About, Detached
from parlab.host.signals import deferred

VARIABLE = "PARLAB_JOB"  # the job's number and the descriptor of its lock, for its process
TURN_SECONDS = 24 * 3600.0  # to wait for the cluster: earlier jobs may take hours
LOOK_SECONDS = 0.2


class Turn:
    """How a run waits for its cluster. In the foreground: at most `seconds`, until nobody else has the cluster."""

    seconds: float = WAIT_SECONDS

    def wait(self, backend: str, show: Show) -> None:
        """Wait for earlier jobs. Raises ParlabError if that takes too long."""

    def come(self) -> None:
        """Note that the run has its cluster."""


class Own(Turn):
    """This process's own job: it runs after the jobs that were started before it on its cluster."""

    seconds = TURN_SECONDS

    def __init__(self, job: Detached) -> None:
        self._job = job

    def wait(self, backend: str, show: Show) -> None:
        where, cluster = (backend, self._job.about.cluster), self._job.about.cluster
        before = [
            job
            for job in detached.all_jobs()
            if job.number < self._job.number and (job.about.backend, job.about.cluster) == where
        ]
        until, told = time.monotonic() + self.seconds, False
        while backend != "embedded" and (before := [job for job in before if job.is_alive]):
            first = f"job {before[-1].number}"
            if time.monotonic() >= until:
                raise ParlabError(f"cluster {cluster} is still in use by {first}. Cancel it, or use --cluster NAME")
            if not told:
                show(f"cluster {cluster} is in use by {first}: waiting up to {at_most(self.seconds)}")
            told = True
            time.sleep(LOOK_SECONDS)

    def come(self) -> None:
        self._job.begin()


@contextmanager
def own_job() -> Iterator[Own | None]:
    """This process's own job, if it is one; notes the exit code with which the block ends."""
    job = _told()
    if job is None:
        yield None
        return
    code: object = EXIT_INTERNAL
    try:
        yield Own(job)
        code = 0
    except SystemExit as end:
        code = end.code or 0
        raise
    finally:
        job.end(code if isinstance(code, int) else 1)


def _told() -> Detached | None:
    """The job whose lock this process has inherited. The variable is not passed on to its children."""
    number, _, lock = os.environ.get(VARIABLE, "").partition(":")
    with suppress(UsageError, OSError, ValueError):
        job = detached.find(number)
        if os.path.samestat(os.fstat(int(lock)), (job.folder / "lock").stat()):
            os.set_inheritable(int(lock), False)
            del os.environ[VARIABLE]
            return job
    return None


def start(about: About) -> Detached:
    """Start this command line again, as a job. Raises UsageError if its files cannot be written."""
    if VARIABLE in os.environ:  # set, but this process is no job: the started process would start another, and so on
        raise UsageError(f"{VARIABLE} is a variable of parlab's own: unset it")
    with deferred():  # the user must learn of a job that was started
        job, lock = detached.new(about)
        try:
            with _written(job, "stdout") as out, _written(job, "stderr") as err:
                process = subprocess.Popen(
                    [sys.executable, *sys.orig_argv[1:]],
                    env={**os.environ, VARIABLE: f"{job.number}:{lock}"},
                    stdin=_standard_input(),
                    stdout=out,
                    stderr=err,
                    pass_fds=(lock,),
                    start_new_session=True,  # the end of this terminal must not end it
                )
            os.write(lock, str(process.pid).encode())
        except OSError as error:
            detached.forget(job)
            raise detached.no_place(error) from error
        finally:
            os.close(lock)
        detached.forget_old()
    return job


def _written(job: Detached, name: str) -> IO[bytes]:
    return Path(job.folder / name).open("ab", buffering=0)


def _standard_input() -> int | None:
    """A file or a pipe is passed on; a terminal stays with its user."""
    return subprocess.DEVNULL if sys.__stdin__ is None or sys.__stdin__.isatty() else None
