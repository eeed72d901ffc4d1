"""Hangs in a row: each must end in time, be explained correctly, and leave nothing, on one cluster that stays up.

    .venv/bin/python -m benchmarks.soak [--rounds 50] [--cluster soak] [--only KIND]

Programs and labs that hang or die, in turn. Requirements for each round: its exit code, its explanation, an end within
5 s of its deadline or of the event that ended it, nothing left in any node, and a tiny program that works after it.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from parlab.backend.cluster import Cluster
from parlab.backend.engine import connect
from parlab.host.places import ROOT
from tests.cluster.conftest import left_in, strays
from tests.own_programs import CASES
from tests.stuck import RUN, STUCK, with_details

TIMEOUT, MOST_OVER = 5.0, 5.0
PATIENCE_SECONDS, KILL_SECONDS = 180, 10  # for any command; after that the command itself hangs
CLOCK = "print('began', __import__('time').time(), flush=True)\n"
BEGIN = f"from mpi4py import MPI\ncomm = MPI.COMM_WORLD\n{CLOCK}"
PROGRAMS = {
    "send_first": "import numpy as np\ndata = np.zeros(1_000_000)\ncomm.Send(data, 1 - comm.rank)\ncomm.Recv(data)\n",
    "lost_bcast": (
        "import numpy as np\ndata = np.zeros(1000)\nif comm.rank == 3:\n    comm.Recv(data, 0, tag=5)\n"
        "comm.Bcast(data, root=3)\n"
    ),
    "early_exit": "import sys\nif comm.rank == 1:\n    sys.exit(0)\ncomm.recv(source=1, tag=2)\n",
    "early_end": "import os\nif comm.rank == 1:\n    os._exit(0)\ncomm.recv(source=1, tag=2)\n",
    "numpy_loop": (
        "import numpy as np\nif comm.rank:\n    comm.recv(source=0)\n"
        "np.convolve(np.ones(5_000_000), np.ones(5_000_000))  # hours\n"
    ),
    "executor_killed": (
        CLOCK + "import os, signal\nfrom concurrent.futures import ProcessPoolExecutor\ndef work(n):\n"
        "    if n == 2:\n        os.kill(os.getpid(), signal.SIGKILL)\n    return n\n"
        "with ProcessPoolExecutor(2) as pool:\n    print(list(pool.map(work, range(5))))\n"
    ),
}
HELLO = BEGIN + "print('sum', comm.allreduce(comm.rank))\n"


@dataclass(frozen=True)
class Kind:
    """A program, the way to run it, and its requirements; a lab has no options."""

    name: str
    options: tuple[str, ...]
    code: int
    told: tuple[str, ...]  # regular expressions, each for one line of our output


KINDS = (
    Kind(
        "send_first",
        ("--mpi", "--nodes", "2", "--cores", "1"),
        124,
        (r"rank 0 to rank 1 wait in Send \(0 to 1, 1 to 0\) at send_first\.py:\d+ \(comm\.Send\(data, 1",),
    ),
    Kind(
        "lost_bcast",
        ("--mpi", "--nodes", "2", "--cores", "2"),
        124,
        (
            r"rank 0 to rank 2 wait in Bcast with root 3 at lost_bcast\.py:\d+ \(comm\.Bcast\(data, root=3\)\)",
            r"rank 3 on node-2 waits in Recv from rank 0, tag 5, at lost_bcast\.py:\d+ \(",
        ),
    ),
    Kind(
        "early_exit",
        ("--mpi", "--nodes", "3", "--cores", "1"),
        124,
        (
            r"rank 0, rank 2 wait in Mprobe from rank 1, tag 2, at early_exit\.py:\d+ \(comm\.recv\(",
            r"rank 1 on node-2 is through the program, and MPI_Finalize waits for the others",
        ),
    ),
    Kind(
        "early_end",
        ("--mpi", "--nodes", "3", "--cores", "1"),
        1,
        (r"rank 1 on node-2 ended with exit code 0 in the middle of its work, without a word",),
    ),
    Kind(
        "out_of_memory",
        ("--mpi", "--nodes", "3", "--cores", "1", "--speed", "1/2", "--memory", "256m"),
        137,
        (r"rank 1 on node-2 ended by signal 9, SIGKILL: the node's memory ran out",),
    ),
    Kind(
        "pool_worker_killed",
        (),
        124,
        (
            r"rank 0 on node-1 is asleep in pool_worker_killed\.py:\d+ \(print\(pool\.map\(",
            r"a child of rank 0 on node-1, process \d+, ended by signal 9, SIGKILL$",
        ),
    ),
    Kind(
        "executor_killed",
        (),
        1,
        (r"a child of rank 0 on node-1, process \d+, ended by signal 9, SIGKILL$", r"BrokenProcessPool"),
    ),
    Kind(
        "numpy_loop",
        ("--mpi", "--nodes", "2", "--cores", "1"),
        124,
        (
            r"rank 0 on node-1 is busy \(\d+ % of a host core\) in numpy_loop\.py:\d+ \(np\.convolve\(",
            r"rank 1 on node-2 waits in Mprobe from rank 0, any tag, at numpy_loop\.py:\d+ \(comm\.recv\(source=0\)\)",
        ),
    ),
    *(Kind(name, (), 4, STUCK[name].told) for name in ("lock in a pool", "loop in C in the rank")),
)


@dataclass(frozen=True)
class Round:
    """The result of one round: seconds from its deadline, or its beginning, to its end; its errors."""

    over: float
    wrong: list[str]


class Soak:
    """The cluster, and a folder with all programs."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self.cluster = Cluster(connect(), name)
        for program, code in PROGRAMS.items():
            (folder / f"{program}.py").write_text(code if code.startswith(CLOCK) else BEGIN + code)
        for program in ("out_of_memory", "pool_worker_killed"):
            (folder / f"{program}.py").write_text(CLOCK + (CASES / f"{program}.py").read_text())
        (folder / "hello.py").write_text(HELLO)

    def up(self) -> None:
        """Bring it up, with the largest size needed."""
        self.cluster.up(3, print, at_least=True)

    def round(self, kind: Kind) -> Round:
        """Run one program, check for leftovers, and run the tiny program."""
        began = time.time()
        done = self._run(kind)
        ended = time.time()
        said = with_details((done.stdout + done.stderr).decode(errors="replace"))
        if found := re.search(r"^began ([0-9.]+)$", said, re.MULTILINE):  # else the time of its start counts
            began = float(found[1])
        over = ended - began - (TIMEOUT if kind.code in (4, 124) else 0.0)
        wrong = [f"exit code {done.returncode}, not {kind.code}"] if done.returncode != kind.code else []
        wrong += [f"message missing: {line}" for line in kind.told if not re.search(line, said, re.MULTILINE)]
        if over > MOST_OVER:
            wrong.append(f"it ended {over:.1f} s late")
        wrong += [f"left in {node}: {what}" for node, what in left_in(self.cluster).items()]
        wrong += [f"still running in {node}: {what}" for node, what in strays(self.cluster).items()]
        hello = self._start(["--mpi", "--nodes", "3", "--cores", "1", "--timeout", "60", "hello.py"])
        if hello.returncode != 0 or b"sum 3" not in hello.stdout:
            wrong.append(f"the tiny program failed: {hello.returncode}, {hello.stderr.decode()}")
        return Round(over, [*wrong, said] if wrong else [])

    def _run(self, kind: Kind) -> "subprocess.CompletedProcess[bytes]":
        if kind.name in STUCK:
            words = ["-c", RUN, str(STUCK[kind.name].write(self._folder)), "cluster", self._name, f"{TIMEOUT:g}"]
            return self._python(words)
        return self._start([*kind.options, "--timeout", f"{TIMEOUT:g}", f"{kind.name}.py"])

    def _start(self, words: list[str]) -> "subprocess.CompletedProcess[bytes]":
        return self._python(["-m", "parlab", "run", "--cluster", self._name, *words])

    def _python(self, words: list[str]) -> "subprocess.CompletedProcess[bytes]":
        env = os.environ | {"PYTHONPATH": str(ROOT), "PARLAB_RESULTS": str(self._folder / "results")}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-X", "faulthandler", *words]
        with subprocess.Popen(command, cwd=self._folder, env=env, **pipes) as process:  # type: ignore[call-overload]
            for seconds, number in ((PATIENCE_SECONDS, signal.SIGABRT), (KILL_SECONDS, signal.SIGKILL)):
                try:
                    output, errors = process.communicate(timeout=seconds)
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(number)  # the first signal makes it report its state
            else:
                output, errors = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


def main() -> None:
    """Run the rounds, and print the results of each kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--cluster", default="soak")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS])
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if options.only in (None, kind.name)]
    rounds: dict[str, list[Round]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        soak = Soak(options.cluster, Path(name))
        soak.up()
        for number in range(options.rounds):
            kind = kinds[number % len(kinds)]
            one = soak.round(kind)
            rounds[kind.name].append(one)
            verdict = "as wanted" if not one.wrong else "\n  ".join(["WRONG", *one.wrong])
            print(f"{number + 1:3} {kind.name:22} {one.over:5.1f} s  {verdict}", flush=True)
    for name, found in rounds.items():
        over, failed = [one.over for one in found], sum(bool(one.wrong) for one in found)
        print(
            f"{name:22} {len(found)} rounds, {failed} wrong; after {statistics.median(over):.1f} s, {max(over):.1f} s"
        )
    sys.exit(any(one.wrong for found in rounds.values() for one in found))


if __name__ == "__main__":
    main()
