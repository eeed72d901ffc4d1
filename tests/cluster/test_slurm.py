"""The same nodes under Slurm: labs and programs run as jobs, and what goes wrong with a job is told."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parlab.backend.image import image_name
from parlab.backend.machine import plain, slurm
from parlab.backend.slurm import Slurm
from parlab.model.spec import HEAD_CPUS
from tests.cluster.conftest import LEFT, NAME, inside, see_that_it_is_hardened, slurm_cluster
from tests.conftest import PATIENCE, Invoke, start_invoke, within
from tests.own_programs import start

SLURM = ("--cluster", f"{NAME}-slurm", "--backend", "slurm")
DAEMONS = re.compile(r"/usr/sbin/slurm|slurmscriptd|/usr/local/bin/node|sleep 0\.[12]$")
EACH = """
import os, time
from mpi4py import MPI
ranks = MPI.COMM_WORLD
if ranks.rank == 0:
    open("made", "w").write(os.environ["SLURM_JOB_ID"])
print(ranks.rank, ranks.size, MPI.Get_processor_name(), os.environ["SLURM_CPUS_PER_TASK"], os.environ["SLURM_PROCID"])
"""
FAILS = """
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 1:
    raise SystemExit(7)
MPI.COMM_WORLD.Barrier()
"""
WORKS = "import time; [print(second, flush=True) or time.sleep(1) for second in range(10)]"
WAITING = "import time; print('here', flush=True); time.sleep(300)"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    """A Slurm cluster beside the other tests' own."""
    with slurm_cluster(f"{NAME}-slurm") as backend:
        yield backend


@pytest.fixture
def two(cluster: Slurm, invoke: Invoke) -> Slurm:
    """The Slurm cluster, up, with two nodes or more."""
    if len(cluster.containers()) < 3:
        done = invoke("up", *SLURM, "--nodes", "2")
        assert done.returncode == 0, done.stderr
        assert "2 nodes, 0.25 CPU each, under Slurm" in done.stdout
    return cluster


def on_head(cluster: Slurm, *command: str) -> str:
    return inside(cluster.containers()[0], *command)


def jobs(cluster: Slurm) -> list[str]:
    """The number and the state of each job in the queue."""
    return on_head(cluster, "squeue", "--noheader", "--format=%i %T").splitlines()


def first_job(cluster: Slurm) -> int:
    """The least number that the controller gives to a job."""
    (number,) = re.findall(r"^FirstJobId *= (\d+)$", on_head(cluster, "scontrol", "show", "config"), re.MULTILINE)
    return int(number)


def left(cluster: Slurm) -> list[str]:
    """Files, processes and jobs that a run has left; slurmstepd ends a moment after its job."""
    until = time.monotonic() + PATIENCE * 5
    while True:
        looked = [inside(node, "sh", "-c", f"{LEFT}; ls -A /jobs") for node in cluster.containers()]
        found = [line for text in looked for line in text.splitlines() if not DAEMONS.search(line)]
        found += jobs(cluster)
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.2)


def test_the_image_with_slurm_is_the_plain_one_and_at_most_40_mb(two: Slurm) -> None:
    before, after = plain(two.client), slurm(two.client, print)
    images = two.client.images
    assert before.image == image_name()
    below, above = (images.get(one.image_id).attrs for one in (before, after))
    assert above["RootFS"]["Layers"][: len(below["RootFS"]["Layers"])] == below["RootFS"]["Layers"]
    assert above["Size"] - below["Size"] <= 40e6


def test_every_node_is_hardened_like_a_plain_one_and_its_daemons_are_the_users(two: Slurm) -> None:
    for node in two.containers():
        see_that_it_is_hardened(two, node)
        processes = [line.split() for line in inside(node, "ps", "-eo", "user=,args=").splitlines()]
        assert {user for user, *_ in processes} == {"lab"}
        assert any("/usr/sbin/slurmd" in words for words in processes)
    key = on_head(two, "stat", "-c", "%a %U", "/cluster/slurm/slurm.key")
    assert key == "600 lab\n"


def test_a_lab_runs_as_a_job_with_its_limits_and_its_record_is_complete(
    two: Slurm, invoke: Invoke, tmp_path: Path
) -> None:
    words = ("--nodes", "1,2", "--unit", "0.2", "--json", str(tmp_path / "r.json"))
    done = invoke("lab.mpi", *SLURM, *words, "--quiet", seconds=PATIENCE * 120)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["backend"] == "slurm"
    assert record["failure"] is None
    assert record["environment"]["batch_system"].startswith("slurm-wlm ")
    for case in record["cases"]:
        (repeat,) = case["repeats"]
        assert repeat["outcome"] == "right"
        assert len(repeat["spans"]) == 32
        for node, read in repeat["nodes"].items():
            assert set(read["engine"]) == {float(HEAD_CPUS) if node == "head" else 0.25}
    assert left(two) == []


