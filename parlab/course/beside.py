"""The files that go to the nodes with a lab: modules and data in the same folder."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from parlab.errors import UsageError
from parlab.formatting import plural
from parlab.host.places import RESULTS

MOST_FILES, MOST_BYTES = 1000, 16 * 1024 * 1024  # the head keeps them in memory: a quarter of its room for files


def files_beside(lab: Path) -> list[Path]:
    """All files in the lab's folder and below, the lab included, without hidden files and results.

    A link that leads out of the folder is left out: a learner's lab must not bring other files of the instructor's.

    Raises UsageError if that is more than a cluster takes: nodes have no disk.
    """
    found: list[Path] = []
    size, largest = 0, (0, lab)
    inside = lab.parent.resolve()
    for file in _walk(lab.parent):
        if not file.resolve().is_relative_to(inside):
            continue
        found.append(file)
        largest = max(largest, (file.stat().st_size, file))
        size += file.stat().st_size
        if len(found) > MOST_FILES or size > MOST_BYTES:
            much = f"more than {plural(MOST_FILES, 'file')}"
            if size > MOST_BYTES:
                much = f"more than {MOST_BYTES // 2**20} MB, most of it {largest[1].name}"
            raise UsageError(
                f"the folder of {lab.name} goes to the nodes, and {lab.parent} holds {much}: move them away, or put "
                "the lab into a folder of its own"
            )
    return found


def _walk(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        here = Path(folder)
        folders[:] = sorted(
            name for name in folders if not _is_left_out(name) and (here / name).resolve() != RESULTS.resolve()
        )
        yield from (file for name in sorted(names) if not _is_left_out(name) and (file := here / name).is_file())


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def copy_beside(lab: Path, folder: Path) -> None:
    """Fill an empty folder with copies of the lab's modules, and with links to all else in its folder.

    This is for a run on this machine. Data may be large, so it is linked; a user edits modules meanwhile.
    """
    shutil.copyfile(lab, folder / lab.name)
    for entry in sorted(lab.parent.iterdir()):
        if entry.name in (lab.name, "__pycache__"):
            continue
        if entry.suffix == ".py":
            with suppress(OSError):  # no file, or another user's: link it
                shutil.copyfile(entry, folder / entry.name)
                continue
            (folder / entry.name).unlink(missing_ok=True)
        (folder / entry.name).symlink_to(entry)
