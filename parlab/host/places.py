"""Where things are. A checkout has them beside the package; a wheel brings them as `parlab/data`, in the same order."""

import os
import sys
from pathlib import Path
from shlex import quote

from platformdirs import user_state_path

PACKAGE = Path(__file__).resolve().parents[1]
DATA = PACKAGE / "data"  # pyproject.toml says what a wheel has there; a checkout has no such folder
INSTALLED = DATA.is_dir()
ROOT = DATA if INSTALLED else PACKAGE.parent  # of compose.yaml, docker/, docs/, labs/, requirements/; never written to
LABS = ROOT / "labs"
GLOSSARY = ROOT / "docs/glossary.md"
RESULTS = Path(os.environ.get("PARLAB_RESULTS") or ("results" if INSTALLED else ROOT / "results"))
STATE = user_state_path("parlab")  # one per user, whichever checkout or installation asks


def _made_by_invoke() -> bool:
    """Whether this Python is that of the checkout's `.venv`: `./invoke` notes there whose it is."""
    note = Path(sys.prefix) / "parlab-root.txt"
    return not INSTALLED and note.exists() and note.read_text().strip() == str(ROOT)


def shown(path: Path) -> str:
    """A path as it can be typed here: below the current folder from there, elsewhere whole.

    Never with `..`: where a link has led into the folder, a shell takes that for another than the kernel does.
    """
    try:
        whole, here = path.absolute(), Path.cwd()
    except OSError:  # the current folder has been removed
        return str(path)
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _typed() -> str:
    wrapper = shown(ROOT / "invoke")
    return f"./{wrapper}" if wrapper == "invoke" else quote(wrapper)


OWN_VENV = _made_by_invoke()
COMMAND = _typed() if OWN_VENV else "parlab"  # what a user types before a task's name
