"""A program for a site: what its file may say, the scripts that come of it, and the records that are refused."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parlab.errors import UsageError
from parlab.site.description import Site, read_site
from parlab.site.directory import lock
from parlab.site.home import read_home
from parlab.site.rank import quota, rank_number
from parlab.site.script import Shipment, job_script
from tests.conftest import ROOT, Invoke
from tests.own_programs import start

SENT = Shipment("solver", ("-m", "mpi4py", "solver.py", "--name", "it's"), ranks=4, nodes=2)
FULL = """
name = "Alps"
scheduler = "slurm"
partition = "debug"
account = "course"
time = "00:05:00"
cores = 8
options = ["--exclusive"]
modules = ["openmpi/5"]
launcher = "mpirun"
python = "python3.12"
scratch = "$SCRATCH/runs"
[environment]
WORDS = "a b"
"""


def site(tmp_path: Path, text: str) -> Site:
    file = tmp_path / "site.toml"
    file.write_text(text)
    return read_site(file)


def test_a_sites_file_is_read_once_into_values_and_may_be_empty(tmp_path: Path) -> None:
    found = site(tmp_path, FULL)
    assert (found.name, found.cores, found.modules, found.environment) == ("Alps", 8, ("openmpi/5",), {"WORDS": "a b"})
    assert site(tmp_path, "") == Site()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('partitoin = "debug"', "'partitoin', which no site's file has: did you mean partition?"),
        ("xyzzy = 1", "'xyzzy', which no site's file has: it may have name, scheduler"),
        ("partition = 3", "partition: required str, found int"),
        ("cores = 0", "cores: "),
        ('time = "soon"', "time: "),
        ('scheduler = "cron"', "scheduler: "),
        ('partition = "a\\n#SBATCH --nodes=9"', "partition: "),
        ('scratch = "$(id)"', "scratch: "),
        ('environment = {"a b" = "c"}', "environment"),
        ("partition = ", "is no TOML"),
    ],
)
def test_what_a_sites_file_may_not_say_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        site(tmp_path, text)
    assert told in str(caught.value)
    assert str(caught.value).startswith("--site: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheduler", "asked"),
    [
        ("slurm", ["#SBATCH --nodes=2", "#SBATCH --ntasks=4", "#SBATCH --partition=debug", "#SBATCH --exclusive"]),
        ("pbs", ["#PBS -l select=2:ncpus=8:mpiprocs=2", "#PBS -l walltime=00:05:00", "#PBS -q debug"]),
        ("lsf", ["#BSUB -n 4", '#BSUB -R "span[ptile=2]"', "#BSUB -W 0:05", "#BSUB -P course"]),
    ],
)
def test_the_script_asks_in_the_words_of_its_batch_system_and_is_a_script(
    tmp_path: Path, scheduler: str, asked: list[str]
) -> None:
    text = job_script(site(tmp_path, FULL.replace('"slurm"', f'"{scheduler}"')), SENT)
    lines = text.splitlines()
    head = lines[1 : next(at for at, line in enumerate(lines[1:], 1) if not line.startswith("#"))]
    assert set(asked) <= set(head), "all of it stands before the first command"
    for line in ("module load openmpi/5 || exit 1", "export WORDS='a b'"):
        assert line in lines
    assert ("UNTESTED" in text) == (scheduler != "slurm")
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_the_lock_has_hashes_no_host_and_not_what_a_site_has_itself() -> None:
    text = lock()
    assert "mpi4py==" in text
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert not any(line.startswith(("openmpi", "msgspec")) for line in text.splitlines())


def test_a_program_goes_with_its_folder_and_an_earlier_export_does_not(tmp_path: Path) -> None:
    (tmp_path / "solver.py").write_text("print(1)\n")
    (tmp_path / "data.txt").write_text("data")
    for name in ("first", "second"):
        done = start(tmp_path, "export", "--mpi", "--nodes", "2", "--out", name, "solver.py", "--steps", "3")
        assert done.returncode == 0, done.stderr.decode()
    found = {str(path.relative_to(tmp_path / "second")) for path in (tmp_path / "second").rglob("*") if path.is_file()}
    assert found == {
        "README.txt",
        "export.json",
        "job.sh",
        "parlab_rank.py",
        "program.def",
        "program/data.txt",
        "program/solver.py",
        "requirements.txt",
        "setup.sh",
    }
    known = json.loads((tmp_path / "second" / "export.json").read_text())
    assert known["command"] == ["-m", "mpi4py", "solver.py", "--steps", "3"]
    assert (known["ranks"], known["nodes"]) == (4, 2)
    for script in ("job.sh", "setup.sh"):
        subprocess.run(["bash", "-n", str(tmp_path / "second" / script)], check=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "full", "solver.py"], "--out takes a new directory, and full is there"),
        (["--out", "no/where", "solver.py"], "--out takes a new directory in a folder that is there"),
        (["solvr.py"], "No program 'solvr.py'. Did you mean solver.py"),
        (["lab.mpi"], "lab.mpi is a lab, and a site takes programs so far"),
        (["--mpi", "--ranks", "9", "--nodes", "2", "solver.py"], "--ranks takes 2 to 4 on 2 x 2 cores, not 9"),
        (["--site", "none.toml", "solver.py"], "--site: none.toml cannot be read"),
        (["--sit", "site.toml", "solver.py"], "export has no option '--sit'. Did you mean --site?"),
        (["--site", "site.toml", "case-1", "x.svg"], "--site is for a program"),
    ],
)
def test_an_export_that_cannot_be_is_one_line_and_writes_nothing(tmp_path: Path, words: list[str], told: str) -> None:
    (tmp_path / "solver.py").write_text("print(1)\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = start(tmp_path, "export", *words)
    (line,) = done.stderr.decode().splitlines()
    assert told in line
    assert (done.returncode, done.stdout) == (2, b"")
    assert sorted(tmp_path.rglob("*")) == before


def record(**changes: Any) -> dict[str, Any]:
    on = {"platform": "Linux", "kernel": "6", "architecture": "x86_64", "cpu": "a CPU", "cpus": 64, "python": "3.12"}
    ranks = [
        {
            "rank": number,
            "host": f"nid-{1 + number // 2}",
            "pid": 100 + number,
            "began": 1_000_000_001.0,
            "ended": 1_000_000_003.0 + number,
            "code": 0,
            "cpu_s": 1.5,
            "peak": 50_000_000,
            "cores": 2,
            "quota": None,
            "on": on,
        }
        for number in range(4)
    ]
    sent = {"name": "solver", "command": ["solver.py"], "launch": "mpi", "ranks": 4, "nodes": 2, "site": "Alps"}
    whole = {"parlab_site": 1, "export": sent, "began": 1_000_000_000.0, "ended": 1_000_000_007.0, "exit_code": 0}
    return {**whole, "job": {"SLURM_JOB_ID": "17"}, "ranks": ranks, **changes}


def home(tmp_path: Path, what: object) -> Path:
    file = tmp_path / "record-17.json"
    file.write_text(json.dumps(what))
    return file


def test_a_record_becomes_a_run_like_one_of_a_program_here(tmp_path: Path) -> None:
    run = read_home(home(tmp_path, record()))
    (case,) = run.cases
    assert (case.name, run.backend, str(run.spec)) == ("solver(ranks=4)", "site", "2 nodes x 2 virtual cores x 1")
    assert case.measured_s == pytest.approx(5.0)
    assert case.repeats[0].startup_s == pytest.approx(1.0)
    assert case.by_node == {"nid-1": 2, "nid-2": 2}
    assert run.environment["cpu"] == "a CPU"
    assert run.environment["SLURM_JOB_ID"] == "17"
    assert run.stands
    assert read_home(home(tmp_path, record())) == run, "the same record is the same run"


def test_compare_sets_two_records_side_by_side_and_tells_how_their_hosts_differ(invoke: Invoke, tmp_path: Path) -> None:
    other = [{**rank, "on": {**rank["on"], "cpu": "another CPU"}} for rank in record()["ranks"]]
    where = {"PARLAB_RESULTS": str(tmp_path / "results")}
    for number, ranks in enumerate((record()["ranks"], other)):
        done = invoke("import", str(home(tmp_path, record(ranks=ranks, began=1_000_000_000.0 - number))), **where)
        assert done.returncode == 0, done.stderr
    compared = invoke("compare", "1", "2", **where)
    assert compared.returncode == 0, compared.stderr
    told = " ".join(compared.stdout.split())
    assert "different hosts: cpu a CPU and another CPU" in told
    assert "Not significant: solver(ranks=4)" in told


def test_a_nodes_limit_is_the_speed_of_its_cores(tmp_path: Path) -> None:
    ranks = [{**rank, "quota": 0.25} for rank in record()["ranks"]]
    assert str(read_home(home(tmp_path, record(ranks=ranks))).spec) == "2 nodes x 2 virtual cores x 1/8"


def test_a_rank_that_failed_or_of_which_nothing_is_known_makes_the_run_wrong(tmp_path: Path) -> None:
    ranks = record()["ranks"]
    killed = read_home(home(tmp_path, record(ranks=[{**ranks[0], "code": -9}, *ranks[1:]], exit_code=137)))
    assert killed.wrong
    assert "rank 0 on nid-1 ended with signal 9" in str(killed.cases[0].complaint)
    silent = read_home(home(tmp_path, record(ranks=ranks[:3])))
    assert silent.wrong
    assert "nothing was noted of rank 3, perhaps a node does not see" in str(silent.cases[0].complaint)
    ended = read_home(home(tmp_path, record(ranks=[{**ranks[1], "code": 7}], exit_code=7)))
    assert str(ended.cases[0].complaint) == (
        "exit code 7 is the launcher's; rank 1 on nid-1 ended with exit code 7; "
        "nothing was noted of ranks 0, 2, 3, killed with the job, as it seems"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"parlab_site": 2},
        {"ranks": []},
        {"ranks": [record()["ranks"][0]] * 2},
        {"ranks": [{**record()["ranks"][0], "rank": 4}]},
        {"ranks": [{**record()["ranks"][0], "host": "<script>"}]},
        {"ranks": [{**record()["ranks"][0], "quota": -1}]},
        {"began": None},
    ],
)
def test_a_damaged_record_is_one_line_and_is_not_kept(invoke: Invoke, tmp_path: Path, changes: dict[str, Any]) -> None:
    file, results = home(tmp_path, record(**changes)), tmp_path / "results"
    done = invoke("import", str(file), PARLAB_RESULTS=str(results))
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"usage: {file}: ")
    assert (done.returncode, list(results.glob("*"))) == (2, [])


def test_the_rank_is_its_launchers_and_a_limit_is_the_kernels(tmp_path: Path) -> None:
    assert rank_number({"SLURM_PROCID": "0", "OMPI_COMM_WORLD_RANK": "3"}) == 3, "mpirun in a job of Slurm"
    assert rank_number({"SLURM_PROCID": "2"}) == 2
    two, one = tmp_path / "cpu.max", tmp_path / "cpu.cfs_quota_us"
    two.write_text("max 100000\n")
    one.write_text("-1\n")
    assert quota([two, one]) is None
    one.write_text("25000\n")
    assert quota([two, one]) == 0.25
    two.write_text("50000 200000\n")
    assert quota([two, one]) == 0.25


def test_what_goes_to_a_site_needs_the_standard_library_alone() -> None:
    text = (ROOT / "parlab" / "site" / "rank.py").read_text()
    assert "parlab." not in text.split('"""', 2)[2]
