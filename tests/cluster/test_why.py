"""A lab that hangs on the cluster is ended by its deadline, and told what it was at, node by node; nothing is left."""

import signal
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME, left_in, strays
from tests.conftest import PATIENCE, slow, within
from tests.stuck import DEFAULT, NAP, QUICK, STUCK, run, started, why


@pytest.fixture
def two(cluster: Cluster) -> Cluster:
    cluster.up(2, print, at_least=True)
    cluster.stop()  # what tests before have left, whose launches were killed
    return cluster


@pytest.mark.parametrize("name", [name if name in DEFAULT else slow(name) for name in STUCK])
def test_a_lab_that_hangs_is_ended_and_explained_and_the_next_one_runs(name: str, two: Cluster, tmp_path: Path) -> None:
    code, said = run(STUCK[name].write(tmp_path), "cluster", NAME, "8")
    assert code == 4, said
    STUCK[name].see(said)
    assert strays(two) == {}
    assert left_in(two) == {}
    code, said = run(QUICK.write(tmp_path), "cluster", NAME, "60")
    assert code == 0, said


def test_a_running_lab_is_asked_from_its_terminal_and_from_another_one(two: Cluster, tmp_path: Path) -> None:
    with started(NAP.write(tmp_path), "cluster", NAME, "60") as process:
        within(20, lambda: str(strays(two)).count("parlab.node.rank python") >= 3 or process.poll() is not None)
        asked = why(NAME)
        process.send_signal(signal.SIGQUIT)
        _, said = process.communicate(timeout=PATIENCE * 60)
    assert asked.returncode == 0, asked.stderr + said
    assert asked.stdout.startswith("rank 0 on node-1 is asleep in stuck.py:"), asked.stdout + said
    assert "2 children of rank 0 on node-1" in asked.stdout
    assert said.startswith("rank 0 on node-1 is asleep in stuck.py:"), said
    assert process.returncode == 0, "who asks only looks"
    assert left_in(two) == {}
