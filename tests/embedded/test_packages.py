"""Packages that a program asks for, without an engine: kept in the user's cache."""

from pathlib import Path

import pytest

from parlab.backend import packages
from parlab.backend.packages import Packages, forget_embedded, installed_for_embedded
from tests.own_programs import start

CODE = """# /// script
# dependencies = ["tqdm==4.66.6"]
# ///
import subprocess, sys, tqdm
print(tqdm.__version__, flush=True)
subprocess.run([sys.executable, "-c", "import tqdm; print(tqdm.__version__)"], check=True)
"""


def test_a_program_and_what_it_starts_have_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "own.py").write_text(CODE)
    first = start(folder, "run", "--backend", "embedded", "own.py", seconds=600)
    assert first.stdout.decode() == "4.66.6\n4.66.6\n", first.stderr.decode()
    assert "installing the packages" in first.stderr.decode()
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # as without a network
    again = start(folder, "run", "--backend", "embedded", "own.py")
    assert again.stdout.decode() == "4.66.6\n4.66.6\n", again.stderr.decode()
    assert [path.name for path in folder.iterdir()] == ["own.py"]


def test_packages_in_use_are_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "CACHE", tmp_path)
    used = installed_for_embedded(Packages("x", (("requirements.txt", ""),)), print)
    (tmp_path / "unused").mkdir()
    assert forget_embedded() == ["packages of an embedded program: unused"]
    assert list(tmp_path.iterdir()) == [used]
