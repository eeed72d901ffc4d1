"""The steps of each rank around the lab: `mpiexec -n N ... python -m parlab.node.rank LAUNCH LAB.py`.

Boot first, cap afterwards: starting Python, MPI and a pool of ranks needs real CPU, which a capped node does not have,
and ranks that wait for each other in MPI spin. So each rank says hello and boots. All go on as `python LAB.py` or, for
the launch of that name, `python -m mpi4py.futures LAB.py`, until the case submits its first task. There it stops
(parlab/node/harness.py) while the host puts the limits on and the first rank of every node reads them back; then the
task goes out and the clock starts. If all ranks run the case, each stops at its own first task.
"""

import faulthandler
import os
import random
import runpy
import socket
import sys
from importlib import import_module
from pathlib import Path

import parlab.lab
from parlab.model.case import FUTURES, MPI
from parlab.model.messages import BOOT, GO, Hello
from parlab.model.starting import Booted
from parlab.node.control import control
from parlab.node.failure import is_success, report
from parlab.node.harness import run_case
from parlab.node.kernel import boot_id
from parlab.node.memory import oom_kills
from parlab.node.processes import end_processes
from parlab.task.stacks import KILLS, let_be_seen, note

# Imported before the rank goes on, in all ranks at once. The first starts MPI; mpi4py.futures and a lab would otherwise
# load the rest one after another.
PRELOADED = {
    FUTURES: ("mpi4py.MPI", "mpi4py.futures._core", "mpi4py.run"),
    MPI: ("mpi4py.MPI",),
}


# At the end of MPI_Init, Open MPI 5.0 crashes if a message comes from a rank that has left it a little earlier: under
# srun, on a busy host, in one launch of thirty. So no rank goes on before all have left it.
STARTS_MPI = "mpi4py.MPI"

# Rank 0 of a pool sleeps this long between two checks for results; workers sleep ten times that, mpi4py's default for
# all. A result and the next task wait for rank 0, which has CPU to spare. Measured: 1.2 ms between two tasks, not 2.8.
BACKOFF = "0.0001"


def end_leftovers() -> list[int]:
    """Kill this node's processes of earlier runs; return their pids.

    Ranks can be left behind, e.g. when a client's machine is killed; one that spins spoils all later measurements.
    """
    ours = os.environ["PARLAB_RUN"].encode()
    return end_processes(lambda launch: launch != ours)


def main() -> None:
    """Boot, then become the lab, directly or under mpi4py.futures; a thread answers the launcher."""
    _, launch, lab = sys.argv
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # mpiexec holds a pipe open: input() would wait on it forever
    faulthandler.enable(all_threads=False)  # before MPI: its own handler prints addresses, this one lines of the lab
    let_be_seen()
    note(f"{KILLS} {oom_kills()}")
    line = control()
    # A simulated node shares its machine with other people's runs, which must not be ended.
    ended = end_leftovers() if os.environ.get("PARLAB_OWN_NODE") else []
    line.send(Hello(line.rank, socket.gethostname(), boot_id(), ended))
    random.seed(int(os.environ.get("PARLAB_SEED", "0")))
    line.listen()
    line.await_word(BOOT)  # an early rank would spin in MPI, and keep the others from getting there
    if line.rank == 0:
        os.environ.setdefault("MPI4PY_FUTURES_BACKOFF", BACKOFF)
    for name in PRELOADED.get(launch, ()):
        import_module(name)
        if name == STARTS_MPI:
            line.send(Booted(line.rank))
            line.await_word(GO)
    parlab.lab.in_launch = run_case
    try:
        become(launch, lab)
    except BaseException as error:
        if not is_success(error):
            report(line, lab, "the lab's file", error)
        raise


def become(launch: str, lab: str) -> None:
    """Run the lab's file as the main program."""
    sys.argv = [sys.argv[0], lab]
    if launch == FUTURES:
        runpy.run_module("mpi4py.futures", run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(lab).parent)
        runpy.run_path(lab, run_name="__main__")


if __name__ == "__main__":
    main()
