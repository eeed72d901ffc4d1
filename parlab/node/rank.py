"""What each rank does around the lab: `mpiexec -n N+1 ... python -m parlab.node.rank LAB.py`.

Boot first, cap afterwards: starting Python, MPI and a pool of ranks needs real CPU, which a capped node does not have,
and ranks that wait for each other in MPI spin. So each rank says hello and boots, and all go on as
`python -m mpi4py.futures LAB.py` until the case submits its first task. There rank 0 stops (parlab/node/harness.py)
while the host puts the limits on and has the first rank of every node read them back; then the task goes out and the
clock starts.
"""

import os
import random
import runpy
import signal
import socket
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from parlab.node.control import control
from parlab.node.processes import processes

# Imported before the rank goes on, in all ranks at once. The first starts MPI; the rest is what mpi4py.futures and a
# lab would otherwise load one after another.
PRELOADED = ("mpi4py.MPI", "mpi4py.futures._core", "mpi4py.run", "parlab.node.harness")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def end_leftovers() -> list[int]:
    """Kill this node's processes of earlier runs; return their pids.

    Killing a client's whole machine, say, can leave ranks behind, and one that spins spoils every later figure.
    """
    ours, ended = os.environ["PARLAB_RUN"].encode(), []
    for folder, belongs_to in processes():
        if belongs_to not in (None, ours):
            with suppress(ProcessLookupError):  # another rank of this node was faster
                os.kill(int(folder.name), signal.SIGKILL)
                ended.append(int(folder.name))
    return ended


def boot_id() -> str:
    """What tells one running kernel from another, and so one monotonic clock; '' where there is no such file."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""


def main() -> None:
    """Boot, then become mpi4py.futures; a thread answers the launcher."""
    line = control()
    # A simulated node shares its machine with other people's runs: there, none is ours to end.
    ended = end_leftovers() if os.environ.get("PARLAB_OWN_NODE") else []
    line.send("hello", host=socket.gethostname(), pid=os.getpid(), boot=boot_id(), ended=ended)
    random.seed(int(os.environ.get("PARLAB_SEED", "0")))
    for name in PRELOADED:
        import_module(name)
    line.listen()
    runpy.run_module("mpi4py.futures", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
