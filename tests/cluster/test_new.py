"""A lab that `new` has written runs on the cluster as it is."""

import shutil
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME
from tests.new_lab import see_that_a_new_lab_runs


@pytest.mark.judged
def test_a_new_lab_runs_and_its_claim_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)  # of an earlier try
    tmp_path.mkdir()
    see_that_a_new_lab_runs(tmp_path, "--backend", "cluster", "--cluster", NAME)
