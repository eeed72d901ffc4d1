"""Runs in the background: starts a job, lists all jobs, shows a job's output, cancels a job."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from typing import IO

from parlab.backend.cluster import Cluster
from parlab.backend.engine import NoEngine, connect
from parlab.backend.slurm_jobs import SlurmJobs, ask
from parlab.commands.jobs import open_for, tell
from parlab.errors import Interrupted, ParlabError, UsageError
from parlab.formatting import at_most, plural
from parlab.host import background
from parlab.host.detached import About, Detached, State, all_jobs, find
from parlab.host.environment import ensure_installed
from parlab.host.places import COMMAND, OWN_VENV
from parlab.run.asked import EXIT_OURS
from parlab.run.job_request import JobRequest
from parlab.terminal.jobs import list_of_jobs
from parlab.terminal.live import Silence
from parlab.terminal.slurm_jobs import list_of_slurm_jobs
from parlab.terminal.tables import make_console

LOOK_SECONDS = 0.2
PIECE = 1 << 20  # bytes at once
CLEAN_UP_SECONDS = 180.0  # to bring files back and to clean the nodes; each step has its own deadline
END_SECONDS = 5.0
ENDING = (  # as with Ctrl-C, the second signal abandons the clean-up
    (signal.SIGTERM, CLEAN_UP_SECONDS),
    (signal.SIGTERM, END_SECONDS),
    (signal.SIGKILL, END_SECONDS),
)


def start(request: JobRequest) -> None:
    """Start a run in the background, and print its number. Raises UsageError if the run would be refused."""
    backend = open_for(request, Silence())
    if backend.name == "embedded" and not OWN_VENV:
        ensure_installed("node", tell)  # a foreign environment: installs nothing, and reports missing packages
    about = About(shlex.join(request.asks[0].job.words), request.cluster, backend.name)
    number = background.start(about).number
    print(number, flush=True)
    if not request.quiet:
        why = "why" if request.cluster == "default" else f"why --cluster {request.cluster}"
        commands = ", ".join(f"{COMMAND} {what}" for what in (f"logs {number}", why, f"cancel {number}"))
        tell(f"job {number} runs in the background: {commands}")


def list_jobs(cluster: str) -> None:
    """Print all jobs, the newest first, and those of this cluster's Slurm, if it has one. Raises ParlabError."""
    slurms = _of_slurm(cluster)
    if jobs := all_jobs():
        console = make_console()
        console.print(list_of_jobs([(job, job.report()) for job in jobs], console.width))
    elif slurms is None:
        print(f"there is no job yet: {COMMAND} run --detach PROGRAM starts one")
    if slurms is None:
        return
    if jobs:
        print()
    print(f"Slurm's jobs on cluster {cluster}:" if slurms.jobs else f"Slurm has had no job on cluster {cluster}")
    for line in list_of_slurm_jobs(slurms) if slurms.jobs else ():
        print(line)
    if slurms.unread:
        tell(f"{plural(slurms.unread, 'line')} of Slurm's could not be read")


def _of_slurm(cluster: str) -> SlurmJobs | None:
    """The jobs of the cluster's Slurm; None if it has none, is not up, or no engine answers. Raises ParlabError."""
    try:
        client = connect()
    except NoEngine:
        return None
    with closing(client):
        head = next(iter(Cluster(client, cluster).containers()), None)
        return ask(client, head.id) if head is not None and head.has_slurm and head.well else None


def show_logs(wanted: str | None, *, follow: bool) -> None:
    """Print a job's output so far, on the same streams; with `follow`, continue to its end, and exit with its code."""
    job = find(wanted)
    try:
        with ExitStack() as opened:
            logs = [
                (opened.enter_context((job.folder / name).open("rb")), stream.buffer)
                for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr))
            ]
            if follow:
                _follow(job, logs)
            else:
                for log, stream in logs:
                    _pass_on(log, stream, os.fstat(log.fileno()).st_size)  # no further: the job may write endlessly
    except FileNotFoundError as error:
        raise ParlabError(f"what job {job.number} printed is not there any more: {error}") from error
    except Interrupted:
        if job.is_alive:
            tell(f"job {job.number} goes on; {COMMAND} cancel {job.number} ends it")
        sys.exit(Interrupted.exit_code)
    report = job.report()
    if report.state is State.LOST:
        tell(f"job {job.number} is lost: its process died without a word, as by SIGKILL or a reboot")
    if follow:
        without_a_word = EXIT_OURS if report.state is State.LOST else Interrupted.exit_code
        sys.exit(without_a_word if report.code is None else report.code)


def _follow(job: Detached, logs: Sequence[tuple[IO[bytes], IO[bytes]]]) -> None:
    """Pass on a job's output until it ends. The wait is finite: a job has deadlines."""
    alive = True
    while alive:
        alive = job.is_alive  # checked before reading, so that output before its end is not lost
        while sum(_pass_on(log, stream, PIECE) for log, stream in logs):  # sum reads both streams
            pass
        if alive:
            time.sleep(LOOK_SECONDS)


def _pass_on(log: IO[bytes], stream: IO[bytes], most: int) -> bool:
    """Write at most `most` bytes of new output; return whether there was any."""
    left = most
    while left and (data := log.read(min(left, PIECE))):
        stream.write(data)
        left -= len(data)
    stream.flush()
    return left < most


def cancel(wanted: str) -> None:
    """End a job as Ctrl-C does, with stronger signals if necessary, and print the result.

    Raises UsageError if the job has already ended, ParlabError if it cannot be ended or is only starting.
    """
    job = find(wanted)
    if not job.is_alive:
        raise UsageError(f"job {job.number} has ended ({job.report()}): there is nothing to cancel")
    if (process := job.process) is None:
        raise ParlabError(f"job {job.number} is only starting: try again")
    first = job.is_first_to_cancel()  # a second signal would abort a clean-up that another command awaits
    for step, (number, seconds) in enumerate(ENDING):
        if step or first:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        if job.is_gone_in(seconds):
            break
        if number != signal.SIGKILL:
            tell(f"job {job.number} has not ended in {at_most(seconds)}: ending it harder")
    else:
        raise ParlabError(f"job {job.number} cannot be ended: SIGKILL was sent to its process, {process}")
    report = job.report()
    if report.state is not State.CANCELLED:
        print(f"job {job.number} ended by itself before that: {report}")
        return
    print(f"job {job.number} is cancelled")
    if step:
        print(_without_clean_up(job.about))


def _without_clean_up(about: About) -> str:
    if about.backend == "embedded":
        return "its clean-up was given up: its ranks end by themselves"
    down = "down" if about.cluster == "default" else f"down --cluster {about.cluster}"
    return f"its clean-up was given up: its ranks may still run. {COMMAND} {down} makes a fresh start"
