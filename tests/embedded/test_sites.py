"""An exported directory, run by this machine's own mpiexec: the job, its record, and the record at home."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import PATIENCE, Invoke
from tests.own_programs import start

PROGRAM = """
import sys, time
from mpi4py import MPI
ranks = MPI.COMM_WORLD
time.sleep(0.3)
total = ranks.allreduce(ranks.rank)
if ranks.rank == 0:
    open("total", "w").write(str(total))
sys.exit(int(sys.argv[1]) if ranks.rank == 1 else 0)
"""


def exported(folder: Path, code: int) -> Path:
    """The directory of an exported program that ends with this code, for mpiexec of this environment."""
    (folder / "sums.py").write_text(PROGRAM)
    site = f"launcher = 'mpiexec --oversubscribe'\npython = {json.dumps(sys.executable)}\n"
    (folder / "site.toml").write_text(site)
    done = start(
        folder, "export", "--site", "site.toml", "--mpi", "--ranks", "2", "--out", "there", "sums.py", str(code)
    )
    assert done.returncode == 0, done.stderr.decode()
    return folder / "there"


def run_job(folder: Path) -> subprocess.CompletedProcess[str]:
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "SLURM_JOB_ID": "17"}
    return subprocess.run(
        ["bash", "job.sh"],
        cwd=folder,
        env={**os.environ, **root, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 30,
        check=False,
    )


def test_the_job_writes_a_record_that_comes_home(invoke: Invoke, tmp_path: Path) -> None:
    there = exported(tmp_path, 0)
    done = run_job(there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (there / "program" / "total").read_text() == "1"
    assert not (there / "parts-17").exists()
    results = {"PARLAB_RESULTS": str(tmp_path / "results")}
    for _ in range(2):
        taken = invoke("import", str(there / "record-17.json"), **results)
        assert taken.returncode == 0, taken.stderr
    (kept,) = (tmp_path / "results").iterdir()
    (case,) = json.loads(kept.read_text())["cases"]
    assert case["name"] == "sums(ranks=2)"
    assert case["measured_s"] > 0.3
    assert len(case["repeats"][0]["spans"]) == 2
    assert "sums" in invoke("results", **results).stdout


def test_a_job_that_failed_says_so_and_its_record_does_too(invoke: Invoke, tmp_path: Path) -> None:
    there = exported(tmp_path, 7)
    done = run_job(there)
    assert done.returncode != 0
    taken = invoke("import", str(there / "record-17.json"), PARLAB_RESULTS=str(tmp_path / "results"))
    assert taken.returncode == 0, taken.stderr
    assert "ended with exit code 7" in taken.stdout.replace("\n", " ")
