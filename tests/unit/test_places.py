"""Where things are: in a checkout beside the package, in a wheel below it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parlab.host import places
from tests.conftest import ROOT


def test_a_checkout_uses_its_own() -> None:
    assert not places.INSTALLED
    assert places.ROOT == ROOT
    assert places.LABS == ROOT / "labs"
    assert places.PACKAGE == ROOT / "parlab"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the package as a wheel installs it."""
    shutil.copytree(ROOT / "parlab", tmp_path / "site/parlab")
    for name in ("labs", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / "site/parlab/data" / name)
    (tmp_path / "site/parlab/data/docs").mkdir()
    shutil.copy(ROOT / "docs/glossary.md", tmp_path / "site/parlab/data/docs")
    return tmp_path / "site"


def told(site: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLAB_")}
    command = [sys.executable, "-m", "parlab", *arguments]
    env = kept | {"PYTHONPATH": str(site), "DOCKER_HOST": "unix:///nowhere/docker.sock"} | env
    return subprocess.run(command, cwd=site.parent, env=env, capture_output=True, text=True, check=False)


def test_an_installed_package_uses_what_it_brings_and_the_current_folder(site: Path) -> None:
    listed = told(site, "--list").stdout
    assert "lab.mpi" in listed
    assert not {"dev.pin", "test"} & {line.split()[0] for line in listed.splitlines() if line.strip()}
    assert "parlab lab.mpi --nodes 1,2,4,8" in told(site, "lab.mpi", "--explain").stdout
    assert "A machine of a cluster." in told(site, "glossary", "node").stdout
    assert "results is empty" in told(site, "results").stdout
    assert "elsewhere is empty" in told(site, "results", PARLAB_RESULTS="elsewhere").stdout
    refused = told(site, "up")
    assert refused.returncode == 2
    assert f"sudo {site}/parlab/data/docker/engine.sh" in refused.stderr
    assert "parlab lab.NAME" in refused.stderr


def test_a_missing_lab_file_is_no_lab_to_run(site: Path) -> None:
    refused = told(site, "gone.py")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "usage: No file 'gone.py'.\n"


def test_a_path_is_shown_as_it_can_be_typed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "inner")
    monkeypatch.chdir(tmp_path)
    assert places.shown(tmp_path / "inner/file") == "inner/file"
    assert places.shown(Path("inner/file")) == "inner/file"
    monkeypatch.chdir(tmp_path / "inner")
    assert places.shown(tmp_path / "other/file") == str(tmp_path / "other/file")
