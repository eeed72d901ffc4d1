"""One command at a time per cluster, and what is said where no lock can be had."""

import os
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from parlab.errors import ParlabError
from parlab.host import cluster_lock
from parlab.host.cluster_lock import lock_path, only_user


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of this user's locks."""
    monkeypatch.setattr(cluster_lock, "STATE", tmp_path / "state")
    return tmp_path / "state"


def test_while_it_is_held_a_second_command_is_told_by_whom_and_waits_only_so_long() -> None:
    said: list[str] = []
    with (
        only_user("parlab", "default", "lab.mpi", said.append),
        pytest.raises(ParlabError, match=r"still in use by lab\.mpi"),
        only_user("parlab", "default", "lab.lock", said.append, 0.1),
    ):
        pytest.fail("two at once")
    assert len(said) == 1
    assert f"process {os.getpid()}" in said[0]
    assert not lock_path("parlab").with_suffix(".holder").exists()


def test_a_state_folder_that_is_no_folder_is_told(state: Path) -> None:
    state.write_text("a file")
    with pytest.raises(ParlabError, match="no place for a lock"), only_user("parlab", "default", "up", print):
        pytest.fail("held without a lock")


@pytest.mark.skipif(sys.platform != "linux", reason="a lock that is a folder fails elsewhere in another way")
def test_a_lock_that_cannot_be_opened_is_told(state: Path) -> None:
    lock_path("parlab").mkdir(parents=True)
    with pytest.raises(ParlabError, match="no place for a lock"), only_user("parlab", "default", "up", print):
        pytest.fail("held without a lock")


def test_a_disk_that_is_full_keeps_nobody_out_and_nothing_back(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with only_user("parlab", "default", "up", print):
        pass
    FileLock(lock_path("parlab")).acquire(timeout=0).lock.release()
