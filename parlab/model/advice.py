"""Advice on an error in a learner's file, chosen by Python's message: one or two sentences."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

NO_KEYBOARD = (
    "A lab has no keyboard: write the value into the file. A program of your own, under `run`, may read its input"
)
NO_NAME = "It has no name that a worker could import: define it with `def`, at the left margin of the file"
GUARD = 'Put the code that starts processes, and lab.main(), below `if __name__ == "__main__":`'
BOOTSTRAPPING = r"before the\s+current process has finished its bootstrapping"  # multiprocessing's words
BY_WORDS = {  # the first match in `Kind: message` counts
    r"^EOFError: EOF when reading a line": NO_KEYBOARD,
    r"[Cc]an't (get|pickle) .*(<lambda>|<locals>|local object)": NO_NAME,
    r"[Cc]an(not|'t) pickle|PicklingError": "It cannot be sent to another process: make it, or open it, in the task",
    r"^TypeError: .*positional argument": "Compare the call with the `def`: `map` passes one argument, `starmap` more",
    BOOTSTRAPPING: GUARD,
    r"^ModuleNotFoundError": "Check its spelling. A module of your own lies beside the lab's file",
    r"^ImportError: cannot import name": "Check its spelling, and that no file beside the lab has the module's name",
    r"^(SyntaxError|IndentationError|TabError)": "Look at this line, and at the one above it",
    r"^\S*(BrokenProcessPool|TerminatedWorkerError)": "A worker has ended in the middle of its task",
    r"^SystemExit": "Return from the function: exit() ends its process, and nobody gets a result",
}
UNKNOWN = re.compile(r"got an unexpected keyword argument '(\w+)'")


def advice(error: str, names: Iterable[str] = ()) -> str:
    """Advice; '' if the error needs none. `names` are the possible meanings of an unknown keyword."""
    if "Did you mean" in error:  # newer Pythons add this themselves
        return ""
    if found := UNKNOWN.search(error):
        return did_you_mean(found[1], names)
    return next((told for words, told in BY_WORDS.items() if re.search(words, error)), "")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A question with the name closest to a word; '' if none is close."""
    near = get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def programs_like(path: Path) -> str:
    """A question about Python files beside a path that the user may have meant; '' if there are none."""
    likely = get_close_matches(path.name, [file.name for file in path.parent.glob("*.py")], n=2)
    return f"Did you mean {' or '.join(str(path.with_name(name)) for name in likely)}?" if likely else ""


def sentences(*parts: str) -> str:
    """The nonempty parts, each with a full stop unless it already ends in punctuation."""
    return " ".join(part if part.endswith(("?", ".", ":")) else f"{part}." for part in parts if part)
