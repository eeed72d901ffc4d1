"""The user's folder on the nodes: packed on this machine; a program's changes are copied back into it.

This process writes the files that come back, so the user owns them. It writes nothing outside the folder, regardless
of the user's links and of links that the program has made.
"""

import os
import shutil
import stat
import sys
import tarfile
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from parlab.errors import UsageError
from parlab.formatting import Show, plural, size
from parlab.node.folder import INPUT

LEFT_OUT = (".git", "__pycache__")  # folders that nodes do not need, and that are large
MOST_BYTES, MOST_FILES = 512_000_000, 100_000  # limits of a copy
LARGE = 1_000_000  # files of at least this many bytes are read in place, if the folder is too large to copy
NODE_USER = 1000  # the user of the nodes, and its group
NOWHERE = ".parlab-nowhere"  # no folder with this name exists
VENV = "pyvenv.cfg"  # marks a virtual environment; its Python is this machine's


@dataclass(frozen=True)
class Contents:
    """The files of a folder, including links and empty folders, and the links that lead out of it."""

    folder: Path
    files: tuple[Path, ...]
    out_of_it: tuple[Path, ...]
    unreadable: tuple[Path, ...] = ()


def contents(folder: Path) -> Contents:
    """The content of a folder for a program, without pipes and sockets. Raises OSError."""
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


def too_large_to_copy(folder: Path) -> bool:
    """Whether the folder is so large that nodes must read its large files in place. Raises UsageError."""
    try:
        return _total(contents(folder).files) > MOST_BYTES
    except OSError as error:
        raise UsageError(f"cannot read the folder: {error}") from error


def _total(files: Iterable[Path]) -> int:
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def large_files(found: Contents) -> frozenset[Path]:
    """The files that nodes can read in place and that are large enough for it."""
    return frozenset(
        file
        for file in found.files
        if file.lstat().st_size >= LARGE and stat.S_ISREG(file.lstat().st_mode) and _nodes_can_read(file, found.folder)
    )


def _nodes_can_read(file: Path, folder: Path) -> bool:
    """Whether the nodes' user, a different one, has permission to read it; on macOS everybody has."""
    if sys.platform != "linux":
        return True
    above = [parent for parent in file.parents if parent.is_relative_to(folder)]
    return _allows(file.stat(), stat.S_IROTH) and all(_allows(parent.stat(), stat.S_IXOTH) for parent in above)


def _allows(found: os.stat_result, others: int) -> bool:
    shift = 6 if found.st_uid == NODE_USER else 3 if found.st_gid == NODE_USER else 0
    return bool(found.st_mode & (others << shift))


def see_that_it_can_be_copied(found: Contents, mounted: Collection[Path] = ()) -> None:
    """Raise UsageError when the files exceed the limits of a copy; files read in place do not count."""
    copied = [file for file in found.files if file not in mounted]
    total = _total(copied)
    if total <= MOST_BYTES and len(copied) <= MOST_FILES:
        return
    has = f"{plural(len(copied), 'file')} of {size(total)}" + (" that must be copied" if mounted else "")
    most = f"{MOST_FILES}, of {size(MOST_BYTES)}"
    why = ""
    if closed := [file for file in copied if stat.S_ISREG(file.lstat().st_mode) and file.lstat().st_size >= LARGE]:
        why = f" {closed[0].relative_to(found.folder)} is large; others need read permission to read it in place."
    raise UsageError(f"{found.folder} has {has}; at most {most} are copied to the nodes.{why} --dir names another")


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
    """Whether a folder stays off the nodes; a folder that cannot be read is judged by its name."""
    return path.name.lower() in LEFT_OUT or os.access(path / VENV, os.F_OK)


def _real(path: Path) -> Path:
    """The final target of a path; for links in a circle, one of them."""
    return Path(os.path.realpath(path))


