"""What each rank does around the lab: `mpiexec -n N+1 ... python -m parlab.node.rank LAB.py`.

Boot first, cap afterwards: starting Python and wiring up MPI need real CPU, which a capped node does not have. So
each rank says hello, boots, says ready and waits; the host puts the limits on and says go; each node's ranks read
their limit back; the host compares, says start; and `python -m mpi4py.futures LAB.py` goes on from there.
"""

import os
import runpy
import signal
import socket
from pathlib import Path

from parlab.node.cgroup import read_limit
from parlab.node.control import control


def end_leftovers() -> list[int]:
    """Kill this node's processes of earlier runs; return their pids.

    Killing a client's whole machine, say, can leave ranks behind, and one that spins spoils every later figure.
    """
    ours, ended = os.environ["PARLAB_RUN"].encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile, or another user's
        runs = [item.partition(b"=")[2] for item in environment if item.startswith(b"PARLAB_RUN=")]
        if runs and runs != [ours]:
            os.kill(int(folder.name), signal.SIGKILL)
            ended.append(int(folder.name))
    return ended


def main() -> None:
    """Boot, wait for the limits, then hand over to mpi4py.futures."""
    line = control()
    line.send("hello", host=socket.gethostname(), pid=os.getpid())
    if os.environ.get("PARLAB_OWN_NODE"):  # a simulated node shares its machine with other people's runs
        line.send("leftovers", pids=end_leftovers())

    # Imported here, uncapped: this starts MPI, and it is all that the lab will need.

    import parlab.node.harness  # noqa: F401

    line.send("ready")
    line.await_word("go")
    line.send("limit", cpus=read_limit(), when="before")
    line.await_word("start")
    runpy.run_module("mpi4py.futures", run_name="__main__", alter_sys=True)
    line.send("limit", cpus=read_limit(), when="after")


if __name__ == "__main__":
    main()
