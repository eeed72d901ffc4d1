"""Ranks that wait in MPI leave their node's CPU to others (docker/waiting.c): with the right results, and explained."""

import shutil
import subprocess
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME
from tests.conftest import ROOT
from tests.own_programs import start

PROGRAM = ROOT / "tests/programs/every_call.py"
SHARE = """
import sys, time
from mpi4py import MPI
comm = MPI.COMM_WORLD
comm.Barrier()
if comm.rank == 0:
    time.sleep(3)
    comm.Barrier()
else:
    used, began = time.process_time(), time.perf_counter()
    comm.Barrier()
    print((time.process_time() - used) / (time.perf_counter() - began))
"""
HANGS = """
import numpy as np
from mpi4py import MPI
comm = MPI.COMM_WORLD
data = np.zeros(1_000_000)
if comm.rank < 2:
    comm.Send(data, 1 - comm.rank, tag=7)  # first
elif comm.rank == 2:
    comm.Bcast(data, root=3)
else:
    comm.recv(source=MPI.ANY_SOURCE)
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return start(folder, "run", "--cluster", NAME, "--mpi", *words)


@pytest.mark.parametrize("spin", [False, True], ids=["waiting", "spinning"])
def test_every_call_has_its_result(spin: bool, cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(3, print, at_least=True)
    shutil.copy(PROGRAM, tmp_path)
    options = ["--nodes", "3", "--cores", "1", "--ranks", "3", "--timeout", "90", *(["--spin"] if spin else [])]
    done = run(tmp_path, *options, PROGRAM.name)
    assert done.returncode == 0, done.stderr.decode()
    assert sorted(done.stdout.decode().splitlines()) == [f"rank {rank}: every call" for rank in range(3)]


@pytest.mark.parametrize("how", ["spawn", "spawn_multiple"])
def test_ranks_that_are_spawned_wait_so_too(how: str, cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(1, print, at_least=True)
    shutil.copy(PROGRAM, tmp_path)
    done = run(tmp_path, "--ranks", "1", "--cores", "4", "--timeout", "60", PROGRAM.name, how)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"rank 0: every call\n"


@pytest.mark.measures
def test_who_waits_uses_little_cpu(cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(1, print, at_least=True)
    (tmp_path / "share.py").write_text(SHARE)
    shares = {}
    for option in ((), ("--spin",), ("--no-limits",)):
        done = run(tmp_path, "--cores", "1", "--speed", "1", "--ranks", "2", *option, "share.py")
        assert done.returncode == 0, done.stderr.decode()
        shares[option] = float(done.stdout)
    assert shares[()] < shares["--spin",] / 4  # of one core, for the whole of it; a busy host gives less
    assert shares[()] < shares["--no-limits",] / 4


def test_a_hang_is_told_with_call_peer_and_tag(cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(1, print, at_least=True)
    (tmp_path / "hangs.py").write_text(HANGS)
    done = run(tmp_path, "--ranks", "4", "--timeout", "5", "hangs.py")
    said = done.stderr.decode()
    assert done.returncode == 124, said
    first = said.splitlines()[0]
    assert "rank 0 to rank 1 wait in Send (0 to 1, 1 to 0) at hangs.py:7 (comm.Send(data" in first
    assert "rank 2 on node-1 waits in Bcast with root 3 at hangs.py:9" in first
    assert "rank 3 on node-1 waits in Mprobe from any rank, any tag, at hangs.py:11" in first
    assert "    in MPI_Send to rank 0, tag 7, for " in said
    assert "limits      held: " in said, "they were read before they were lifted"
