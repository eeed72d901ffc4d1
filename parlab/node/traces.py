"""The learner's own lines that an exception has passed: in this process, and before that in a worker's process."""

import ast
import linecache
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parlab.model.job_events import Frame

REMOTE = ("RemoteTraceback", "_RemoteTraceback")  # exceptions by which pools send a worker's traceback, as text
INNERMOST_FIRST, INNERMOST_LAST = "(most recent call first)", "(most recent call last)"  # Python's words
LINE = re.compile(
    r'^ *File "(?P<file>.*)", line (?P<line>\d+),? in (?P<function>.*)(?:\n    (?P<text>.*))?', re.MULTILINE
)


def lines_of(error: BaseException) -> list[Frame]:
    """All lines that the exception has passed, innermost first; a worker's lines before those of its waiting caller."""
    remote = error.__cause__
    found = lines_in(str(remote)) if type(remote).__name__ in REMOTE else []
    for at in reversed(traceback.extract_tb(error.__traceback__)):
        found.append(Frame(at.filename, at.lineno or 0, at.name, at.line or "", own=False))
    if isinstance(error, SyntaxError) and error.filename is not None:
        found.insert(0, Frame(error.filename, error.lineno or 0, "", (error.text or "").strip(), own=False))
    return found


def lines_in(text: str) -> list[Frame]:
    """The lines of a written traceback, innermost first; faulthandler's have that order already."""
    found = [
        Frame(at["file"], int(at["line"]), at["function"], at["text"] or "", own=False) for at in LINE.finditer(text)
    ]
    return found if INNERMOST_FIRST in text else found[::-1]


def last_in(text: str) -> list[Frame]:
    """The lines of the traceback with which a text ends, as `lines_in`; none if anything was written after it.

    A program that goes on has handled that error.
    """
    begins = max(text.rfind(INNERMOST_LAST), text.rfind(INNERMOST_FIRST))
    if begins < 0:
        return []
    _, *lines = text[begins:].splitlines()
    error = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    goes_on = text.startswith(INNERMOST_LAST, begins) and any(lines[error + 1 :])
    return [] if goes_on else lines_in(text[begins:])


def own_lines(frames: list[Frame], folder: Path) -> list[Frame]:
    """The lines of the lab's folder, with file names relative to it; a line passed twice in a row counts once."""
    found: list[Frame] = []
    for at in frames:
        file = Path(at.file)
        if not file.is_relative_to(folder) or "site-packages" in file.parts:
            continue
        if not found or (found[-1].file, found[-1].line) != (str(file.relative_to(folder)), at.line):
            found.append(Frame(str(file.relative_to(folder)), at.line, at.function, at.text.strip(), own=True))
    return found


def line_at(file: str, number: int, function: str = "") -> Frame:
    """A line of a file as a frame."""
    return Frame(file, number, function, linecache.getline(file, number).strip(), own=False)


def definition(function: Any) -> ast.FunctionDef | None:
    """The definition of a function in its file; None for a lambda, and for code in no file."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    return next((found for found in _functions(code.co_filename) if _first_line(found) == code.co_firstlineno), None)


def defined_at(function: Any) -> Frame | None:
    """The line with a function's `def`; None if no file has it."""
    written = definition(function)
    return None if written is None else line_at(function.__code__.co_filename, written.lineno, written.name)


def _functions(file: str) -> Iterator[ast.FunctionDef]:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
