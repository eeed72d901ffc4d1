"""Runs the ranks of a launch as a job of Slurm: `python -m parlab.node.batch HOSTS CORES PER_NODE -- RANK...`.

It stands where mpiexec stands, as a child of the launcher on the head. It submits a batch script, passes on the job's
output, tells the host what the job waits for, and ends with the exit code of `srun`. It cancels the job when it is
ended itself (SIGTERM), and when the launcher is gone.

HOSTS has the host of each rank, CORES are those of each rank, PER_NODE those of a node. The job's output comes through
two FIFOs in a folder that all nodes share, so it is neither late nor limited; its exit code is in a file there.
"""

import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from parlab.model.messages import Join, to_line
from parlab.model.starting import InQueue

SHARED = "/jobs"
PREFIX = ".parlab-"  # of our folders there: a user's own output may lie beside them
NAME = "parlab"  # of each job; docker/slurm-sized.sh and parlab/backend/slurm.py cancel by it
TICK_SECONDS = 0.1  # between two looks whether the script has ended
FIRST_LOOK_SECONDS = 0.5  # until the queue is asked for the first time: nearly every job runs by then
PENDING_SECONDS, RUNNING_SECONDS = 0.5, 3.0  # between two questions to the queue: one costs 10 ms of CPU
COMMAND_SECONDS = 10.0  # for sbatch
QUESTION_SECONDS = 2.0  # for other commands: the job's output waits meanwhile
CANCEL_SECONDS = 1.5  # for a cancelled job to end; the launcher waits 2 s
PIECE = 1 << 16
ALIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED")
UNKNOWN = "UNKNOWN"
GONE = "Invalid job id"  # from squeue; any other failure says nothing of the job
BY_REASON = {"TimeLimit": "TIMEOUT", "NodeDown": "NODE_FAIL"}
# Its ranks know themselves by Open MPI's variables, which mpiexec sets before MPI is started and srun does not.
AS_RANK = (
    'export OMPI_COMM_WORLD_RANK="$SLURM_PROCID" OMPI_COMM_WORLD_LOCAL_RANK="$SLURM_LOCALID"'
    ' OMPI_COMM_WORLD_SIZE="$SLURM_NTASKS"; exec "$@"'
)


def script(hosts: Sequence[str], cores: int, per_node: int, folder: str, rank: Sequence[str]) -> str:
    """The batch script: whole nodes are asked for, and each rank is placed on the host that was chosen for it."""
    nodes = list(dict.fromkeys(hosts))
    crowded = max(Counter(hosts).values()) * cores > per_node
    options = [
        f"--job-name={NAME}",
        f"--partition={'whole' if 'head' in nodes else 'lab'}",
        f"--nodes={len(nodes)}",
        f"--nodelist={','.join(nodes)}",
        f"--ntasks={len(nodes if crowded else hosts)}",  # with --exclusive, sbatch takes no --overcommit
        f"--cpus-per-task={cores}",
        "--exclusive",
        "--output=/dev/null",
        "--no-requeue",
        "--acctg-freq=task=0",  # nothing looks at its processes: that would cost CPU time
    ]
    srun = [
        *("srun", "--mpi=pmix", "--input=none", "--kill-on-bad-exit=1"),
        *(f"--ntasks={len(hosts)}", f"--cpus-per-task={cores}"),
        *(["--overcommit"] if crowded else []),
        *("--distribution=arbitrary", f"--nodelist={','.join(hosts)}"),
        *("sh", "-c", AS_RANK, "rank", *rank),
    ]
    lines = [
        "#!/bin/sh",
        *(f"#SBATCH {option}" for option in options),
        f"exec >{folder}/out 2>{folder}/err",
        shlex.join(srun),
        f"echo $? >{folder}/code.new && mv {folder}/code.new {folder}/code",
    ]
    return "\n".join(lines) + "\n"


