"""The processes of this node, each with its launch; run as a program, it ends those of every launch."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MARK = b"PARLAB_RUN="  # in the environment of every rank, and of whatever a rank starts


def processes(proc: Path = Path("/proc")) -> Iterator[tuple[Path, bytes | None]]:
    """Each process's folder in /proc and the id of its launch; None for one of no launch, or of another user."""
    for folder in proc.glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except PermissionError:
            yield folder, None
        except OSError:
            continue  # gone meanwhile
        else:
            yield folder, next((item.removeprefix(MARK) for item in environment if item.startswith(MARK)), None)


def end_processes(which: Callable[[bytes], bool]) -> list[int]:
    """Kill the processes of those launches; return their pids."""
    ended = []
    for folder, belongs_to in processes():
        if belongs_to is not None and which(belongs_to):
            with suppress(ProcessLookupError, PermissionError):  # gone meanwhile
                os.kill(int(folder.name), signal.SIGKILL)
                ended.append(int(folder.name))
    return ended


if __name__ == "__main__":
    end_processes(bool)
