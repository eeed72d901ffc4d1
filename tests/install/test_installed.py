"""The wheel in an empty environment and an empty folder: the same menu, and labs run; site-packages stays as it was."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parlab import __version__
from parlab.backend.cluster import Cluster
from parlab.backend.engine import NoEngine, connect
from parlab.course.catalog import lab_files
from tests.conftest import ROOT
from tests.install.conftest import Environment

pytestmark = pytest.mark.slow
NAME = "tests-install"
SHORT = ("lab.mpi", "--nodes", "1", "--unit", "0.05")
NO_ENGINE = "unix:///nowhere/docker.sock"


@pytest.fixture
def engine(pytestconfig: pytest.Config) -> Iterator[None]:
    """An engine, without a cluster of ours before and after."""
    try:
        client = connect()
    except NoEngine as error:
        if pytestconfig.getoption("--require-engine"):
            raise
        pytest.skip(str(error))
    backend = Cluster(client, NAME)
    backend.down()
    yield
    backend.down()
    client.close()


def test_the_menu_is_that_of_a_checkout_without_its_maintenance(environment: Environment) -> None:
    before = environment.files()
    listed = environment.run("parlab", "--list").stdout
    tasks = {line.split()[0] for line in listed.splitlines() if line.startswith("  ")}
    assert {f"lab.{name}" for name in lab_files()} | {"lab.all", "labs", "up", "down", "report"} <= tasks
    assert not {"dev.pin", "test"} & tasks
    assert environment.run("parlab", "--version").stdout.strip() == f"parlab {__version__}"
    told = environment.run("parlab", "lab.lock", "--explain").stdout
    assert "parlab lab.lock" in told
    assert "./invoke" not in told
    assert environment.run("parlab", "results").returncode == 0
    assert environment.files() == before
    assert not any(environment.folder.iterdir())


def test_a_lab_runs_on_a_cluster(environment: Environment, engine: None) -> None:
    before = environment.files()
    done = environment.run("parlab", *SHORT, "--cluster", NAME, "--backend", "cluster", seconds=280)
    assert done.returncode == 0, done.stderr
    assert re.search(r"kept as results/\S+-mpi-\w+\.json; parlab report draws it", done.stdout)
    down = environment.run("parlab", "down", "--cluster", NAME)
    assert down.stdout == f"cluster {NAME} is down: 2 nodes removed\n"
    assert environment.files() == before
    assert [path.name for path in environment.folder.iterdir()] == ["results"]
    assert (environment.prefix / f"state/parlab/parlab-{NAME}.lock").exists()


def test_a_lab_runs_embedded_once_the_line_that_is_told_has_been_typed(environment: Environment) -> None:
    refused = environment.run("parlab", *SHORT, DOCKER_HOST=NO_ENGINE)
    assert refused.returncode == 2
    *_, line = refused.stderr.splitlines()
    said = re.fullmatch(r"usage: \S+ lacks joblib, .*mpi4py, .*: \S+ -m pip install (.*)", line)
    assert said, line
    environment.pip(*shlex.split(said[1]))
    before = environment.files()
    done = environment.run("parlab", *SHORT, DOCKER_HOST=NO_ENGINE)
    assert done.returncode == 0, done.stderr
    assert "no cluster: no container engine answers" in done.stdout
    written = environment.run("parlab", "new", "own")
    assert written.stdout.startswith("own.py is written: a lab that runs. Try it: parlab own.py\n"), written.stderr
    alone = environment.run("parlab", "own.py", DOCKER_HOST=NO_ENGINE)
    assert alone.returncode == 0, alone.stderr
    assert environment.files() == before
    assert sorted(path.name for path in environment.folder.iterdir()) == ["own.py", "results"]
    assert len(list((environment.folder / "results").iterdir())) == 2


def test_two_first_calls_at_once_make_one_venv(tmp_path: Path) -> None:
    for name in ("invoke", "tasks.py", "compose.yaml", "parlab", "labs", "requirements"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    command = [str(tmp_path / "invoke"), "--list"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    calls = [
        subprocess.Popen(command, cwd=tmp_path, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [call.communicate(timeout=250) for call in calls]
    assert [call.returncode for call in calls] == [0, 0], told
    assert all("lab.mpi" in listed for listed, _ in told)
    assert sum("making .venv" in said for _, said in told) == 1
