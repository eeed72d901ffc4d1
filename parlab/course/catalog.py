"""Finds the labs. None of their code runs here: a node reads the declarations of a lab (run/lab_file.py)."""

import ast
import sys
from pathlib import Path

from parlab.errors import UsageError
from parlab.formatting import at_line
from parlab.host.places import LABS
from parlab.model.advice import advice, sentences


def lab_files(folder: Path = LABS) -> dict[str, Path]:
    """Every lab of a folder by its name."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if path.stem.isidentifier()}


def not_taken(path: Path) -> set[str]:
    """The options that a lab does not take, as far as its file shows without running it. In doubt it takes all."""
    try:
        calls = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call)]
    except (OSError, SyntaxError, ValueError):
        return set()
    cases = [_words(call) for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "case"]
    labs = [_words(call) for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Lab"]
    if len(labs) != 1 or not cases or None in [*labs, *cases]:
        return set()
    lab, known = labs[0] or {}, {name for case in cases for name in case or ()}
    try:
        bounds = {"workers": (), "chunk": (), **ast.literal_eval(lab.get("bounds", "{}"))}
    except ValueError:  # computed, not a literal
        return set()
    refused = {name for name in ("workers", "chunk", "size") if name not in known or bounds.get(name) is None}
    if "launch" not in known and lab.get("nodes", "1") == "1":
        refused.add("nodes")
    return refused


def _words(call: ast.Call) -> dict[str, str] | None:
    """The keywords of a call with the text of their values; None if the call may have others."""
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    return {str(keyword.arg): ast.unparse(keyword.value) for keyword in call.keywords}


def see_that_it_can_be_a_lab(path: Path) -> None:
    """Raise UsageError for a file that is not Python, or has an unusable name.

    This needs no node, so nothing is started.
    """
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise UsageError(f"the name {path.name!r} is not in UTF-8, which messages and records are: rename it") from None
    if path.stem in sys.stdlib_module_names:
        raise UsageError(f"{path.name} hides Python's own module {path.stem} from what runs beside it: rename it")
    try:
        ast.parse(path.read_bytes())
    except SyntaxError as error:
        where = at_line(path.name, error.lineno or 0, (error.text or "").strip())
        said = f"{type(error).__name__}: {error.msg}"
        raise UsageError(f"{where}: {sentences(said, advice(said)).removesuffix('.')}") from error
    except (OSError, ValueError) as error:  # ValueError: null bytes
        raise UsageError(f"{path.name} cannot be read: {error}") from error
