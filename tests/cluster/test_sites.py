"""An exported program on a real Slurm: submitted there, and its record compared with the run from here."""

import json
import subprocess
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from parlab.backend.compose import Container
from parlab.backend.slurm import Slurm
from parlab.run.mpiexec import OPEN_MPI
from tests.cluster.conftest import NAME, inside, slurm_cluster
from tests.conftest import PATIENCE, Invoke
from tests.own_programs import start

CLUSTER = ("--cluster", f"{NAME}-site", "--backend", "slurm")
SITE = """
name = "the box"
partition = "lab"
options = ["--exclusive"]
python = "/opt/parlab/bin/python"
[environment]
""" + "\n".join(f'{name} = "{value}"' for name, value in OPEN_MPI.items())
# It sends nothing until all ranks are out of MPI_Init: docs/slurm.md, a trap of Open MPI. The time is mostly a sleep's:
# that is the same whoever starts the ranks.
PROGRAM = """
import sys, time
from mpi4py import MPI
ranks = MPI.COMM_WORLD
time.sleep(6)
total = ranks.allreduce(ranks.rank)
if ranks.rank == 0:
    open("total", "w").write(str(total))
"""
FOLDER = "/jobs/sums-site"


@pytest.fixture
def cluster() -> Iterator[Slurm]:
    """A Slurm cluster with two nodes, beside the other tests' own."""
    with slurm_cluster(f"{NAME}-site") as backend:
        yield backend


def send(folder: Path, head: Container) -> None:
    """Copy a directory to a folder that all nodes see, as scp would."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, FOLDER.removeprefix("/jobs/"))
    unpack = ["docker", "exec", "-i", head.id, "tar", "-x", "-C", "/jobs", "--no-same-owner"]
    subprocess.run(unpack, input=packed.getvalue(), check=True, timeout=60)


def test_the_record_of_a_program_at_the_site_equals_that_of_the_same_program_here(
    cluster: Slurm, invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "sums.py").write_text(PROGRAM)
    (tmp_path / "site.toml").write_text(SITE)
    results = tmp_path / "results"
    here = invoke(
        *("run", *CLUSTER, "--mpi", "--nodes", "2", "--dir", str(tmp_path), str(tmp_path / "sums.py")),
        PARLAB_RESULTS=str(results),
    )
    assert here.returncode == 0, here.stderr

    words = ("--site", "site.toml", "--mpi", "--nodes", "2", "--out", "there", "sums.py")
    done = start(tmp_path, "export", *words)
    assert done.returncode == 0, done.stderr.decode()
    head = cluster.containers()[0]
    send(tmp_path / "there", head)
    submit = f"cd {FOLDER} && timeout {PATIENCE * 20} sbatch --wait --parsable job.sh; cat sums-*.out"
    said = inside(head, "sh", "-c", submit)
    assert "exit code 0; at home:" in said, said
    number = said.split()[0]
    assert inside(head, "cat", f"{FOLDER}/program/total") == "6"
    home = tmp_path / f"record-{number}.json"
    home.write_text(inside(head, "cat", f"{FOLDER}/record-{number}.json"))

    taken = invoke("import", str(home), PARLAB_RESULTS=str(results))
    assert taken.returncode == 0, taken.stderr
    newest, first = sorted(results.glob("[0-9]*.json"), reverse=True)
    ours, theirs = (json.loads(path.read_text()) for path in (first, newest))
    assert theirs["backend"] == "site"
    assert theirs["spec"] == ours["spec"], "the limits of its nodes are in the record"
    assert theirs["cases"][0]["by_node"] == ours["cases"][0]["by_node"] == {"node-1": 2, "node-2": 2}
    compared = invoke("compare", "2", "1", PARLAB_RESULTS=str(results))
    assert compared.returncode == 0, compared.stderr
    assert "different backends: slurm and site" in compared.stdout
    assert "Not significant: sums(ranks=4)" in compared.stdout.replace("\n", " ")
    page = invoke("report", "1", PARLAB_RESULTS=str(results))
    assert page.returncode == 0, page.stderr
