"""`run` at a terminal, on the cluster: it is one on all nodes, and nothing is left on them."""

from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME, strays
from tests.conftest import within
from tests.terminals import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_program_at_a_terminal(scenario: Scenario, cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(2, print, at_least=True)
    scenario(tmp_path / "folder", ("--cluster", NAME))
    within(3, lambda: strays(cluster) == {})
