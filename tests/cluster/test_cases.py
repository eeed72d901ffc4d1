"""Programs after public bug reports on the cluster: each comes out right, and leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME, left_in, strays
from tests.own_programs import all_cases, check, pooled_cases, timed


@pytest.fixture
def shared(cluster: Cluster) -> Cluster:
    cluster.up(3, print, at_least=True)
    cluster.stop()  # what tests before have left, whose launches were killed
    return cluster


@pytest.mark.parametrize("case", all_cases())
def test_a_program_comes_out_right(case: dict[str, Any], shared: Cluster, tmp_path: Path) -> None:
    for number in range(case.get("repeat", 1)):
        folder = tmp_path / str(number)
        check(case, timed(case, folder, "--cluster", NAME), folder)
        assert strays(shared) == {}
        assert left_in(shared) == {}


@pytest.mark.slow
@pytest.mark.parametrize("case", pooled_cases())
def test_it_comes_out_as_right_when_it_is_traced(case: dict[str, Any], shared: Cluster, tmp_path: Path) -> None:
    check(case, timed(case, tmp_path, "--cluster", NAME, "--trace"), tmp_path)
    assert strays(shared) == {}
    assert left_in(shared) == {}
