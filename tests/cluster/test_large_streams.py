"""Large and odd streams on the cluster: every byte comes, memory stays bounded, and nothing is left on the nodes."""

from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME, strays
from tests.conftest import within
from tests.large_streams import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_streams(scenario: Scenario, cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(2, print, at_least=True)
    memory = ("--memory", "192m")  # what a supervisor kept of a hundred megabytes would be too much
    scenario(tmp_path / "folder", ("--cluster", NAME, *memory))
    within(3, lambda: strays(cluster) == {})
