"""The MPI calls in which threads of a process wait: from the notes of docker/waiting.c."""

import struct
import time
from contextlib import suppress
from pathlib import Path

from parlab.model.job_events import MpiCall

NOTE = struct.Struct("=Qdii24s")  # struct note: thread, since, peer, tag, call


def waiting_in_mpi(file: Path, seconds: float = 0.0) -> dict[int, MpiCall]:
    """The calls of a process that have waited for `seconds` or more, by the thread's number; none if there is no file.

    A stack requested that long ago belongs to the same call.
    """
    found = {}
    with suppress(OSError):
        notes, now = file.read_bytes(), time.monotonic()
        for thread, since, peer, tag, call in NOTE.iter_unpack(notes[: len(notes) // NOTE.size * NOTE.size]):
            if thread and now - since >= seconds:
                found[thread] = MpiCall(call.partition(b"\0")[0].decode(), peer, tag, max(0.0, now - since))
    return found