class BatchJob:
    """One job, from its submission to its end."""

    def __init__(self, folder: Path, line: socket.socket) -> None:
        self._folder, self._line = folder, line
        self._number = 0
        self._told = ""  # the state and the reason that the host knows
        for name in ("out", "err"):
            os.mkfifo(folder / name)
        self._pipes = {os.open(folder / "out", os.O_RDONLY | os.O_NONBLOCK): 1}
        self._pipes[os.open(folder / "err", os.O_RDONLY | os.O_NONBLOCK)] = 2

    def run(self, text: str) -> int:
        """Submit this script and follow the job; return its exit code, or 1 if Slurm has refused or ended it."""
        path = self._folder / "job.sh"
        path.write_text(text)
        done = _slurm("sbatch", "--parsable", str(path), seconds=COMMAND_SECONDS)
        if done.returncode:
            self._tell("REFUSED", done.stderr.strip().removeprefix("sbatch: error: "))
            return 1
        self._number = int(done.stdout.split(";")[0])
        return self._follow()

    def _follow(self) -> int:
        due = time.monotonic() + FIRST_LOOK_SECONDS
        while (code := self._code()) is None:
            if not self._pass_on(TICK_SECONDS):
                raise SystemExit(1)  # the launcher is gone
            if time.monotonic() >= due:
                state, reason = self._state()
                if state not in ALIVE and state != UNKNOWN:
                    if self._code() is not None:  # it has ended between the two looks
                        continue
                    self._drain()
                    self._tell(state, reason)
                    return 1
                waits = state == "PENDING" and reason != "None"  # None: Slurm is about to look at it
                if waits or (self._told and state != UNKNOWN):
                    self._tell(state, reason)
                due = time.monotonic() + (PENDING_SECONDS if state == "PENDING" else RUNNING_SECONDS)
        self._drain()
        return code

    def _drain(self) -> None:
        """Pass on what is still in the pipes."""
        while self._pipes and self._pass_on(TICK_SECONDS) and self._any:
            pass

    def _code(self) -> int | None:
        """The exit code of srun; None before its end."""
        with suppress(OSError, ValueError):
            return int((self._folder / "code").read_text())
        return None

    def _pass_on(self, seconds: float) -> bool:
        """Pass on what the job writes within this time; False if the launcher has hung up."""
        until, self._any = time.monotonic() + seconds, False
        ready, _, _ = select.select([*self._pipes, self._line.fileno()], [], [], seconds)
        for pipe in ready:
            if pipe == self._line.fileno():
                if not self._line.recv(PIECE):  # its words are for the ranks
                    return False
                continue
            if data := os.read(pipe, PIECE):
                self._any = True
                _write(self._pipes[pipe], data)
            else:  # the script has ended
                os.close(pipe)
                del self._pipes[pipe]
        if ready and not self._any and not self._pipes:  # nothing is left to wait for but the file
            time.sleep(max(0.0, min(TICK_SECONDS / 4, until - time.monotonic())))
        return True

    def _state(self) -> tuple[str, str]:
        """The job's state and the reason for it, in Slurm's words; UNKNOWN if Slurm does not answer."""
        done = _slurm("squeue", "--noheader", "--states=all", f"--jobs={self._number}", "--format=%T %r")
        if done.returncode and GONE not in done.stderr:  # its controller may be about to start again; the job goes on
            return UNKNOWN, ""
        state, _, reason = done.stdout.strip().partition(" ")
        if state == "COMPLETING" and self._code() is None:  # without an exit code: Slurm has ended it; ranks may remain
            state = BY_REASON.get(reason, "CANCELLED")
        return (state, reason) if state else ("LOST", done.stderr.strip() or "Slurm does not know it any more")

    def _tell(self, state: str, reason: str) -> None:
        """Tell the host, through the launcher, unless it knows."""
        if (said := f"{state} {reason}") != self._told:
            self._told = said
            with suppress(OSError):
                self._line.sendall(to_line(InQueue(self._number, state, reason)))

    def cancel(self) -> None:
        """Cancel the job if it has not ended, and wait a moment for its end."""
        if self._number and self._code() is not None:
            return
        until = time.monotonic() + CANCEL_SECONDS
        _slurm("scancel", f"--name={NAME}")  # by its name: sbatch may have been ended before it told the number
        while time.monotonic() < until and _slurm("squeue", "--noheader", f"--name={NAME}").stdout.strip():
            for pipe in select.select(list(self._pipes), [], [], TICK_SECONDS)[0]:
                if not os.read(pipe, PIECE):  # a job that cannot write would not end
                    del self._pipes[pipe]
            _slurm("scancel", f"--name={NAME}")  # sbatch may have got through only now


def _slurm(*words: str, seconds: float = QUESTION_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm; one that does not answer has failed."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"{words[0]} has not answered in {seconds:g} s")


def _write(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]


def _connect() -> socket.socket:
    """A connection to the launcher, like a rank's; its rank is none."""
    host, port, token = os.environ["PARLAB_CONTROL"].split(":")
    line = socket.create_connection((host, int(port)), timeout=COMMAND_SECONDS)
    line.settimeout(None)
    line.sendall(to_line(Join(token, -1, socket.gethostname(), os.getpid())))
    return line


def main() -> int:
    """Run the job that the command line describes."""
    hosts, cores, per_node, _, *rank = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ.pop("SLURM_CPUS_PER_TASK", None)  # srun sets it
    line = _connect()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=SHARED))
    try:
        job = BatchJob(folder, line)
        try:
            code = job.run(script(hosts.split(","), int(cores), int(per_node), str(folder), rank))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            job.cancel()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # the launcher must have read all before it hears of this process's end
        line.shutdown(socket.SHUT_WR)
        while line.recv(PIECE):
            pass
    return code


if __name__ == "__main__":
    sys.exit(main())
