"""What is added to compose.yaml: nodes, a folder that is read in place, what a Slurm cluster's nodes have."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from parlab.backend.compose import more_nodes
from parlab.backend.image import OF_SLURM as FILES
from parlab.backend.image import slurm_image
from parlab.backend.machine import HOME, JOBS, OF_SLURM, Machine
from parlab.run.mpiexec import OPEN_MPI
from tests.conftest import ROOT

PLAIN = Machine("parlab:1", "sha256:1")
SHARED = ["jobs:/jobs", "home:/home/lab"]
SLURM = Machine("parlab-slurm:1", "sha256:2", service=OF_SLURM)


def added(nodes: int, machine: Machine) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(more_nodes(nodes, machine) or "{}")
    return found


def test_a_plain_cluster_has_what_the_file_says() -> None:
    assert more_nodes(4, PLAIN) is None
    assert set(added(6, PLAIN)["services"]) == {"node-5", "node-6"}


def test_every_node_of_a_slurm_cluster_can_run_its_daemon_and_sees_the_shared_folders() -> None:
    found = added(5, SLURM)
    assert set(found["services"]) == {"head", *(f"node-{number}" for number in range(1, 6))}
    for service in found["services"].values():
        assert service["volumes"] == SHARED
        assert service["tmpfs"][0].startswith("/run:")
        assert not {"cap_add", "privileged", "user", "security_opt"} & set(service)
    assert set(found["volumes"]) == {JOBS, HOME}


def test_a_folder_that_is_read_in_place_comes_on_top(tmp_path: Path) -> None:
    found = added(1, Machine("parlab-slurm:1", "sha256:2", str(tmp_path), OF_SLURM))
    *shared, last = found["services"]["head"]["volumes"]
    assert (shared, last["source"]) == (SHARED, str(tmp_path))
    assert OF_SLURM["volumes"] == SHARED


def test_a_users_own_job_has_the_settings_of_open_mpi_that_a_launch_has() -> None:
    (line,) = re.findall(r"^ENV (OMPI_.*)$", (ROOT / "docker" / "slurm.Dockerfile").read_text(), re.MULTILINE)
    assert dict(word.split("=", 1) for word in line.split()) == OPEN_MPI


@pytest.mark.parametrize("name", FILES)
def test_the_image_with_slurm_is_out_of_date_when_an_input_changes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parlab.backend import image

    before = slurm_image("sha256:1")
    assert slurm_image("sha256:2") != before
    (tmp_path / "docker").mkdir()
    for file in FILES:
        (tmp_path / "docker" / file).write_bytes((ROOT / "docker" / file).read_bytes())
    monkeypatch.setattr(image, "ROOT", tmp_path)
    assert slurm_image("sha256:1") == before
    (tmp_path / "docker" / name).write_text("changed")
    assert slurm_image("sha256:1") != before