def test_a_program_in_one_process_is_told_all_cores_of_its_node_by_slurm(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "each.py").write_text(EACH)
    done = start(tmp_path, "run", *SLURM, "--nodes", "1", "--cores", "3", "--speed", "1/16", "each.py")
    assert done.stdout.decode().split() == ["0", "1", "node-1", "3", "0"], done.stderr.decode()
    assert "CPUTot=3 " in on_head(two, "scontrol", "show", "node", "node-1", "--oneliner")


def test_a_program_runs_on_two_nodes_and_its_files_come_back(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "each.py").write_text(EACH)
    done = start(tmp_path, "run", *SLURM, "--mpi", "--nodes", "2", "each.py")
    assert done.returncode == 0, done.stderr.decode()
    rows = sorted(line.split() for line in done.stdout.decode().splitlines())
    assert rows == [[str(rank), "4", f"node-{1 + rank // 2}", "1", str(rank)] for rank in range(4)]
    assert (tmp_path / "made").read_text().isdigit()
    assert left(two) == []


def test_the_exit_code_is_that_of_the_rank_that_failed_first(two: Slurm, tmp_path: Path) -> None:
    code = (
        "from mpi4py import MPI\nimport sys\nranks = MPI.COMM_WORLD\nif ranks.rank == 1: sys.exit(7)\nranks.Barrier()\n"
    )
    (tmp_path / "fails.py").write_text(code)
    done = start(tmp_path, "run", *SLURM, "--mpi", "--nodes", "2", "fails.py")
    assert done.returncode == 7, done.stderr.decode()
    assert "rank 1 on node-1 ended with exit code 7" in done.stderr.decode()
    assert left(two) == []


def test_a_job_that_runs_out_of_time_is_ended_and_told(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITING)
    done = start(tmp_path, "run", *SLURM, "--nodes", "1", "--timeout", "5", "waits.py")
    assert done.returncode == 124, done.stderr.decode()
    assert "it had not ended after 5 s, and was ended" in done.stderr.decode()
    assert left(two) == []