def packed(folder: Path, show: Show, *, mounted: bool = False) -> IO[bytes]:
    """An archive of a folder, for the nodes; reports files that they will lack. Raises UsageError, also for OSError.

    If nodes have the folder `mounted` at INPUT, the archive has links to its large files there.
    """
    try:
        found = contents(folder)
        there = large_files(found) if mounted else frozenset()
        see_that_it_can_be_copied(found, there)
        data = pack(found, there)
    except OSError as error:
        raise UsageError(f"cannot copy the folder to the nodes: {error}") from error
    for link in found.out_of_it:
        show(f"{link.relative_to(folder)} leads out of the folder: the nodes do not see its target")
    for path in found.unreadable:
        show(f"{path.relative_to(folder)} cannot be read: the nodes do not have it")
    return data


def pack(found: Contents, mounted: Collection[Path] = ()) -> IO[bytes]:
    """A tar archive of it, readable by every Python, with links to mounted files. Raises OSError."""
    with ExitStack() as failing:
        packed = failing.enter_context(tempfile.TemporaryFile())  # it may be larger than memory
        _write(found, mounted, packed)
        packed.seek(0)
        failing.pop_all()  # the reader closes it
    return packed


def _write(found: Contents, mounted: Collection[Path], packed: IO[bytes]) -> None:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in found.files:
            member = archive.gettarinfo(path, str(path.relative_to(found.folder)))
            if member.islnk():  # a second name of a file becomes a separate file there
                member.type = tarfile.REGTYPE
                member.size = path.stat().st_size
            if member.issym() and Path(member.linkname).is_absolute():  # the folder has another path on a node
                member.linkname = os.path.relpath(_real(path), _real(path.parent))
            if path in mounted:
                member.type, member.linkname, member.size = tarfile.SYMTYPE, f"{INPUT}/{member.name}", 0
            member.uid = member.gid = NODE_USER
            member.uname = member.gname = ""
            member.mode |= 0o600
            if member.isreg():
                with path.open("rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)


def unpack(data: IO[bytes], folder: Path) -> list[str]:
    """Write the files of an archive into a folder; return a line for each file that failed, with the reason.

    Files that do not go to the nodes do not come back either: a program must not change a user's `.git`. An existing
    file stays in place until the new one is complete.
    """
    complaints = []
    try:
        with tarfile.open(fileobj=data) as archive:
            for member in archive:
                try:
                    _see_where_it_leads(folder / member.name, folder)
                    # Filtered as for an empty folder: a user's link at that place is replaced, not followed.
                    _write_one(archive, tarfile.data_filter(member, str(folder / NOWHERE)), folder)
                except (OSError, tarfile.FilterError) as error:
                    complaints.append(f"{member.name} was not brought back: {error}")
    except tarfile.TarError as error:
        complaints.append(f"all other files were not brought back: the archive is damaged: {error}")
    return complaints


def _see_where_it_leads(path: Path, folder: Path) -> None:
    """Raise OSError if a path must not be written, e.g. because a user's link leads out of the folder."""
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise OSError("it leads out of the folder")
    if link := next((above for above in path.parents if above != folder and above.is_symlink()), None):
        raise OSError(f"{link.relative_to(folder)} is a link here, and a folder there")
    if stays(path, folder):
        raise OSError("it belongs to a .git folder or a virtual environment")


def _write_one(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a member beside its place, then move it there: no link, pipe or second name at that place is written to."""
    path = folder / member.name
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".parlab-") as beside:
        new = Path(beside) / "new"
        if member.issym():
            new.symlink_to(member.linkname)
        else:
            file = archive.extractfile(member)
            if file is None:
                raise OSError("it is not a file")
            with file, new.open("wb") as copy:
                shutil.copyfileobj(file, copy)
            new.chmod(member.mode or 0o644)
            os.utime(new, (member.mtime, member.mtime))
        new.replace(path)


def stays(path: Path, folder: Path) -> bool:
    """Whether a path in a folder belongs to the parts that stay off the nodes."""
    parts = path.relative_to(folder).parts
    return any(_left_out(folder.joinpath(*parts[:count])) for count in range(1, len(parts) + 1))
