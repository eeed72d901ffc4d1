"""Places of files. In a checkout they are beside the package; a wheel has them in `parlab/data`, in the same order."""

import os
import sys
from pathlib import Path
from shlex import quote

from platformdirs import user_state_path

PACKAGE = Path(__file__).resolve().parents[1]
DATA = PACKAGE / "data"  # its content in a wheel: see pyproject.toml; a checkout has no such folder
INSTALLED = DATA.is_dir()
ROOT = DATA if INSTALLED else PACKAGE.parent  # of compose.yaml, docker/, docs/, labs/, requirements/; never written to
LABS = ROOT / "labs"
GLOSSARY = ROOT / "docs/glossary.md"
RESULTS = Path(os.environ.get("PARLAB_RESULTS") or ("results" if INSTALLED else ROOT / "results"))
STATE = user_state_path("parlab")  # one per user, for all checkouts and installations


def _made_by_invoke() -> bool:
    """Whether this Python is the one of the checkout's `.venv`: `./invoke` notes its root there."""
    note = Path(sys.prefix) / "parlab-root.txt"
    return not INSTALLED and note.exists() and note.read_text().strip() == str(ROOT)


def shown(path: Path) -> str:
    """A path as the user can type it: relative if it is below the current folder, else absolute.

    Never with `..`: if the folder was entered through a link, a shell and the kernel take that for different folders.
    """
    try:
        whole, here = path.absolute(), Path.cwd()
    except OSError:  # the current folder was removed
        return str(path)
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _typed() -> str:
    wrapper = shown(ROOT / "invoke")
    return f"./{wrapper}" if wrapper == "invoke" else quote(wrapper)


OWN_VENV = _made_by_invoke()
COMMAND = _typed() if OWN_VENV else "parlab"  # the command before a task's name
