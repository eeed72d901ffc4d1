"""Reads a lab's declarations: `python -m parlab.node.declare LAB.py`, with the answer on standard output.

The file runs as it does in a launch, up to `lab.main()`. Its environment has the same facts about the node as in a
launch, because the size of a case may depend on them. The cores per task and the seed depend on the lab, so they are
known only after the file has been read: then the program starts over with these facts.
"""

import ast
import inspect
import os
import random
import runpy
import sys
import traceback
from pathlib import Path
from typing import BinaryIO

import parlab.lab
from parlab.formatting import at_line
from parlab.lab import BOUNDS, Lab
from parlab.model.advice import advice, did_you_mean, sentences
from parlab.model.case import cores_per_task
from parlab.model.declaration import Declaration
from parlab.model.job_events import Frame
from parlab.model.messages import Read, to_line
from parlab.node.ask import watch
from parlab.node.traces import defined_at, line_at, lines_of, own_lines

AGAIN = "PARLAB_DECLARED"  # in the environment of a process that knows the number of cores


class NotALabError(Exception):
    """A file that runs but declares no lab that could be launched; `line` is the line at fault, if there is one."""

    def __init__(self, said: str, line: Frame | None = None) -> None:
        super().__init__(said)
        self.line = line


def declaration_of(lab: Lab) -> Declaration:
    """The part of a lab that is sent to other processes."""
    return Declaration(
        unit=lab.own_unit,
        nodes=lab.nodes,
        cores=lab.cores,
        speed=lab.own_speed,
        seed=lab.seed,
        bounds=lab.bounds,
        cases=tuple(declared.case for declared in lab.cases),
        claims=tuple(expectation.declared for expectation in lab.expectations),
    )


def read_lab(path: Path) -> Lab:
    """Run a lab's file up to its `lab.main()`. Raises NotALabError, and any exception of the file."""
    found: list[Lab] = []

    class Reached(BaseException):
        """Ends the file there: the code below is for after the run."""

    def reached(lab: Lab) -> None:
        found.append(lab)
        raise Reached

    before, path_before = parlab.lab.in_launch, sys.path[:]
    parlab.lab.in_launch = reached
    sys.path[0] = str(path.parent)
    random.seed(int(os.environ.get("PARLAB_SEED", "0")))  # as a rank does
    try:
        runpy.run_path(str(path), run_name="__main__")
    except Reached:
        pass
    finally:
        parlab.lab.in_launch, sys.path[:] = before, path_before
    if not found or not found[0].cases:
        raise NotALabError(
            "declares no lab: it needs `lab = Lab(...)`, a function under `@lab.case()`, and `lab.main()` "
            'below `if __name__ == "__main__":`'
        )
    if why := _serial_lacks(found[0]):
        raise NotALabError(why, defined_at(found[0].serial_solution))
    if why := _said_twice(found[0]) or _bounds_nothing(found[0]):
        raise NotALabError(why)
    if unguarded := _unguarded(path):
        said = 'lab.main() runs as the file is imported: put it below `if __name__ == "__main__":`'
        raise NotALabError(said, line_at(str(path), unguarded))
    return found[0]


def _serial_lacks(lab: Lab) -> str:
    """A message about the missing part of the serial solution; '' if it has everything."""
    if lab.serial_solution is None:
        return "declares no serial solution: add @lab.serial"
    parameters = inspect.signature(lab.serial_solution).parameters
    if "task" not in parameters or parameters["task"].default is inspect.Parameter.empty:
        return f"{lab.serial_solution.__name__} needs a parameter `task=FUNCTION`: what it runs"
    named = [one for one in parameters.values() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    needed = {one.name for one in named if one.default is inspect.Parameter.empty} - {"workers"}
    for declared in lab.cases:
        if lacking := sorted(needed - declared.settings.keys()):
            return f"{lab.serial_solution.__name__} needs {', '.join(lacking)}, which {declared.case.name} does not set"
    return ""


def _said_twice(lab: Lab) -> str:
    """A message about a case declared twice, or ''. A run would have it once, and would take the others for changed."""
    cases = [declared.case for declared in lab.cases]
    for number, case in enumerate(cases):
        if any(other.way == case.way for other in cases[:number]):
            return f"declares {case.name} twice: one of them needs another name, or other settings"
    return ""


def _bounds_nothing(lab: Lab) -> str:
    """A message about bounds that belong to no setting, e.g. because its name is mistyped; or ''."""
    known = BOUNDS.keys() | {name for declared in lab.cases for name in declared.settings}
    stray = sorted(lab.bounds.keys() - known)
    said = f"has bounds for {', '.join(stray)}, which no case sets" if stray else ""
    return f"{said}. {near}" if stray and (near := did_you_mean(stray[0], known)) else said


def _unguarded(path: Path) -> int:
    """The line that calls `main()` without a condition, or 0: a spawned process imports the file once more."""
    body = ast.parse(path.read_bytes()).body
    calls = (one for one in body if isinstance(one, ast.Expr) and ast.unparse(one.value) == "lab.main()")
    return next((call.lineno for call in calls), 0)


def refusal(error: BaseException, path: Path) -> str:
    """Why a file cannot be read, in one line: the place in the lab's folder, Python's error message, and the remedy."""
    said = traceback.format_exception_only(error)[-1].strip().replace("\n", " ")
    lines, cure = lines_of(error), advice(said, _parameters())
    if isinstance(error, NotALabError):
        lines, said = [] if error.line is None else [error.line], str(error)
    own = own_lines(lines, path.parent)
    where = at_line(own[0].file, own[0].line, own[0].text) if own else path.name
    return f"{where}: {sentences(said, cure).removesuffix('.')}"


def _parameters() -> list[str]:
    """The parameters of `Lab` and `lab.case`."""
    return [name for function in (Lab, Lab.case) for name in inspect.signature(function).parameters]


def private_output() -> BinaryIO:
    """Standard output, withheld from the lab's file: text that it prints is no answer. It has no standard input."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return answer


def main() -> None:
    """Answer with the file's declarations, or with the reason why it cannot be read."""
    path = Path(sys.argv[1])
    answer = private_output()
    watch()
    try:
        lab = read_lab(path)
    except BaseException as error:
        read = Read(refusal=refusal(error, path))
    else:
        cores = int(os.environ.get("PARLAB_CORES", lab.cores))
        told = cores_per_task([declared.case for declared in lab.cases], cores)
        told |= {"PARLAB_SEED": str(lab.seed), "PYTHONHASHSEED": str(lab.seed)}
        if not told.items() <= os.environ.items() and AGAIN not in os.environ:
            os.environ.update(told | {AGAIN: "1"})
            os.dup2(answer.fileno(), 1)
            os.execv(sys.executable, [sys.executable, "-m", "parlab.node.declare", str(path)])
        read = Read(declaration_of(lab))
    answer.write(to_line(read))
    answer.close()
    sys.stdout.flush()
    os._exit(0)  # the file may have started MPI, which prints a lot as it ends


if __name__ == "__main__":
    main()
