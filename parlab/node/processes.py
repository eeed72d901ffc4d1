"""The processes of this node, each with the launch that it belongs to."""

from collections.abc import Iterator
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
