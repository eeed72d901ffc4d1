"""The batch script of a launch, and what the user is told of its job."""

import shlex
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.errors import RunError
from parlab.model.starting import InQueue
from parlab.node.batch import script
from parlab.run.queue import told

FOLDER = "/jobs/job-1"
RANK = ("python", "-c", "print('it''s one rank')")


def options(text: str) -> dict[str, str]:
    """The options in the script's #SBATCH lines."""
    found = (line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH "))
    return {name: value for name, _, value in (option.partition("=") for option in found)}


def step(text: str) -> list[str]:
    """The words of the line that starts the ranks."""
    (line,) = (line for line in text.splitlines() if line.startswith("srun "))
    return shlex.split(line)


def test_a_case_in_one_process_gets_the_cores_of_its_node() -> None:
    found = options(script(["node-1"], 4, 4, FOLDER, RANK))
    wanted = {"partition": "lab", "nodes": "1", "nodelist": "node-1", "ntasks": "1", "cpus-per-task": "4"}
    assert found.items() >= wanted.items()
    assert "exclusive" in found
    assert "--overcommit" not in step(script(["node-1"], 4, 4, FOLDER, RANK))


def test_a_pool_whose_rank_0_is_on_the_head_runs_in_the_partition_that_has_the_head() -> None:
    found = options(script(["head", "node-1", "node-1"], 1, 2, FOLDER, RANK))
    assert (found["partition"], found["nodelist"], found["ntasks"]) == ("whole", "head,node-1", "3")


def test_more_ranks_than_cores_are_said_to_be_meant() -> None:
    text = script(["node-1"] * 3, 1, 2, FOLDER, RANK)
    assert options(text)["ntasks"] == "1"
    assert {"--overcommit", "--ntasks=3"} <= set(step(text))


@given(st.lists(st.sampled_from(["head", "node-1", "node-2", "node-30"]), min_size=1, max_size=40), st.integers(1, 8))
def test_each_rank_is_on_the_host_that_was_chosen_for_it(hosts: list[str], per_node: int) -> None:
    text = script(hosts, 1, per_node, FOLDER, RANK)
    words = step(text)
    assert f"--nodelist={','.join(hosts)}" in words
    assert "--distribution=arbitrary" in words
    assert options(text)["nodes"] == str(len(set(hosts)))
    assert ("--overcommit" in words) == (max(Counter(hosts).values()) > per_node)


def test_the_ranks_words_reach_it_as_they_are() -> None:
    assert step(script(["node-1"], 1, 1, FOLDER, RANK))[-len(RANK) :] == list(RANK)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (InQueue(7, "PENDING", "Resources"), "Slurm job 7 is queued (Resources): its nodes are in use"),
        (InQueue(7, "PENDING", "ReqNodeNotAvail, UnavailableNodes:node-2"), "a node that it needs is not available"),
        (InQueue(7, "PENDING", "Licenses"), "(Licenses): that is the reason Slurm gives"),
        (InQueue(7, "RUNNING", "None"), "Slurm job 7 is running"),
    ],
)
def test_the_user_is_told_why_a_job_waits(job: InQueue, said: str) -> None:
    assert said in told(job)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (
            InQueue(0, "REFUSED", "Requested node configuration is not available"),
            "Slurm has refused the job: Requested",
        ),
        (InQueue(7, "CANCELLED", "None"), r"Slurm job 7 was cancelled \(scancel\)\. Retry"),
        (InQueue(7, "TIMEOUT", "TimeLimit"), r"has reached its time limit in Slurm, and was ended \(TimeLimit\)"),
        (InQueue(7, "NODE_FAIL", "None"), "has lost a node"),
        (InQueue(7, "BOOT_FAIL", "None"), "its state is BOOT_FAIL"),
    ],
)
def test_a_job_that_does_not_come_to_its_end_is_an_error_that_says_why(job: InQueue, said: str) -> None:
    with pytest.raises(RunError, match=said):
        told(job)
