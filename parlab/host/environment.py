"""The packages of this Python.

The checkout's `.venv` is ours: a command's packages are installed on first use from the hashed locks in
requirements/. Every other environment is the user's: nothing is installed there, missing packages are named.
"""

import json
import re
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack, suppress
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from parlab.errors import ParlabError, UsageError
from parlab.formatting import Show
from parlab.host.places import OWN_VENV, ROOT

EXTRAS = {"node": "embedded", "report": "report", "dev": "dev"}  # pyproject.toml's names for the packages of a lock
VENV_LOCK = ROOT / ".venv.lock"  # ./invoke takes it, too
INSTALL_SECONDS = 1800  # some 200 MB, on bad Wi-Fi


def ensure_installed(lock: str, show: Show) -> None:
    """Make sure that the packages of `requirements/LOCK.in` are installed.

    Raises ParlabError when pip fails, and UsageError, with the command to type, if the user must install them.
    """
    if OWN_VENV:
        _install(lock, show)
    elif absent := missing(lock):
        raise UsageError(f"{sys.prefix} lacks {', '.join(absent)}: {how_to_install(lock)}")


def missing(lock: str) -> list[str]:
    """The packages of `requirements/LOCK.in` that are not installed."""
    lines = (ROOT / "requirements" / f"{lock}.in").read_text().splitlines()
    names = [name[0] for line in lines if (name := re.match(r"[A-Za-z][\w.-]*", line))]  # the other lines are options
    return [name for name in names if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def how_to_install(lock: str) -> str:
    """The command that installs the packages of a lock; it names the origin of the installed parlab.

    Never `pip install parlab[...]` alone: this project is on no index, where the name may belong to another project.
    """
    wanted = f"parlab[{EXTRAS[lock]}]"
    pip = f"{quote(sys.executable)} -m pip install"
    try:
        record = distribution("parlab").read_text("direct_url.json")
    except PackageNotFoundError:  # a checkout that is only on the path
        return f"{pip} --require-hashes -r {quote(str(ROOT / 'requirements' / f'{lock}.txt'))}"
    if record is None:
        return f"install {wanted} from the same file or URL that parlab was installed from"
    origin: dict[str, Any] = json.loads(record)
    url = origin["url"]
    if origin.get("dir_info", {}).get("editable"):  # pip accepts no URL there
        return f"{pip} --editable {quote(f'{unquote(urlsplit(url).path)}[{EXTRAS[lock]}]')}"
    if vcs := origin.get("vcs_info"):
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    if find_spec("pip") is None:  # uv's environments have no pip
        return f"use '{wanted} @ {url}' instead of parlab, as in uvx --from '{wanted} @ {url}' parlab"
    return f"{pip} '{wanted} @ {url}'"


def _install(lock: str, show: Show) -> None:
    """Install `requirements/LOCK.txt` unless this very lock is installed. Two commands do so one after the other."""
    wanted, stamp = ROOT / "requirements" / f"{lock}.txt", Path(sys.prefix) / f"parlab-{lock}.txt"

    def is_in() -> bool:
        return stamp.exists() and stamp.read_bytes() == wanted.read_bytes()

    if is_in():
        return
    with ExitStack() as held:
        with suppress(PermissionError):  # an environment that we may not write to: pip can only look
            held.enter_context(_alone(show))
        if is_in():  # the command that we waited for has installed it
            return
        show(f"installing requirements/{lock}.txt into {sys.prefix}, once")
        _pip(lock, wanted)
        with suppress(OSError):  # again not writable: pip looks again next time
            stamp.write_bytes(wanted.read_bytes())


def _alone(show: Show) -> AbstractContextManager[object]:
    """The lock on `.venv`; released at the end of the block."""
    lock = FileLock(VENV_LOCK)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        show(f"another command installs into .venv: waiting up to {INSTALL_SECONDS // 60} minutes")
    try:
        return lock.acquire(timeout=INSTALL_SECONDS)
    except Timeout:
        raise ParlabError("another command still installs into .venv: end it, then run this one again") from None


def _pip(lock: str, wanted: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    try:
        result = subprocess.run(
            [*command, "--requirement", str(wanted)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        minutes = INSTALL_SECONDS // 60
        raise ParlabError(
            f"pip did not finish requirements/{lock}.txt in {minutes} minutes: is the network up?"
        ) from None
    if result.returncode:
        last = "\n  ".join(result.stdout.strip().splitlines()[-6:])
        raise ParlabError(f"pip failed on requirements/{lock}.txt with exit code {result.returncode}:\n  {last}")
