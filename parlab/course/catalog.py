"""Which labs there are. None of their code runs here: what a lab declares is read in a node (run/lab_file.py)."""

import ast
import sys
from pathlib import Path

from parlab.errors import UsageError
from parlab.host.places import LABS


def lab_files(folder: Path = LABS) -> dict[str, Path]:
    """Every lab of a folder by its name."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if path.stem.isidentifier()}


def see_that_it_can_be_a_lab(path: Path) -> None:
    """Raise UsageError for a file that is no Python, or that has the name of a module of Python's own.

    That is found without a node: nothing has to be started for it.
    """
    if path.stem in sys.stdlib_module_names:
        raise UsageError(f"{path.name} hides Python's own module {path.stem} from what runs beside it: rename it")
    try:
        ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise UsageError(f"{path.name}, line {error.lineno}: SyntaxError: {error.msg}") from error
    except (OSError, ValueError) as error:  # ValueError: null bytes
        raise UsageError(f"{path.name} cannot be read: {error}") from error
