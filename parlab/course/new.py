"""A new lab: a file that runs and passes its checks as it is, and says what to change."""

import keyword
import re
import sys
from collections.abc import Collection
from importlib.machinery import PathFinder
from pathlib import Path

from parlab.course.catalog import lab_files
from parlab.course.handout import in_teaching_order, read_handout
from parlab.errors import UsageError
from parlab.host.places import INSTALLED, LABS, shown

# Those that a lab may import there, with what they bring; on the host they may be missing.
IN_NODES = {
    "dill",
    "joblib",
    "loky",
    "mpi4py",
    "msgspec",
    "multiprocess",
    "numpy",
    "parlab",
    "pathos",
    "pox",
    "ppft",
    "threadpoolctl",
}
SKELETON = '''"""{name}: eight tasks in a loop, and in a pool of two

Question   How long do eight tasks take in a loop, and how long with two workers?

Setup      One node with two virtual cores, each 1/4 of a core of your machine. A task is one call of `work`. It
           computes for one unit, here 0.2 s.

Predict    A loop does one task at a time: 8 units. How many units do two workers take, each with a core of its own?

Run        {run}

What happens, and why
           The loop takes 8 units, the pool 4: no task needs the result of another, so two workers halve the time.

Traps      - A pool sends the task by its name: write it with `def`, at the left margin. A lambda cannot be sent.

Exercise   Give the pool three workers. What do you expect of a node with two cores?

To change  This lab runs as it is, and its claim is shown. Make it yours from the top down: the title, in the first
           line; the question, which is one sentence; the task; the serial solution, which says what is right; the
           cases, which have to give the same; the claim, which answers the question. `Lessons` names the lessons that
           it comes from, `Follows` the lab to do before it, `Minutes` the time that it takes. Then remove this section.
Lessons    000
Follows    {follows}
Minutes    10
"""

from multiprocessing import Pool

from parlab.lab import Lab, approx, burn

lab = Lab(unit=0.2, nodes=1, cores=2, speed=1 / 4)  # one unit is 0.2 s; each of two cores is 1/4 of a host core


def work(number):
    """The task: what each worker does with one argument. It computes for one unit, and returns its result."""
    burn(1)
    return number * number


@lab.serial
def one_after_another(task=work):
    """The problem itself, in plain Python: every case must give these results."""
    return [task(number) for number in range(8)]


@lab.case()
def loop(task=work):
    """One way of doing it. Call the parameter `task`, not `work`: that is how tasks are timed."""
    return [task(number) for number in range(8)]


@lab.case(workers=2)
def pool(task=work, *, workers):
    """Another way. `workers` is a setting: `workers=[2, 4]` makes two cases, `--workers 3` another one."""
    with Pool(workers) as processes:
        return processes.map(task, range(8), chunksize=1)


@lab.expect
def two_workers_halve_the_time(cases):
    """The claim is the name of the function, in words; the assertion has a tolerance, and says what came out."""
    ratio = cases.find(loop).units / cases.find(pool).units
    assert ratio == approx(2, rel=0.15), f"{{ratio:.2f}} times as fast"


if __name__ == "__main__":
    lab.main()
'''


def write_lab(name: str, tasks: Collection[str]) -> Path:
    """Write a lab of that name into labs/ of a checkout; of an installation, into the current folder.

    Raises UsageError, and writes nothing, for a name that cannot be one, that is one of `tasks`, or that hides a
    module; and for a file that is there.
    """
    folder = Path() if INSTALLED else LABS
    path = folder / f"{name}.py"
    if why_not := _why_not(name, tasks):
        raise UsageError(f"no lab can be named {name!r}: {why_not}")
    course = in_teaching_order([read_handout(file) for file in lab_files().values()])
    run = f"parlab {name}.py" if INSTALLED else f"./invoke lab.{name}"
    text = SKELETON.format(name=name, run=run, follows=course[-1].name if course else "")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{shown(path)} is there: use another name, or move it away") from None
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be written: {error.strerror}") from error
    return path


def _why_not(name: str, tasks: Collection[str]) -> str:
    """Why a lab cannot have a name; '' where it can."""
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        return "use letters, digits and _, with a letter first"
    if keyword.iskeyword(name):
        return "it is a word of Python's own"
    if name in tasks or (f"lab.{name}" in tasks and name not in lab_files()):
        return "it is a task"
    if name in sys.stdlib_module_names or name in IN_NODES or PathFinder.find_spec(name, _elsewhere()) is not None:
        return "it would hide the module of that name from all that runs beside it"
    return ""


def _elsewhere() -> list[str]:
    """Where Python finds modules, but for the folder of the labs and the current one: those are files of the user's."""
    return [entry for entry in sys.path if entry and Path(entry).resolve() not in (LABS.resolve(), Path.cwd())]
