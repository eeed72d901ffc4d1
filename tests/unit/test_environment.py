"""What a command needs beside it: installed into the checkout's own .venv, and only asked for anywhere else."""

import json
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
from filelock import FileLock

from parlab.errors import ParlabError, UsageError
from parlab.host import environment
from parlab.host.environment import ensure_installed, how_to_install, missing
from tests.conftest import ROOT

WHEEL = "file:///some/where/parlab-0.1.0-py3-none-any.whl"
PIP = f"{quote(sys.executable)} -m pip install"
Installed = Callable[[Any], None]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Make parlab look as if it had been installed from there; None: from an index."""

    def install(origin: Any) -> None:
        class Distribution:
            def read_text(self, name: str) -> str | None:
                assert name == "direct_url.json"
                return None if origin is None else json.dumps(origin)

        monkeypatch.setattr(environment, "distribution", lambda _: Distribution())

    return install


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        ({"url": WHEEL, "archive_info": {}}, f"{PIP} 'parlab[report] @ {WHEEL}'"),
        ({"url": "file:///a/checkout", "dir_info": {}}, f"{PIP} 'parlab[report] @ file:///a/checkout'"),
        (
            {"url": "file:///a%20b/checkout", "dir_info": {"editable": True}},
            f"{PIP} --editable '/a b/checkout[report]'",
        ),
        (
            {"url": "https://host/parlab.git", "vcs_info": {"vcs": "git", "commit_id": "4e02"}},
            f"{PIP} 'parlab[report] @ git+https://host/parlab.git@4e02'",
        ),
        (None, "install parlab[report] from the same file or URL that parlab was installed from"),
    ],
)
def test_the_line_to_type_names_where_parlab_came_from(installed: Installed, origin: Any, line: str) -> None:
    installed(origin)
    assert how_to_install("report") == line


def test_an_environment_of_uv_has_no_pip(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed({"url": WHEEL, "archive_info": {}})
    monkeypatch.setattr(environment, "find_spec", lambda _: None)
    assert how_to_install("node").endswith(f"as in uvx --from 'parlab[embedded] @ {WHEEL}' parlab")


def test_a_checkout_that_is_not_installed_names_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(environment, "distribution", nothing)
    assert how_to_install("node") == f"{PIP} --require-hashes -r {quote(f'{ROOT}/requirements/node.txt')}"


def test_the_users_own_environment_is_asked_for_what_is_missing_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/node.in").write_text("-c host.txt\nnot-there>=1\nrich\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "OWN_VENV", False)
    monkeypatch.setattr(environment, "_pip", pytest.fail)
    assert missing("node") == ["not-there"]
    with pytest.raises(UsageError, match="lacks not-there: "):
        ensure_installed("node", pytest.fail)
    (tmp_path / "requirements/node.in").write_text("rich\n")
    ensure_installed("node", pytest.fail)


def test_two_first_calls_at_once_run_pip_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/node.txt").write_text("a lock")
    calls: list[str] = []

    def pip(lock: str, _: Path) -> None:
        calls.append(lock)
        time.sleep(0.3)  # long enough for the other to be there, too

    for name, value in {"ROOT": tmp_path, "OWN_VENV": True, "VENV_LOCK": tmp_path / "lock", "_pip": pip}.items():
        monkeypatch.setattr(environment, name, value)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    said: list[str] = []
    threads = [threading.Thread(target=ensure_installed, args=("node", said.append)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == ["node"]
    assert sorted(line.split()[0] for line in said) == ["another", "installing"]


def test_another_commands_pip_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "VENV_LOCK", tmp_path / "lock")
    monkeypatch.setattr(environment, "INSTALL_SECONDS", 0.1)
    said: list[str] = []
    with FileLock(tmp_path / "lock"), pytest.raises(ParlabError, match="still installs into"):
        environment._alone(said.append)
    assert len(said) == 1


def test_a_pip_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(environment, "INSTALL_SECONDS", 0.2)
    with pytest.raises(ParlabError, match="is the network up"):
        environment._pip("node", tmp_path / "node.txt")
