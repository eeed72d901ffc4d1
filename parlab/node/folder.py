"""The shared folder of a program, on the head: filled before it starts; its changes are given back.

`python -m parlab.node.folder fill FOLDER` reads a tar archive from standard input; `... changed FOLDER` writes a tar
archive of all new and changed files to standard output. The host runs both, over the engine's exec.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = "__pycache__"  # a folder that Python makes by itself
COPY = ".parlab-copy"  # in parlab/node/hook/sitecustomize.py, too
INPUT = "/input"  # large files of the user's folder are here, not copied: links lead to them


def fill(folder: Path, note: Path) -> int:
    """Empty the folder, unpack the archive, and note the state of the files; return the exit code."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink(missing_ok=True)
    done = subprocess.run(["tar", "--extract", "--file", "-", "--directory", str(folder)], check=False)
    note.write_text(json.dumps({name: _facts(folder / name) for name in _files(folder)}))
    return done.returncode


def _remove(tree: Path) -> None:
    """Remove a folder with everything in it, including read-only folders."""
    for root, _, _ in os.walk(tree):  # a folder is visited before its subfolders
        Path(root).chmod(0o700)
    shutil.rmtree(tree)


def changed(folder: Path, note: Path) -> int:
    """Pack the new and the changed files; return the exit code."""
    before = json.loads(note.read_text())
    facts = ((name, _facts(folder / name)) for name in _files(folder))
    names = [name for name, found in facts if found is not None and before.get(name) != found]
    names = [name for name in names if not name.endswith(COPY) and _has_its_own(folder / name)]
    argv = [
        "tar",
        "--create",
        "--file",
        "-",
        "--directory",
        str(folder),
        "--null",
        "--no-recursion",
        "--files-from",
        "-",
    ]
    # Bring the others back even if processes still write to some files, or some have gone meanwhile.
    done = subprocess.run([*argv, "--ignore-failed-read"], input=b"\0".join(map(os.fsencode, names)), check=False)
    return 0 if done.returncode == 1 else done.returncode


def _has_its_own(path: Path) -> bool:
    """Replace a link to INPUT, e.g. that of a renamed large file, by the file itself; return whether that went well."""
    try:
        if path.is_symlink() and str(path.readlink()).startswith(f"{INPUT}/") and path.is_file():
            number, copy = tempfile.mkstemp(COPY, dir=path.parent)
            os.close(number)
            try:
                shutil.copyfile(path, copy)
                shutil.copymode(path, copy)
                Path(copy).replace(path)
            finally:
                Path(copy).unlink(missing_ok=True)
    except OSError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return False
    return True


def _files(folder: Path) -> Iterator[str]:
    """The paths of all files, links and empty folders below a folder, relative to it."""
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = [name for name in folders if name != LEFT_OUT]
        links = [name for name in folders if (here / name).is_symlink()]
        if not files and not folders and here != folder:
            yield str(here.relative_to(folder))
        for name in (*files, *links):
            yield str((here / name).relative_to(folder))


def _facts(path: Path) -> list[int | str] | None:
    """Facts that show whether a file has changed; None if it has gone meanwhile."""
    try:
        found = path.lstat()
        if path.is_symlink():
            return [str(path.readlink())]
    except FileNotFoundError:
        return None
    return [] if path.is_dir() else [found.st_size, found.st_mtime_ns, found.st_ino, found.st_mode]


if __name__ == "__main__":
    _, what, where, noted = sys.argv
    sys.exit({"fill": fill, "changed": changed}[what](Path(where), Path(noted)))
