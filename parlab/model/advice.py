"""What to do about an error that a learner's file raised, by how Python words it: one sentence or two."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

NO_KEYBOARD = (
    "A lab has no keyboard: write the value into the file. A program of your own, under `run`, may read its input"
)
NO_NAME = "It has no name that a worker could import: define it with `def`, at the left margin of the file"
GUARD = 'Put what starts processes, and lab.main(), below `if __name__ == "__main__":`'
BOOTSTRAPPING = r"before the\s+current process has finished its bootstrapping"  # as multiprocessing says it
BY_WORDS = {  # the first that is found in `Kind: message`
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
    """What to do; '' where the error says it all. `names` are those that an unknown keyword may be meant for."""
    if "Did you mean" in error:  # as newer Pythons say by themselves
        return ""
    if found := UNKNOWN.search(error):
        return did_you_mean(found[1], names)
    return next((told for words, told in BY_WORDS.items() if re.search(words, error)), "")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A question that names what a word is close to; '' where that is nothing."""
    near = get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def sentences(*parts: str) -> str:
    """The parts that are not empty, each with a full stop where it has no end of its own."""
    return " ".join(part if part.endswith(("?", ".", ":")) else f"{part}." for part in parts if part)
