"""What a process notes of its waiting in MPI is read back."""

import struct
import time
from pathlib import Path

import pytest

from parlab.model.job_events import ANY, NOBODY
from parlab.node.waits import waiting_in_mpi

FREE = bytes(48)


def note(thread: int, since: float, peer: int, tag: int, call: bytes) -> bytes:
    return struct.pack("=Qdii24s", thread, since, peer, tag, call)


def test_the_notes_of_threads_that_wait(tmp_path: Path) -> None:
    began = time.monotonic() - 5
    file = tmp_path / "7.mpi"
    file.write_bytes(
        FREE + note(0x7F00, began, 3, ANY, b"Recv") + FREE + note(0x7E00, began, NOBODY, NOBODY, b"Barrier")
    )
    found = waiting_in_mpi(file)
    assert list(found) == [0x7F00, 0x7E00]
    recv, barrier = found.values()
    assert (recv.name, recv.peer, recv.tag) == ("Recv", 3, ANY)
    assert recv.seconds == pytest.approx(5, abs=1)
    assert (barrier.name, barrier.peer, barrier.tag) == ("Barrier", NOBODY, NOBODY)


@pytest.mark.parametrize("data", [b"", b"cut off", FREE + b"cut off"])
def test_where_nothing_is_noted(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "7.mpi").write_bytes(data)
    assert waiting_in_mpi(tmp_path / "7.mpi") == {}
    assert waiting_in_mpi(tmp_path / "8.mpi") == {}
