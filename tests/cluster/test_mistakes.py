"""Typical mistakes, on the cluster: the learner's own line, what is wrong with it, what to do; and nothing is left."""

from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME, strays
from tests.conftest import slow
from tests.mistakes import TABLE, TAKES_A_MINUTE, see


@pytest.fixture
def one(cluster: Cluster) -> Cluster:
    cluster.up(1, print, at_least=True)
    return cluster


@pytest.mark.parametrize("name", [slow(name) if name in TAKES_A_MINUTE else name for name in TABLE])
def test_a_mistake_is_told_with_its_line_and_what_to_do(name: str, one: Cluster, tmp_path: Path) -> None:
    see(TABLE[name], TABLE[name].run(tmp_path, "cluster", NAME))
    assert strays(one) == {}