@pytest.fixture
def waiting(two: Slurm, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that waits in a job."""
    (tmp_path / "waits.py").write_text(WAITING)
    process = start_invoke("run", *SLURM, "--nodes", "1", "--dir", str(tmp_path), str(tmp_path / "waits.py"))
    within(30, lambda: any("RUNNING" in job for job in jobs(two)))
    within(10, lambda: "waits.py" in inside(two.containers()[1], "ps", "-eo", "args="))
    yield process
    process.kill()
    process.communicate()


def test_a_job_that_somebody_cancels_is_told_and_nothing_is_left(two: Slurm, waiting: subprocess.Popen[str]) -> None:
    (number,) = (job.split()[0] for job in jobs(two))
    on_head(two, "scancel", number)
    _, said = waiting.communicate(timeout=PATIENCE * 20)
    assert waiting.returncode == 125
    assert f"Slurm job {number} was cancelled (scancel)" in said
    assert left(two) == []


def test_ctrl_c_cancels_the_job(two: Slurm, waiting: subprocess.Popen[str]) -> None:
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=PATIENCE * 20)
    assert waiting.returncode == 130
    assert left(two) == []


def test_the_job_of_a_command_that_was_killed_is_cancelled(two: Slurm, waiting: subprocess.Popen[str]) -> None:
    waiting.kill()
    within(10, lambda: not jobs(two))
    assert left(two) == []


def until(words: str, process: subprocess.Popen[str]) -> str:
    """What the process writes to standard error, up to the line with these words."""
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f"no {words!r} in:\n{said}")


def test_a_job_that_waits_says_why_and_runs_when_its_nodes_are_free(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "each.py").write_text(EACH)
    other = on_head(
        two, "sbatch", "--parsable", "--exclusive", "--nodelist=node-1", "--output=/dev/null", "--wrap=sleep 300"
    )
    try:
        process = start_invoke(
            "run", *SLURM, "--mpi", "--nodes", "2", "--dir", str(tmp_path), str(tmp_path / "each.py")
        )
        before = until("is queued (", process)
    finally:
        on_head(two, "scancel", other.strip())
    _, said = process.communicate(timeout=PATIENCE * 40)
    assert process.returncode == 0, before + said
    assert "is running" in said


def test_a_job_that_waits_for_ever_is_given_up_and_its_nodes_are_named(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "each.py").write_text(EACH)
    wrap = ("sbatch", "--parsable", "--exclusive", "--nodelist=node-1", "--output=/jobs/job-%j.out", "--wrap=sleep 300")
    other = on_head(two, *wrap).strip()
    try:
        done = start(tmp_path, "run", *SLURM, "--mpi", "--nodes", "2", "each.py")
        assert done.returncode == 125
        assert "is queued (Resources): its nodes are in use, squeue shows by which jobs." in done.stderr.decode()
        assert [job.split()[0] for job in jobs(two)] == [other], "the user's own job stays, and no other"
        on_head(two, "test", "-e", f"/jobs/job-{other}.out")
    finally:
        on_head(two, "sh", "-c", f"scancel {other}; rm -f /jobs/job-*.out")


@pytest.mark.parametrize("what", ["does not answer for a while", "ends and starts again"])
def test_a_controller_in_trouble_ends_no_job(two: Slurm, what: str, tmp_path: Path) -> None:
    (tmp_path / "works.py").write_text(WORKS)
    command = ("run", *SLURM, "--nodes", "1", "--dir", str(tmp_path), str(tmp_path / "works.py"))
    process = start_invoke(*command)
    within(30, lambda: any("RUNNING" in job for job in jobs(two)))
    if what == "ends and starts again":
        on_head(two, "pkill", "-TERM", "-x", "slurmctld")
    else:
        on_head(two, "sh", "-c", "pkill -STOP -x slurmctld; sleep 6; pkill -CONT -x slurmctld")
    _, said = process.communicate(timeout=PATIENCE * 40)
    assert process.returncode == 0, said
    assert left(two) == []


def test_after_a_controller_was_killed_in_mid_job_the_next_run_works(
    two: Slurm, waiting: subprocess.Popen[str], tmp_path: Path
) -> None:
    first = first_job(two)
    on_head(two, "pkill", "-KILL", "-x", "slurmctld")
    within(20, lambda: "slurmctld" in on_head(two, "ps", "-eo", "comm="))
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=PATIENCE * 20)
    (tmp_path / "each.py").write_text(EACH)
    done = start(tmp_path, "run", *SLURM, "--mpi", "--nodes", "2", "each.py")
    assert done.returncode == 0, done.stderr.decode()
    assert left(two) == []
    assert first_job(two) > first, "no number is given twice"


def test_a_node_that_the_user_has_drained_stays_so_and_is_named(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "works.py").write_text(WORKS)
    on_head(two, "scontrol", "update", "nodename=node-2", "state=drain", "reason=mine")
    try:
        done = start(tmp_path, "run", *SLURM, "--nodes", "1", "works.py")
        assert done.returncode == 125
        assert "node-2 is drained: mine" in done.stderr.decode()
        assert len(two.containers()) > 2, "the cluster stays"
    finally:
        on_head(two, "scontrol", "update", "nodename=node-2", "state=resume")


def test_more_ranks_than_cores_are_no_refusal(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "each.py").write_text(EACH)
    done = start(tmp_path, "run", *SLURM, "--mpi", "--nodes", "1", "--ranks", "5", "each.py")
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout.splitlines()) == 5


def test_what_is_not_there_is_refused_in_slurms_words(two: Slurm, tmp_path: Path) -> None:
    (tmp_path / "each.py").write_text(EACH)
    on_head(two, "scontrol", "update", "partition=lab", "state=drain")
    try:
        refused = start(tmp_path, "run", *SLURM, "--nodes", "1", "each.py")
    finally:
        on_head(two, "scontrol", "update", "partition=lab", "state=up")
    assert refused.returncode == 125
    assert "Slurm has refused the job: " in refused.stderr.decode()
    assert left(two) == []


def test_daemons_that_ended_are_there_again(two: Slurm) -> None:
    on_head(two, "pkill", "-x", "slurmctld")
    inside(two.containers()[1], "pkill", "-x", "slurmd")
    up = "sinfo -h -N -r -p whole -t idle -o %n || true"
    within(20, lambda: len(on_head(two, "sh", "-c", up).split()) == len(two.containers()))


def test_a_larger_cluster_is_known_to_slurm_at_once(two: Slurm, invoke: Invoke) -> None:
    done = invoke("up", *SLURM, "--nodes", "3", "--cores", "4", "--speed", "1/16")
    assert done.returncode == 0, done.stderr
    assert on_head(two, "sinfo", "-h", "-p", "lab", "-o", "%D %c %t").split() == ["3", "4", "idle"]


def test_plain_labs_on_the_same_cluster_have_plain_nodes_again(two: Slurm, invoke: Invoke) -> None:
    done = invoke("up", "--cluster", f"{NAME}-slurm", "--nodes", "1")
    assert done.returncode == 0, done.stderr
    head = two.containers()[0]
    assert (
        subprocess.run(["docker", "exec", head.id, "which", "sinfo"], check=False, capture_output=True).returncode != 0
    )


def test_a_backend_without_nodes_is_no_kind_of_cluster(invoke: Invoke) -> None:
    done = invoke("up", "--backend", "embedded")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--backend takes cluster or slurm here, not 'embedded'" in done.stderr
