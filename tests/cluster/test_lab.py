"""`lab.mpi` on the real cluster."""

import json
import signal
import time
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from parlab.host.cluster_lock import lock_path
from parlab.results.store import read_json
from tests.cluster.conftest import NAME
from tests.conftest import PATIENCE, Invoke, start_invoke, within
from tests.measuring import measured


@pytest.mark.judged
def test_as_many_containers_work_as_there_are_nodes(four: Cluster, invoke: Invoke, tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    done = invoke("lab.mpi", "--cluster", NAME, "--unit", "0.1", "--json", str(record))
    assert done.returncode == 0, done.stderr
    run = json.loads(record.read_text())
    assert "Traceback" not in done.stderr
    assert run["backend"] == "cluster"
    cases = [case for case in run["cases"] if case["name"].startswith("pool_of_ranks(")]
    assert [case["spec"]["nodes"] for case in cases] == [1, 2, 4]
    for case in cases:
        assert list(case["by_node"]) == [f"node-{number + 1}" for number in range(case["spec"]["nodes"])]
        assert sum(case["by_node"].values()) == 32
        assert case["measured_s"] >= 0.99 * case["ideal_s"]  # no limit lets anything be faster than ideal
    assert run["environment"]["image"].startswith("sha256:")
    measured(read_json(record).verdict)
    times = [case["measured_s"] for case in cases]
    assert times[0] > 1.5 * times[1] > 2 * times[2]


@pytest.mark.slow
def test_32_nodes_all_work_and_shrink_to_4(cluster: Cluster, invoke: Invoke, tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    size = ["--cores", "1", "--speed", "1/32"]
    done = invoke(
        "lab.mpi", "--cluster", NAME, "--nodes", "32", *size, "--unit", "1", "--json", str(record), seconds=240
    )
    assert done.returncode == 0, done.stderr
    case = json.loads(record.read_text())["cases"][0]
    assert len(case["by_node"]) == 32
    assert {node.name for node in cluster.containers()} == {"head", *(f"node-{number + 1}" for number in range(32))}
    cluster.up(4, print)
    assert len(cluster.containers()) == 5


def test_a_second_run_waits_for_the_first(four: Cluster, invoke: Invoke) -> None:
    with start_invoke("lab.mpi", "--cluster", NAME, "--nodes", "4", "--unit", "0.5") as first:
        holder = lock_path(four.project).with_suffix(".holder")
        within(20, lambda: holder.exists() and f"process {first.pid}" in holder.read_text())
        second = invoke("lab.mpi", "--cluster", NAME, "--nodes", "4", "--unit", "0.02")
        first.communicate(timeout=PATIENCE * 60)
    assert first.returncode == 0
    assert second.returncode == 0, second.stderr
    assert f"cluster {four.called} is in use by lab.mpi (process {first.pid}" in second.stdout.replace("\n", " ")


@pytest.mark.slow
def test_another_users_run_is_waited_for_and_not_touched(four: Cluster, invoke: Invoke, tmp_path: Path) -> None:
    with start_invoke("lab.mpi", "--cluster", NAME, "--nodes", "4", "--unit", "1.5") as first:
        within(20, lambda: "parlab.node.launcher" in str(four.client.api.top(four.containers()[0].id)))
        hurried = start_invoke("lab.mpi", "--cluster", NAME, "--nodes", "2", XDG_STATE_HOME=str(tmp_path))
        time.sleep(2)  # long enough for it to stand at the head's lock
        hurried.send_signal(signal.SIGINT)
        hurried.communicate(timeout=PATIENCE * 30)
        second = invoke("lab.mpi", "--cluster", NAME, "--nodes", "2", "--unit", "0.02", XDG_STATE_HOME=str(tmp_path))
        first.communicate(timeout=PATIENCE * 60)
    assert first.returncode == 0
    assert hurried.returncode == 130
    assert second.returncode == 0, second.stderr
    assert "another user or machine is running on this cluster" in second.stdout


def test_a_second_cluster_runs_beside_the_first(four: Cluster, invoke: Invoke) -> None:
    before = {node.id for node in four.containers()}
    other = f"{NAME}-two"
    try:
        done = invoke("lab.mpi", "--cluster", other, "--nodes", "1", "--unit", "0.02")
        assert done.returncode == 0, done.stderr
    finally:
        assert invoke("down", "--cluster", other).returncode == 0
    assert {node.id for node in four.containers()} == before


@pytest.mark.parametrize("options", [["--nodes", "64", "--speed", "1"], ["--cores", "64", "--speed", "1"]])
def test_a_cluster_that_does_not_fit_starts_nothing(cluster: Cluster, invoke: Invoke, options: list[str]) -> None:
    done = invoke("lab.mpi", "--cluster", f"{NAME}-big", *options)
    assert done.returncode == 2
    assert "the engine's machine (" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert Cluster(cluster.client, f"{NAME}-big").containers() == []
