"""A program's extra Python packages: the requirements, and their installation for embedded runs."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from parlab.errors import ParlabError, UsageError
from parlab.formatting import Show

CACHE = user_cache_path("parlab") / "packages"
INSTALL_SECONDS = 3600  # on bad Wi-Fi
LAST_LINES = 8  # of pip's output, if it fails


@dataclass(frozen=True)
class Packages:
    """Texts of requirements files, by name; pip installs the first, which may include the others."""

    source: str  # their origin, for messages
    files: tuple[tuple[str, str], ...]

    def key(self, base: str) -> str:
        """A key that distinguishes them from other packages on the same base."""
        digest = hashlib.sha256(base.encode())
        for name, text in self.files:
            digest.update(f"\0{name}\0{text}".encode())
        return digest.hexdigest()[:16]

    def write(self, folder: Path) -> Path:
        """Write the files into a folder; return the path of the first."""
        for name, text in self.files:
            (folder / name).write_text(text)
        return folder / self.files[0][0]


def installed_for_embedded(packages: Packages, show: Show) -> Path:
    """A folder with these packages for this Python, kept in the user's cache. Raises UsageError, ParlabError."""
    made = CACHE / packages.key(f"{sys.version} {platform.machine()} {sys.prefix}")
    if _kept_until_we_end(made):
        return made
    if find_spec("pip") is None:
        raise UsageError(
            f"this Python has no pip to install the packages of {packages.source}: {sys.executable} -m ensurepip"
        )
    show(f"installing the packages of {packages.source}")
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="new-") as name:
            wanted = packages.write(Path(name))
            target = Path(name) / "packages"
            _pip("install", "--target", str(target), "--requirement", str(wanted), source=packages.source)
            target.mkdir(exist_ok=True)  # pip makes no folder if there is nothing to install
            if not made.is_dir():  # another run may have been faster
                target.rename(made)
    except OSError as error:
        raise ParlabError(f"cannot store the packages of {packages.source} in {CACHE}: {error}") from error
    _kept_until_we_end(made)
    return made


def _kept_until_we_end(folder: Path) -> bool:
    """Lock it as one of its users, so that `prune` skips it until this process ends; return whether it exists."""
    with suppress(OSError):  # a file system without locks
        fcntl.flock(os.open(folder, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_SH)
    return folder.is_dir()


def _pip(*words: str, source: str) -> None:
    command = [sys.executable, "-m", "pip", *words[:1], "--disable-pip-version-check", "--no-input", *words[1:]]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ParlabError(f"pip has not installed the packages of {source} in {INSTALL_SECONDS} s") from None
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:])
        raise ParlabError(f"pip could not install the packages of {source} (exit code {done.returncode}):\n{said}")


def forget_embedded() -> list[str]:
    """Remove unused packages of embedded programs; return a line for each."""
    removed = []
    for folder in sorted(CACHE.glob("[!n]*")) if CACHE.is_dir() else ():  # new-... is still being installed
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                removed.append(f"packages of an embedded program: {folder.name}")
            finally:
                os.close(lock)
    return removed
