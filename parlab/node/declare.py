"""Reads what a lab declares: `python -m parlab.node.declare LAB.py`, with the answer on standard output.

The file runs as it does in a launch, up to `lab.main()`, and with what a launch tells its processes of their node: a
case may be sized by it. How many cores a task has, and the seed, depend on the lab, so they are known only when the
file has been read: then the program starts over, with these told.
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
from parlab.lab import BOUNDS, Lab
from parlab.model.case import cores_per_task
from parlab.model.declaration import Declaration
from parlab.model.messages import Read, to_line

AGAIN = "PARLAB_DECLARED"  # in the environment of a process that knows how many cores there are


class NotALabError(Exception):
    """A file that runs and declares no lab that could be launched."""


def declaration_of(lab: Lab) -> Declaration:
    """What of a lab other processes are told."""
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
    """Run a lab's file up to its `lab.main()`. Raises NotALabError, and whatever the file raises."""
    found: list[Lab] = []

    class Reached(BaseException):
        """Ends the file there: what stands below is for after the run."""

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
    if why := _serial_lacks(found[0]) or _said_twice(found[0]) or _bounds_nothing(found[0]):
        raise NotALabError(why)
    if not _is_guarded(path):
        raise NotALabError('lab.main() runs as the file is imported: put it below `if __name__ == "__main__":`')
    return found[0]


def _serial_lacks(lab: Lab) -> str:
    """What the serial solution would be missing; '' where it has all."""
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
    """Which case is there twice: a run would have it once, and would take the others for changed ones."""
    cases = [declared.case for declared in lab.cases]
    for number, case in enumerate(cases):
        if any(other.way == case.way for other in cases[:number]):
            return f"declares {case.name} twice: one of them needs another name, or other settings"
    return ""


def _bounds_nothing(lab: Lab) -> str:
    """Which bounds are those of no setting, as where its name is mistyped."""
    known = BOUNDS.keys() | {name for declared in lab.cases for name in declared.settings}
    stray = sorted(lab.bounds.keys() - known)
    return f"has bounds for {', '.join(stray)}, which no case sets" if stray else ""


def _is_guarded(path: Path) -> bool:
    """Whether `main()` is called below a condition: a process that is spawned imports the file once more."""
    return not any(
        isinstance(statement, ast.Expr) and ast.unparse(statement.value) == "lab.main()"
        for statement in ast.parse(path.read_bytes()).body
    )


def refusal(error: BaseException, path: Path) -> str:
    """Why a file cannot be read, in one line: where in the lab's folder, and the error as Python words it."""
    said = traceback.format_exception_only(error)[-1].strip().replace("\n", " ")
    if isinstance(error, NotALabError):
        return f"{path.name}: {error}"
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or path).name}, line {error.lineno}: {said}"
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [f"{file.name}, line {line}" for file, line in frames if file.parent == path.parent]
    where = ours[-1] if ours else path.name
    return f"{where}: {said}"


def private_output() -> BinaryIO:
    """Standard output, kept from the lab's file: what that prints is no answer, and it has no standard input."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return answer


def main() -> None:
    """Answer with what the file declares, or with why it cannot be read."""
    path = Path(sys.argv[1])
    answer = private_output()
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
    os._exit(0)  # MPI, which the file may have started, says a lot as it ends


if __name__ == "__main__":
    main()
