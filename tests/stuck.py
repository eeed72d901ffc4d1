"""Labs that do not end, and the required message for each: about its ranks and its workers."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PATIENCE, ROOT

RUN = """
import sys
from pathlib import Path
from parlab.commands.labs import exiting, run_and_show
from parlab.run.request import Output, read_request
path, backend, cluster, timeout = sys.argv[1:]
with exiting():
    run_and_show(Path(path), read_request(backend=backend, cluster=cluster, timeout=timeout), Output())
"""
HEAD = '''"""stuck: it does not end"""
import itertools, os, signal, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Lock, get_context
from parlab.lab import Lab, burn
lab = Lab(unit=0.02, nodes=2, cores=1, speed=1/4)
lock = Lock()
print("began", time.time(), flush=True)
'''
SERIAL = """
@lab.serial
def serial(task=work):
    return [task(number) for number in (1, 2, 3, 4)]
"""
TAIL = """
if __name__ == "__main__":
    lab.main()
"""


@dataclass(frozen=True)
class Stuck:
    """A lab's work in a worker, and its case; and the message, as regular expressions, at most one per line."""

    work: str
    case: str
    told: tuple[str, ...]
    silent: tuple[str, ...] = ()  # what must not be told
    serial: str = SERIAL

    def write(self, folder: Path) -> Path:
        """Write the lab's file; return its path."""
        path = folder / "stuck.py"
        path.write_text(f"{HEAD}{self.work}{self.serial}{self.case}{TAIL}")
        return path

    def see(self, said: str) -> None:
        """Assert that the message has all of `told` and nothing of `silent`."""
        for line in self.told:
            assert re.search(line, said, re.MULTILINE), f"{line!r} is not in\n{said}"
        for line in self.silent:
            assert not re.search(line, said, re.MULTILINE), f"{line!r} is in\n{said}"


WORK = """
def work(number):
    burn(1)
    {last}
    return number
"""
POOL = """
@lab.case(workers=2)
def case(task=work, *, workers):
    with {pool} as pool:
        return list(pool.map(task, [1, 2, 3, 4]))  # all of them
"""
RANKS = """
@lab.case(launch="mpi")
def case(task=work):
    from mpi4py import MPI
    task(1)
    comm = MPI.COMM_WORLD
    {last}
    return comm.bcast([1, 2, 3, 4])
"""
CHILD = "import multiprocessing as multi\n"
IN_A_WORKER = "multi.parent_process() and"  # the serial solution runs it, too, in the rank

