"""A scheduler to learn on: the user's own jobs, from a shell on the head, and the list of them."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from parlab.backend.slurm import Slurm
from tests.cluster.conftest import NAME, inside, slurm_cluster
from tests.conftest import ROOT, Invoke, within

CALLED = f"{NAME}-shell"
Shell = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def cluster(invoke: Invoke) -> Iterator[Slurm]:
    """A Slurm cluster with two nodes."""
    with slurm_cluster(CALLED) as backend:
        done = invoke("up", "--cluster", CALLED, "--backend", "slurm", "--nodes", "2")
        assert done.returncode == 0, done.stderr
        yield backend


@pytest.fixture
def shell(cluster: Slurm, invoke: Invoke) -> Iterator[Shell]:
    """Run a line of a shell on the head, as a user does; the queue and the home are empty before and after it."""
    clean = "scancel --user=lab; while squeue --noheader | grep -q .; do sleep 0.1; done; rm -rf ~/*"

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return invoke("exec", "--cluster", CALLED, "--", "bash", "-c", line)

    assert run(clean).returncode == 0
    yield run
    assert run(clean).returncode == 0


def typed(text: str) -> subprocess.CompletedProcess[str]:
    """Give `exec` this text as its input."""
    command = [sys.executable, "-m", "invoke", "exec", "--cluster", CALLED, "--", "bash"]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=240, check=False)


def listed(invoke: Invoke) -> dict[str, list[str]]:
    """The cells of `jobs`, by the job's id."""
    done = invoke("jobs", "--cluster", CALLED)
    assert done.returncode == 0, done.stderr
    rows = [re.split(r" {2,}", line) for line in done.stdout.splitlines()]
    return {row[0]: row for row in rows if row[0][:1].isdigit()}


def test_a_command_has_its_input_its_exit_code_and_no_terminal(shell: Shell) -> None:
    done = typed("cat <<END\nhello\nEND\ntest -t 0 || echo none\nexit 7\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\nnone\n", "")
    assert shell("no-such-command").returncode == 127


