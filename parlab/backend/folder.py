"""The user's folder on the nodes: packed on this machine, and what a program has made brought back into it.

What comes back is written by this process, so it is the user's own. Nothing is written outside of the folder, whatever
links there are, or whatever links the program has made.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parlab.errors import UsageError
from parlab.formatting import Show, plural, size

LEFT_OUT = (".git", "__pycache__")  # folders: of no use there, and large
MOST_BYTES, MOST_FILES = 512_000_000, 100_000  # it is packed in memory
VENV = "pyvenv.cfg"  # marks a virtual environment, whose Python is this machine's


@dataclass(frozen=True)
class Contents:
    """The files of a folder, links and empty folders included, and those links that lead out of it."""

    folder: Path
    files: tuple[Path, ...]
    out_of_it: tuple[Path, ...]
    unreadable: tuple[Path, ...] = ()


def contents(folder: Path) -> Contents:
    """What is in a folder, as a program is to find it; no pipes and sockets. Raises OSError."""
    files: list[Path] = []
    out: list[Path] = []
    unreadable: list[Path] = []
    root = folder.resolve()
    for path in _walk(folder):
        if path.is_symlink():
            (files if _real(path).is_relative_to(root) else out).append(path)
        elif path.is_file() or path.is_dir():
            (files if os.access(path, os.R_OK) else unreadable).append(path)
    return Contents(folder, tuple(files), tuple(out), tuple(unreadable))


def see_that_it_can_be_copied(found: Contents) -> None:
    """Raise UsageError for more than a copy is made of."""
    total = sum(file.lstat().st_size for file in found.files)
    if total > MOST_BYTES or len(found.files) > MOST_FILES:
        has = f"{plural(len(found.files), 'file')} of {size(total)} in all"
        most = f"{MOST_FILES}, of {size(MOST_BYTES)}"
        raise UsageError(f"{found.folder} has {has}; at most {most} are copied to the nodes. --dir names another")


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = folder / entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield path
            elif not _left_out(path):
                yield path
                if os.access(path, os.R_OK | os.X_OK):
                    yield from _walk(path)


def _left_out(path: Path) -> bool:
    """Whether a folder does not go to the nodes; of one that cannot be looked into, its name tells."""
    return path.name in LEFT_OUT or os.access(path / VENV, os.F_OK)


def _real(path: Path) -> Path:
    """Where a path leads in the end; of links in a circle that is one of them."""
    return Path(os.path.realpath(path))


def packed(folder: Path, show: Show) -> bytes:
    """An archive of a folder, for the nodes; says what they will not have. Raises UsageError, also for OSError."""
    try:
        found = contents(folder)
        see_that_it_can_be_copied(found)
        data = pack(found)
    except OSError as error:
        raise UsageError(f"the folder cannot be copied to the nodes: {error}") from error
    for link in found.out_of_it:
        show(f"{link.relative_to(folder)} leads out of the folder: the nodes do not see what is there")
    for path in found.unreadable:
        show(f"{path.relative_to(folder)} cannot be read: the nodes do not have it")
    return data


def pack(found: Contents) -> bytes:
    """A tar archive of it, readable by everybody's Python. Raises OSError."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in found.files:
            member = archive.gettarinfo(path, str(path.relative_to(found.folder)))
            if member.islnk():  # a second name of a file: a file of its own there
                member.type = tarfile.REGTYPE
                member.size = path.stat().st_size
            if member.issym() and Path(member.linkname).is_absolute():  # the folder lies elsewhere on a node
                member.linkname = os.path.relpath(_real(path), _real(path.parent))
            member.uid = member.gid = 1000
            member.uname = member.gname = ""
            member.mode |= 0o600
            if member.isreg():
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    return packed.getvalue()


def unpack(data: bytes, folder: Path) -> list[str]:
    """Write the files of an archive into a folder; why some were not, a line each.

    What does not go to the nodes does not come back from there either: a program is not to change a user's `.git`.
    """
    complaints, root = [], folder.resolve()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = folder / member.name
            try:
                if not path.parent.resolve().is_relative_to(root):
                    raise OSError("it leads out of the folder")
                if stays(path, folder):
                    raise OSError("it is of a .git, or of a virtual environment")
                _make_room(path)
                archive.extract(member, folder, filter="data")
            except (OSError, tarfile.TarError) as error:
                complaints.append(f"{member.name} was not brought back: {error}")
    return complaints


def stays(path: Path, folder: Path) -> bool:
    """Whether a path below a folder is of what does not go to the nodes."""
    parts = path.relative_to(folder).parts
    return any(_left_out(folder.joinpath(*parts[:count])) for count in range(1, len(parts) + 1))


def _make_room(path: Path) -> None:
    """Remove what stands in a file's place: to write to a link, a pipe or a second name would be to write elsewhere."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        path.unlink()
