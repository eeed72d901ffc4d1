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


def test_a_call_that_is_younger_than_the_stack_beside_it_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "7.mpi"
    now = time.monotonic()
    file.write_bytes(note(1, now - 5, 3, 0, b"Recv") + note(2, now - 0.1, 3, 0, b"Send"))
    assert list(waiting_in_mpi(file, 1.0)) == [1]


@pytest.mark.parametrize("data", [b"", b"cut off", FREE + b"cut off"])
def test_where_nothing_is_noted(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "7.mpi").write_bytes(data)
    assert waiting_in_mpi(tmp_path / "7.mpi") == {}
    assert waiting_in_mpi(tmp_path / "8.mpi") == {}