@pytest.mark.parametrize("words", [(), ("--node", "node-9", "--", "true"), ("--backend", "cluster", "--", "true")])
def test_bad_input_is_one_line_and_starts_nothing(shell: Shell, invoke: Invoke, words: tuple[str, ...]) -> None:
    done = invoke("exec", "--cluster", CALLED, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("usage: ")


def test_home_is_the_working_directory_and_all_nodes_share_it(shell: Shell, cluster: Slurm) -> None:
    assert shell("pwd; echo kept >file").stdout == "/home/lab\n"
    for node in cluster.containers():
        assert inside(node, "cat", "file") == "kept\n"


def test_editors_and_help_are_there(shell: Shell) -> None:
    each = "for c in sbatch srun salloc squeue sinfo scancel; do $c --help || exit 1; done"
    done = shell(f"nano --version && vi --version && {each}")
    assert done.returncode == 0, done.stderr
    assert "GNU nano" in done.stdout
    assert "VIM" in done.stdout
    assert "--dependency" in done.stdout


def test_there_are_two_partitions_for_the_users_jobs_and_short_is_the_default(shell: Shell) -> None:
    rows = shell("sinfo --noheader --format='%P %l %D'").stdout.split("\n")
    assert {"short* 5:00 2", "long 12:00:00 2"} <= set(rows)
    order = shell("scontrol show partition --oneliner").stdout.splitlines()
    tier = {line.split()[0]: int(re.search(r"PriorityTier=(\d+)", line)[1]) for line in order}  # type: ignore[index]
    assert tier["PartitionName=short"] > tier["PartitionName=long"]


def test_python_with_mpi_runs_on_several_nodes_in_the_steps_of_a_script(shell: Shell) -> None:
    shell(
        "printf '%s\n' 'from mpi4py import MPI' 'c = MPI.COMM_WORLD'"
        " 'print(c.rank, c.allreduce(1), MPI.Get_processor_name())' >x.py;"
        "printf '%s\n' '#!/bin/bash' '#SBATCH --nodes=2 --ntasks-per-node=2 --output=out'"
        " 'srun --mpi=pmix python x.py' 'srun --ntasks=2 sh -c \"echo step \\$SLURM_STEP_ID\"' >job.sh"
    )
    done = shell("sbatch --wait job.sh; cat out")
    lines = sorted(done.stdout.splitlines()[1:])
    assert lines == ["0 4 node-1", "1 4 node-1", "2 4 node-2", "3 4 node-2", "step 1", "step 1"], done.stderr


def test_the_tasks_of_an_array_run_each_with_its_number(shell: Shell, invoke: Invoke) -> None:
    shell("sbatch --wait --array=1-3%2 --output=out.%a --wrap='echo $SLURM_ARRAY_TASK_ID'")
    assert shell("cat out.*").stdout.split() == ["1", "2", "3"]
    states = {number: row[3] for number, row in listed(invoke).items() if "_" in number}
    assert list(states.values())[:3] == ["completed"] * 3
    assert {number.partition("_")[2] for number in states} >= {"1", "2", "3"}


def test_a_job_waits_for_another_and_one_whose_wait_is_vain_says_so(shell: Shell) -> None:
    shell(
        "A=$(sbatch --parsable --output=/dev/null --wrap='sleep 1; echo first >>order; exit 3');"
        "sbatch --dependency=afterok:$A --job-name=vain --output=/dev/null --wrap='echo vain >>order';"
        "sbatch --wait --dependency=afterany:$A --output=/dev/null --wrap='echo second >>order'"
    )
    assert shell("cat order").stdout.split() == ["first", "second"]
    within(10, lambda: "DependencyNeverSatisfied" in shell("squeue --name=vain --noheader --format=%r").stdout)


def test_an_exclusive_job_has_its_node_alone(shell: Shell) -> None:
    both = "sbatch --parsable --nodelist=node-1 --output=/dev/null {} --wrap='sleep 60'"
    assert shell(f"{both.format('--exclusive')}; {both.format('')}").returncode == 0
    states = "squeue --noheader --sort=i --format='%T %r'"
    within(10, lambda: shell(states).stdout.splitlines() == ["RUNNING None", "PENDING Resources"])
    shell("scancel --state=running --user=lab")
    within(10, lambda: shell("squeue --noheader --states=running --format=%T").stdout == "RUNNING\n")


def test_a_full_queue_lets_short_jobs_go_first_and_lists_the_reasons(shell: Shell, invoke: Invoke) -> None:
    script = "sbatch --parsable --nodes=2 --exclusive --output=/dev/null {} --wrap='sleep 60'"
    full = shell(script.format("")).stdout.strip()
    long, short = (shell(script.format(f"-p {name}")).stdout.strip() for name in ("long", "short"))
    within(10, lambda: [listed(invoke)[job][3] for job in (full, long, short)] == ["running", "pending", "pending"])
    within(10, lambda: listed(invoke)[short][4] == "Resources")
    shell(f"scancel {full}")
    within(10, lambda: [listed(invoke)[job][3] for job in (full, long, short)] == ["cancelled", "pending", "running"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--nodes=9", "More processors requested than permitted"),
        ("--time=10", "Requested time limit is invalid"),
        ("--mem=100G", "Requested node configuration is not available"),
        ("--partition=none", "invalid partition specified"),
    ],
)
def test_a_job_that_asks_for_what_is_not_there_is_refused_at_once(shell: Shell, asked: str, said: str) -> None:
    done = shell(f"sbatch {asked} --wrap=true")
    assert done.returncode == 1
    assert said in done.stderr
    assert shell("squeue --noheader").stdout == ""


def test_a_job_that_takes_more_memory_than_it_asked_for_is_ended_and_told(shell: Shell, invoke: Invoke) -> None:
    eats = "python -c 'import time; all = bytearray(200 << 20); time.sleep(60)'"
    number = shell(f'sbatch --parsable --wait --mem=100M --output=out --wrap="{eats}"').stdout.strip()
    assert "exceeded memory limit" in shell("cat out").stdout
    assert listed(invoke)[number][3] == "failed"
    assert shell("pgrep -f bytearray").returncode == 1
    enough = shell(f'sbatch --parsable --wait --mem=400M --output=out --wrap="{eats.replace("60", "3")}"')
    assert listed(invoke)[enough.stdout.strip()][3] == "completed"


@pytest.mark.slow
def test_a_job_at_its_time_limit_is_ended_and_told(shell: Shell, invoke: Invoke) -> None:
    number = shell("sbatch --parsable --wait --time=1 --output=out --wrap='sleep 200'").stdout.strip()
    assert "DUE TO TIME LIMIT" in shell("cat out").stdout
    assert listed(invoke)[number][3] == "timeout"


def test_a_cancelled_job_is_listed_and_nothing_is_left_of_it(shell: Shell, invoke: Invoke, cluster: Slurm) -> None:
    number = shell("sbatch --parsable --output=/dev/null --wrap='sleep 1234'").stdout.strip()
    within(10, lambda: listed(invoke)[number][3] == "running")
    shell(f"scancel {number}")
    within(10, lambda: listed(invoke)[number][3] == "cancelled")
    gone = "while pgrep -f '[s]leep 1234'; do sleep 0.1; done"
    for node in cluster.containers():
        inside(node, "timeout", "20", "sh", "-c", gone)


def test_jobs_go_on_while_daemons_start_again(shell: Shell, cluster: Slurm, invoke: Invoke) -> None:
    number = shell("sbatch --parsable --nodelist=node-1 --output=out --wrap='sleep 4; echo done'").stdout.strip()
    within(10, lambda: listed(invoke)[number][3] == "running")
    inside(cluster.containers()[1], "pkill", "-KILL", "-x", "slurmd")
    inside(cluster.containers()[0], "pkill", "-TERM", "-x", "slurmctld")
    within(30, lambda: shell("squeue").returncode == 0)
    within(30, lambda: listed(invoke)[number][3] == "completed")
    assert shell("cat out").stdout == "done\n"


def test_a_node_that_dies_is_told_its_job_ends_and_it_comes_back_by_itself(
    shell: Shell, cluster: Slurm, invoke: Invoke
) -> None:
    lost = shell("sbatch --parsable --no-requeue --nodelist=node-2 --output=out --wrap='sleep 600'").stdout.strip()
    within(10, lambda: listed(invoke)[lost][3] == "running")
    node = cluster.containers()[2]
    subprocess.run(["docker", "kill", node.id], check=True, capture_output=True)
    within(30, lambda: listed(invoke)[lost][3] == "node_fail")
    assert "down" in shell("sinfo --noheader --nodes=node-2 --format=%T").stdout
    assert shell("sbatch --wait --nodelist=node-1 --output=/dev/null --wrap=true").returncode == 0
    done = invoke("up", "--cluster", CALLED, "--backend", "slurm", "--nodes", "2")
    assert done.returncode == 0, done.stderr
    within(10, lambda: shell("sinfo --noheader -r -p short --format='%D %T'").stdout == "2 idle\n")
    assert shell("cat out").returncode == 0, "the home is still there"


def test_a_shell_starts_a_cluster_only_if_there_is_none(shell: Shell, invoke: Invoke) -> None:
    again = invoke("exec", "--cluster", CALLED, "--backend", "slurm", "--", "sinfo", "-h", "-p", "short", "-o", "%D")
    assert (again.returncode, again.stdout, again.stderr) == (0, "2\n", "")


def test_the_home_and_the_list_of_jobs_go_with_the_cluster(shell: Shell, cluster: Slurm, invoke: Invoke) -> None:
    shell("echo kept >file")
    assert invoke("down", "--cluster", CALLED).returncode == 0
    assert invoke("up", "--cluster", CALLED, "--backend", "slurm", "--nodes", "2").returncode == 0
    assert shell("ls").stdout == ""
    assert "has had no job" in invoke("jobs", "--cluster", CALLED).stdout