STUCK = {
    "lock in a pool": Stuck(
        CHILD + WORK.format(last=f"{IN_A_WORKER} lock.acquire()  # and nobody lets go of it"),
        POOL.format(pool="get_context('fork').Pool(workers)"),
        (
            r"running the case: 0 of 1 done after \d s\.$",
            r"^rank 0 on \S+-1 is asleep in stuck\.py:\d+ \(return list\(pool\.map\(task",
            r"^2 children of rank 0 on \S+-1, processes \d+, \d+, are asleep in stuck\.py:\d+ \(multi.* lock\.acquire",
            r"^    stuck\.py:\d+ in work: multi",
        ),
        ("harness.py", "ended by signal"),
    ),
    "loop in C": Stuck(
        CHILD + WORK.format(last=f"{IN_A_WORKER} sum(itertools.repeat(0))"),
        POOL.format(pool="ProcessPoolExecutor(workers, mp_context=get_context('spawn'))"),
        (
            r"^rank 0 on \S+-1 is asleep in stuck\.py:\d+ \(",
            r"^2 children of rank 0 on \S+-1, processes \d+, \d+, are busy \(\d.*\) in stuck\.py:\d+ \(multi.* sum\(",
        ),
    ),
    "loop in C in the rank": Stuck(
        WORK.format(last=""),
        RANKS.format(last="sum(itertools.repeat(0)) if comm.rank else comm.recv(source=1)"),
        (
            r"^rank 0 to rank 1 are busy \(\d.* of a host core\) in stuck\.py:\d+ \(sum\(",
            r"^rank 0 on \S+-1, process \d+, runs, ",
            r"^rank 1 on \S+-2, process \d+, runs, ",
        ),
    ),
    "receives what nobody sends": Stuck(
        WORK.format(last=""),
        RANKS.format(last="comm.recv(source=1 - comm.rank, tag=7)"),
        (r"^rank 0 to rank 1 are busy \(\d.*\) in stuck\.py:\d+ \(comm\.recv\(source=1 - comm\.rank, tag=7\)\)$",),
    ),
    "a worker killed": Stuck(
        CHILD + WORK.format(last=f"number == 3 and {IN_A_WORKER} os.kill(os.getpid(), signal.SIGKILL)"),
        POOL.format(pool="get_context('spawn').Pool(workers)"),
        (
            r"^rank 0 on \S+-1 is asleep in stuck\.py:\d+ \(return list\(pool\.map\(task",
            r"^a child of rank 0 on \S+-1, process \d+, ended by signal 9, SIGKILL$",
            r"asleep in \S+/multiprocessing/pool\.py:\d+ \(task = get\(\)\)$",
        ),
    ),
    "out of memory": Stuck(  # embedded, it would be this machine's
        CHILD + WORK.format(last=f"number == 3 and {IN_A_WORKER} len(b'x' * 1_500_000_000)"),
        POOL.format(pool="get_context('fork').Pool(workers)"),
        (
            r"^rank 0 on \S+-1 is asleep in stuck\.py:\d+ \(return list\(pool\.map\(task",
            r"^a child of rank 0 on node-1, process \d+, ended by signal 9, SIGKILL: the node's memory ran out: ",
        ),
    ),
    "a child that nobody joins": Stuck(
        CHILD + WORK.format(last=""),
        """
def die():
    os.kill(os.getpid(), signal.SIGSEGV)
@lab.case()
def case(task=work):
    task(1)
    queue, child = get_context("fork").Queue(), get_context("fork").Process(target=die)
    child.start()
    return queue.get()  # what it would have put
""",
        (
            r"^rank 0 on \S+-1 is asleep in stuck\.py:\d+ \(return queue\.get\(\)",
            r"^a child of rank 0 on \S+-1, process \d+, ended by signal 11, SIGSEGV$",
        ),
    ),
    "the serial solution": Stuck(
        WORK.format(last=""),
        "\n@lab.case()\ndef case(task=work):\n    return task(1)\n",
        (
            r"the serial solution still runs after \d s\.$",
            r"^a child of rank 0 on \S+-1, process \d+, is asleep in stuck\.py:\d+ \(time\.sleep\(1000\)\)$",
        ),
        serial="\n@lab.serial\ndef serial(task=work):\n    time.sleep(1000)\n",
    ),
}
DEFAULT = ("lock in a pool", "loop in C in the rank", "a worker killed")  # of them, those that are not slow
QUICK = Stuck(WORK.format(last=""), POOL.format(pool="get_context('fork').Pool(workers)"), ())
NAP = Stuck(CHILD + WORK.format(last=f"{IN_A_WORKER} time.sleep(4)"), QUICK.case, ())


def started(path: Path, backend: str, cluster: str, timeout: str, **env: str) -> "subprocess.Popen[str]":
    """Start a lab's file, as `lab.NAME --timeout` does."""
    words = [sys.executable, "-c", RUN, str(path), backend, cluster, timeout]
    env = {**os.environ, "PYTHONPATH": str(ROOT)} | env
    return subprocess.Popen(words, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(path: Path, backend: str, cluster: str, timeout: str) -> tuple[int, str]:
    """Run a lab's file; return its exit code and its standard error, with the details from their file."""
    with started(path, backend, cluster, timeout) as process:
        _, said = process.communicate(timeout=PATIENCE * 60)
    return process.returncode, with_details(said)


def with_details(said: str) -> str:
    """The message, followed by the content of the file that it names."""
    details = re.search(r"^The details are in (\S+)$", said, re.MULTILINE)
    return said + (Path(details[1]).read_text() if details else "")


def why(cluster: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run `why`; return the finished process."""
    words = [sys.executable, "-m", "parlab", "why", "--cluster", cluster]
    env = {**os.environ, "PYTHONPATH": str(ROOT)} | env
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
