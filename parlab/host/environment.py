"""What is installed beside this Python from the hashed locks in requirements/."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from parlab.errors import ParlabError
from parlab.formatting import Show
from parlab.host.places import ROOT


def ensure_installed(lock: str, show: Show) -> None:
    """Install `requirements/LOCK.txt` into this environment unless that very lock is in already.

    Raises ParlabError when pip fails.
    """
    wanted = ROOT / "requirements" / f"{lock}.txt"
    stamp = Path(sys.prefix) / f"parlab-{lock}.txt"
    if stamp.exists() and stamp.read_bytes() == wanted.read_bytes():
        return
    show(f"installing requirements/{lock}.txt into {sys.prefix}, once")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    result = subprocess.run(
        [*command, "--requirement", str(wanted)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode:
        last = "\n  ".join(result.stdout.strip().splitlines()[-6:])
        raise ParlabError(f"pip failed on requirements/{lock}.txt with exit code {result.returncode}:\n  {last}")
    with suppress(OSError):  # an environment that is not ours to write to: pip looks again next time
        stamp.write_bytes(wanted.read_bytes())
