"""A wheel made from this checkout, and an empty environment with an empty folder to install it in."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("install")


def hatchling(project: Path, out: Path, *options: str) -> None:
    """Build a project as `pip install .` does, with the locked version of hatchling, so without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out), *options]
    subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    out = tmp_path_factory.mktemp("dist")
    hatchling(ROOT, out)
    return out


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """The wheel."""
    (made,) = dist.glob("*.whl")
    return made


@dataclass(frozen=True)
class Environment:
    """A user's own environment: nothing in it comes from the checkout."""

    prefix: Path
    folder: Path  # the current one

    def run(self, *command: str, seconds: float = 180, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in its folder."""
        program, *arguments = command
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARLAB_", "PYTHON"))}
        return subprocess.run(
            [str(self.prefix / "bin" / program), *arguments],
            cwd=self.folder,
            env=kept | {"XDG_STATE_HOME": str(self.prefix / "state")} | env,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def pip(self, *arguments: str) -> None:
        """Run `pip install ARGUMENTS`."""
        done = self.run("python", "-m", "pip", "install", "--quiet", *arguments)
        assert done.returncode == 0, done.stderr

    def files(self) -> dict[str, int]:
        """All files of site-packages, with their modification times."""
        (site,) = self.prefix.glob("lib/python*/site-packages")
        return {str(path): path.stat().st_mtime_ns for path in site.rglob("*")}


@pytest.fixture
def environment(tmp_path: Path, wheel: Path) -> Environment:
    """An environment with the wheel and its dependencies, and an empty folder."""
    made = Environment(tmp_path / "environment", tmp_path / "folder")
    made.folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(made.prefix)], check=True, timeout=60)
    made.pip(str(wheel))
    return made
