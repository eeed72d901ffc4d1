"""The shared folder of a program, on the head: filled before it starts, and what it has changed given back.

`python -m parlab.node.folder fill FOLDER` reads a tar archive from standard input; `... changed FOLDER` writes one, of
the files that are new or that have changed since, to standard output. Run by the host, over the engine's exec.
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
INPUT = "/input"  # where large files of the user's folder lie that are not copied: links lead there


def fill(folder: Path, note: Path) -> int:
    """Empty the folder, unpack what comes, and note how it is; the exit code."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink(missing_ok=True)
    done = subprocess.run(["tar", "--extract", "--file", "-", "--directory", str(folder)], check=False)
    note.write_text(json.dumps({name: _facts(folder / name) for name in _files(folder)}))
    return done.returncode


def _remove(tree: Path) -> None:
    """Remove a folder with all that is in it, also what may not be written to."""
    for root, _, _ in os.walk(tree):  # a folder is listed before those in it are
        Path(root).chmod(0o700)
    shutil.rmtree(tree)


def changed(folder: Path, note: Path) -> int:
    """Pack what is new or has changed; the exit code."""
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
    # Files that processes still write, or that have gone meanwhile, are no reason to bring back none.
    done = subprocess.run([*argv, "--ignore-failed-read"], input=b"\0".join(map(os.fsencode, names)), check=False)
    return 0 if done.returncode == 1 else done.returncode


def _has_its_own(path: Path) -> bool:
    """Put a file in the place of a link to INPUT, as of a large file that was renamed; whether that went well."""
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
    """The paths of all files, links and empty folders below a folder, from there."""
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = [name for name in folders if name != LEFT_OUT]
        links = [name for name in folders if (here / name).is_symlink()]
        if not files and not folders and here != folder:
            yield str(here.relative_to(folder))
        for name in (*files, *links):
            yield str((here / name).relative_to(folder))


def _facts(path: Path) -> list[int | str] | None:
    """What tells whether a file has changed; None of one that has gone meanwhile."""
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
