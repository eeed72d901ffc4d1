"""What goes along with a lab: the modules and the data that lie beside its file."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from parlab.errors import UsageError
from parlab.formatting import plural
from parlab.host.places import RESULTS

MOST_FILES, MOST_BYTES = 1000, 16 * 1024 * 1024  # in memory on the head, a quarter of what it has for that


def files_beside(lab: Path) -> list[Path]:
    """All files of the lab's folder and of the folders in it, the lab among them, but for hidden ones and results.

    A link that leads out of the folder is left out: a learner's lab is not to bring other files of the instructor's.

    Raises UsageError where that is more than a cluster takes: nodes have no disk, and a lab has a folder of its own.
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
                f"what lies beside {lab.name} goes along to the nodes, and {lab.parent} holds {much}: move that "
                "away, or put the lab into a folder of its own"
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
    """Make of an empty folder one as the lab's, as it is now: with copies of its modules, and links to all else.

    For a run on this machine, where data may be large: what a user edits meanwhile are modules.
    """
    shutil.copyfile(lab, folder / lab.name)
    for entry in sorted(lab.parent.iterdir()):
        if entry.name in (lab.name, "__pycache__"):
            continue
        if entry.suffix == ".py":
            with suppress(OSError):  # no file, or another user's: it is then what it is there
                shutil.copyfile(entry, folder / entry.name)
                continue
            (folder / entry.name).unlink(missing_ok=True)
        (folder / entry.name).symlink_to(entry)
