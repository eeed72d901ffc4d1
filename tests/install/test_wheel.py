"""What is in the wheel: the package, with all that a checkout has beside it, and nothing else."""

import tarfile
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from parlab import __version__
from parlab.backend.image import INPUTS
from parlab.course.catalog import lab_files
from tests.conftest import ROOT
from tests.install.conftest import hatchling

EXTRAS = {"embedded": "node", "report": "report", "dev": "dev"}  # with the lock of each


def requirements(lock: str) -> list[str]:
    """The lines of a lock's source that name a package."""
    lines = (ROOT / "requirements" / f"{lock}.in").read_text().splitlines()
    return [line for line in lines if not line.startswith("-")]


def test_the_dependencies_are_those_that_the_locks_are_made_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == requirements("host")
    assert project["optional-dependencies"] == {extra: requirements(lock) for extra, lock in EXTRAS.items()}


@pytest.mark.slow
def test_the_wheel_installs_the_package_and_nothing_beside_it(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = Parser().parsestr(archive.read(f"parlab-{__version__}.dist-info/METADATA").decode())
        for name in (
            *INPUTS,
            ".dockerignore",
            "docker/engine.sh",
            "docs/glossary.md",
            *(f"labs/{file.name}" for file in lab_files().values()),
        ):
            assert archive.read(f"parlab/data/{name}") == (ROOT / name).read_bytes()
        assert archive.getinfo("parlab/data/docker/engine.sh").external_attr >> 16 & 0o111
    assert {name.partition("/")[0] for name in names} == {"parlab", f"parlab-{__version__}.dist-info"}
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "parlab").rglob("*.*") if path.suffix != ".pyc"}
    assert ours <= names
    assert {f"parlab/data/requirements/{lock}.txt" for lock in ("host", "node", "report", "dev")} <= names
    assert not [name for name in names if "__pycache__" in name or "tests" in name]
    assert metadata["Version"] == __version__
    assert set(metadata.get_all("Provides-Extra", ())) == set(EXTRAS)


@pytest.mark.slow
def test_the_wheel_of_the_sdist_is_the_same(dist: Path, wheel: Path, tmp_path: Path) -> None:
    (source,) = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()
    hatchling(project, tmp_path, "-t", "wheel")
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
