"""Typical mistakes of learners, and the message that each must produce, on every backend alike.

The learner's own line comes first, then the error and its place, and last the remedy: six lines at most.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import PATIENCE, ROOT

MOST_LINES = 6
LAB = '''"""mine: a lab"""
import multiprocessing
from multiprocessing import Pool, Process, get_context
from concurrent.futures import ProcessPoolExecutor
from parlab.lab import Lab, burn
lab = Lab(unit=0.02, cores=2)
total = 0
found = []

def work(number):
    burn(1)
    return number * number

@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(4)]

@lab.case(workers=2)
def pool(task=work, *, workers):
    with Pool(workers) as processes:
        return processes.map(task, range(4))

if __name__ == "__main__":
    lab.main()
'''
IN_A_WORKER = "multiprocessing.parent_process()"  # the serial solution runs it, too, in a rank
DETAILS = r"The details are in \S+\.txt"  # the traceback, or every stack
ENDED = r"It was ended\. --timeout SECONDS gives a launch longer\."
CASE = r"pool\(workers=2\) on 1 node: the case raised "
SERIAL = r"pool\(workers=2\) on 1 node: the serial solution raised "
RANK = r" \(rank 0 on \S+-1\)"
MAP = r"called at mine\.py:21 \(return processes\.map\(task, range\(4\)\)\)"
NO_KEYBOARD = r"A lab has no keyboard: write the value into the file\. A program of your own, .* may read its input\.?"
WITH_DEF = r"It has no name that a worker could import: define it with `def`, at the left margin of the file\."
NEW_NAME = r"Check its spelling\. A module of your own lies beside the lab's file\.?"


@dataclass(frozen=True)
class Mistake:
    """A change to LAB as a learner may type it, and the message: a regular expression per line.

    `said` is all of standard error. For a wrong result it is empty; then `answer` is in the verdict, beside `correct`.
    """

    instead: Mapping[str, str]
    code: int
    said: tuple[str, ...] = ()
    answer: str = ""
    timeout: str = "60"  # seconds

    def run(self, folder: Path, backend: str, cluster: str) -> "subprocess.CompletedProcess[str]":
        """Write the lab and run it, as `lab.NAME --timeout` would."""
        text = LAB
        for typed, wrong in self.instead.items():
            assert text.count(typed) == 1, typed
            text = text.replace(typed, wrong)
        path = folder / "mine.py"
        path.write_text(text)
        return _run("-c", RUN, str(path), backend, cluster, self.timeout)


@dataclass(frozen=True)
class Slip:
    """A mistyped command line, and the line of its message, as a regular expression."""

    words: str
    said: str
    reads_the_lab: bool = False  # so it is asked where that may run
    code: int = field(default=2, init=False)

    def run(self, _: Path, backend: str, cluster: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line."""
        where = ("--backend", backend, "--cluster", cluster) if self.reads_the_lab else ()
        return _run("-m", "parlab", *self.words.split(), *where)


RUN = """
import sys
from pathlib import Path
from parlab.commands.labs import exiting, run_and_show
from parlab.run.request import Output, read_request
path, backend, cluster, timeout = sys.argv[1:]
with exiting():
    run_and_show(Path(path), read_request(backend=backend, cluster=cluster, timeout=timeout), Output(quiet=True))
"""


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE * 60, check=False
    )


def see(mistake: Mistake | Slip, done: "subprocess.CompletedProcess[str]") -> None:
    """Assert that the message for a mistake is complete, and that there is nothing else."""
    lines = done.stderr.splitlines()
    assert done.returncode == mistake.code, done.stdout + done.stderr
    told = (mistake.said,) if isinstance(mistake, Slip) else mistake.said
    prefix = "usage: " if mistake.code == 2 else "error: "
    wanted = [prefix * (number == 0) + line for number, line in enumerate(told)]
    assert len(lines) == len(wanted) <= MOST_LINES, done.stderr
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(pattern, line), f"{pattern!r} is not\n{line!r} in\n{done.stderr}"
    if isinstance(mistake, Mistake) and mistake.answer:
        block = re.search(r"^correct (.*\n(?: .*\n)*)", done.stdout, re.MULTILINE)
        assert block, done.stdout
        assert len(block[1].splitlines()) <= MOST_LINES
        answer = " ".join(block[1].split())
        assert re.fullmatch(mistake.answer, answer), f"{mistake.answer!r} is not\n{answer!r}"


TABLE: dict[str, Mistake | Slip] = {
    # on the command line
    "typo in a lab's name": Slip("lab.mpl", r"No lab mpl\. Did you mean lab\.mpi\?"),
    "typo in a file's name": Slip("labs/mpl.py", r"No file 'labs/mpl\.py'\. Did you mean labs/mpi\.py.*\?"),
    "typo in an option": Slip("lab.mpi --node 2", r"lab\.mpi has no option '--node'\. Did you mean --nodes\?"),
    "typo in a value": Slip("lab.mpi --speed 1/0", r"--speed takes a fraction of a host core .* such as 1/8 .*'1/0'"),
    "a setting that the lab has not": Slip(
        "lab.lock --chunk 2", r"this lab takes no --chunk, nor --workers or --size", reads_the_lab=True
    ),
    "a setting out of bounds": Slip(
        "lab.pool --workers 99", r"--workers takes numbers from 1 to 64, .* not '99'", reads_the_lab=True
    ),
    "a run that is not there": Slip(
        "compare 9999 9999", r"No run '9999'(\. Use a file, an id, or a number from .* results\.|: \S+ is empty\. .*)"
    ),
    # in how the lab is declared
    "typo in a setting": Mistake(
        {"case(workers=2)": "case(wokers=2)"},
        2,
        (r"mine\.py:18 \(@lab\.case\(wokers=2\)\): TypeError: pool: .*: workers\. Did you mean workers\?",),
    ),
    "typo in a parameter of the lab": Mistake(
        {"cores=2": "core=2"},
        2,
        (r"mine\.py:6 \(lab = Lab\(unit=0\.02, core=2\)\): TypeError: .* argument 'core'\. Did you mean '?cores'?\?",),
    ),
    "syntax error": Mistake(
        {"map(task, range(4))": "map(task, range(4)"},
        2,
        (
            r"mine\.py:21 \(return processes\.map\(task, range\(4\)\): SyntaxError: '\(' was never closed\. "
            r"Look at this line, and at the one above it",
        ),
    ),
    "wrong indent": Mistake(
        {"    return number * number": "      return number * number"},
        2,
        (r"mine\.py:12 \(return number \* number\): IndentationError: unexpected indent\. Look at this line, .*",),
    ),
    "import error": Mistake(
        {"import multiprocessing\n": "import multiprocesing\n"},
        2,
        (
            r"mine\.py:2 \(import multiprocesing\): ModuleNotFoundError: No module named 'multiprocesing'\. "
            rf"{NEW_NAME}",
        ),
    ),
    "import of a name that is not there": Mistake(
        {"import ProcessPoolExecutor": "import ProcesPoolExecutor"},
        2,
        (r"mine\.py:4 \(from concurrent\.\S+ import Pro.*\): ImportError: cannot .* Check its spelling.*",),
    ),
    "no main guard": Mistake(
        {
            'if __name__ == "__main__":\n    lab.main()': "lab.main()",
            "Pool(workers) as": "get_context('spawn').Pool(2) as",
        },
        2,
        (r"mine\.py:23 \(lab\.main\(\)\): lab\.main\(\) runs as the file is imported: put it below `if .*`",),
    ),
    "no main guard before a pool": Mistake(
        {"found = []": "print(get_context('spawn').Pool(2).map(abs, [1]))"},
        2,
        (
            r"mine\.py:8 \(print\(get_context\('spawn'\)\.Pool.*\): it did not get to lab\.main\(\) in \d+ s\. "
            r"Put the code that starts processes, and lab\.main\(\), below `if __name__ == \"__main__\":`",
        ),
    ),
    "loop without end at module level": Mistake(
        {"found = []": "while not total:\n    pass"},
        2,
        (r"mine\.py:[89] \(.*\): it did not get to lab\.main\(\) in \d+ s",),
    ),
    "input() at module level": Mistake(
        {"total = 0": "total = input('how many? ')"},
        2,
        (rf"mine\.py:7 \(total = input\('how many\? '\)\): EOFError: EOF when reading a line\. {NO_KEYBOARD}",),
    ),
    "a parameter that no case sets": Mistake(
        {"one_after_another(task=work)": "one_after_another(task=work, *, sixe)"},
        2,
        (r"mine\.py:15 \(def one_after_another\(.*\):\): one_after_another needs sixe, which pool\(.*\) does not set",),
    ),
    # in the serial solution
    "wrong number of arguments": Mistake(
        {"def work(number)": "def work(number, other)"},
        4,
        (
            r"mine\.py:16 \(return \[task\(number\) for number in range\(4\)\]\)",
            rf"{SERIAL}TypeError: work\(\) missing 1 required positional argument: 'other'{RANK}",
            r"Compare the call with the `def`: `map` passes one argument, `starmap` more\.",
            DETAILS,
        ),
    ),
    "input()": Mistake(
        {"burn(1)": "number = input('how much? ')"},
        4,
        (
            r"mine\.py:11 \(number = input\('how much\? '\)\)",
            rf"{SERIAL}EOFError: EOF when reading a line{RANK}",
            r"called at mine\.py:16 \(return \[task\(.*",
            NO_KEYBOARD,
            DETAILS,
        ),
    ),
    "a name that is not there": Mistake(
        {"return number * number": "return number * nubmer"},
        4,
        (
            r"mine\.py:12 \(return number \* nubmer\)",
            rf"{SERIAL}NameError: name 'nubmer' is not defined.*{RANK}",
            r"called at mine\.py:16 \(return \[task\(.*",
            r"Correct it\.",
            DETAILS,
        ),
    ),
    "a serial solution that takes too long": Mistake(
        {"    return [task": "    while True: pass\n    return [task"},
        4,
        (
            r"mine\.py:16 \(while True: pass\)",
            r"pool\(workers=2\) on 1 node: the serial solution still runs after 3 s\.",
            r"rank 0 on \S+-1 is asleep in mine\.py:25 \(lab\.main\(\)\)",
            r"a child of rank 0 on \S+-1, process \d+, is busy \(.*\) in mine\.py:16 \(while True: pass\)",
            r"In it only burn\(\) and wait\(\) take no time: make the rest shorter, or give it more, --timeout .*",
            DETAILS,
        ),
        timeout="3",
    ),
    # in a case
    "exception in a task": Mistake(
        {"return number * number": f"return 10 / number if {IN_A_WORKER} else number"},
        4,
        (
            r"mine\.py:12 \(return 10 / number if multiprocessing\.parent_process\(\) else number\)",
            rf"{CASE}ZeroDivisionError: division by zero{RANK}",
            MAP,
            r"Correct it, or declare that the case is to raise it: outcome=ZeroDivisionError\.",
            DETAILS,
        ),
    ),
    "exception in a task of an executor": Mistake(
        {
            "return number * number": f"return 10 / number if {IN_A_WORKER} else number",
            "Pool(workers) as": "ProcessPoolExecutor(workers) as",
            "return processes.map(task, range(4))": "return list(processes.map(task, range(4)))",
        },
        4,
        (
            r"mine\.py:12 \(return 10 / number if .*\)",
            rf"{CASE}ZeroDivisionError: division by zero{RANK}",
            r"called at mine\.py:21 \(return list\(processes\.map\(task, range\(4\)\)\)\)",
            r"Correct it, or declare that the case is to raise it: outcome=ZeroDivisionError\.",
            DETAILS,
        ),
    ),
    "exception in a task of a pool of ranks": Mistake(
        {
            "import multiprocessing\n": "import os\nfrom mpi4py.futures import MPIPoolExecutor\n",
            "return number * number": "return 10 / number if os.environ['OMPI_COMM_WORLD_RANK'] != '0' else number",
            "case(workers=2)": 'case(launch="mpi4py.futures")',
            "task=work, *, workers": "task=work",
            "Pool(workers) as": "MPIPoolExecutor() as",
            "return processes.map(task, range(4))": "return list(processes.map(task, range(4)))",
        },
        4,
        (
            r"mine\.py:13 \(return 10 / number if .*\)",
            r"pool on 1 node: the case raised ZeroDivisionError: division by zero \(rank 0 on head\)",
            r"called at mine\.py:22 \(return list\(processes\.map\(task, range\(4\)\)\)\)",
            r"Correct it, or declare that the case is to raise it: outcome=ZeroDivisionError\.",
            DETAILS,
        ),
    ),
    "input() in a worker": Mistake(
        {"burn(1)": f"number = int(input()) if {IN_A_WORKER} else number"},
        4,
        (
            r"mine\.py:11 \(number = int\(input\(\)\) if .*\)",
            rf"{CASE}EOFError: EOF when reading a line{RANK}",
            MAP,
            NO_KEYBOARD,
            DETAILS,
        ),
    ),
    "import error in a case": Mistake(
        {"    with Pool": "    import numpyy\n    with Pool"},
        4,
        (
            r"mine\.py:20 \(import numpyy\)",
            rf"{CASE}ModuleNotFoundError: No module named 'numpyy'{RANK}",
            NEW_NAME,
            DETAILS,
        ),
    ),
    "wrong number of arguments in a pool": Mistake(
        {"processes.map(task, range(4))": "processes.starmap(task, [(1, 2), (3, 4)])"},
        4,
        (
            r"mine\.py:21 \(return processes\.starmap\(task, \[\(1, 2\), \(3, 4\)\]\)\)",
            rf"{CASE}TypeError: work\(\) takes 1 positional argument but 2 were given{RANK}",
            r"Compare the call with the `def`: `map` passes one argument, `starmap` more\.",
            DETAILS,
        ),
    ),
    "lambda": Mistake(
        {"map(task, range(4))": "map(lambda number: task(number), range(4))"},
        4,
        (
            r"mine\.py:21 \(return processes\.map\(lambda number: task\(number\), range\(4\)\)\)",
            rf"{CASE}\S+Error: Can't (pickle|get) local object .*<lambda>.*{RANK}",
            WITH_DEF,
            DETAILS,
        ),
    ),
    "function in a function": Mistake(
        {
            "    with Pool": "    def twice(number):\n        return task(number)\n    with Pool",
            "map(task, range(4))": "map(twice, range(4))",
        },
        4,
        (
            r"mine\.py:23 \(return processes\.map\(twice, range\(4\)\)\)",
            rf"{CASE}\S+Error: Can't (pickle|get) local object .*twice.*{RANK}",
            WITH_DEF,
            DETAILS,
        ),
    ),
    "what cannot be sent": Mistake(
        {"map(task, range(4))": "map(task, [open(__file__)])"},
        4,
        (
            r"mine\.py:21 \(return processes\.map\(task, \[open\(__file__\)\]\)\)",
            rf"{CASE}TypeError: cannot pickle '.*TextIOWrapper' .*{RANK}",
            r"It cannot be sent to another process: make it, or open it, in the task\.",
            DETAILS,
        ),
    ),
    "task not handed on": Mistake(
        {"map(task, range(4))": "map(work, range(4))"},
        4,
        (
            r"mine\.py:21 \(return processes\.map\(work, range\(4\)\)\)",
            r"pool\(workers=2\) never called its parameter `task`",
            r"Hand `task` to map, not `work`\.",
        ),
    ),
    "task not handed on, in a loop": Mistake(
        {"with Pool(workers) as processes:\n        return processes.map(task, range(4))": "return [work(3)]"},
        4,
        (
            r"mine\.py:20 \(return \[work\(3\)\]\)",
            r"pool\(workers=2\) never called its parameter `task`",
            r"Hand `task` to map, not `work`\.",
        ),
    ),
    "task not used at all": Mistake(
        {"processes.map(task, range(4))": "[0, 1, 4, 9]"},
        4,
        (
            r"mine\.py:19 \(def pool\(task=work, \*, workers\):\)",
            r"pool\(workers=2\) never called its parameter `task`",
            r"Hand `task` to the workers, or call it\.",
        ),
    ),
    "results not waited for": Mistake(
        {"processes.map(task, range(4))": "processes.map_async(task, range(4)) and [0, 1, 4, 9]"},
        4,
        (
            r"mine\.py:21 \(return processes\.map_async\(task, .*\)",
            r"pool\(workers=2\) ended before a task of it came back",
            r"Wait for the results: get\(\), result\(\) or join\(\)\.",
        ),
    ),
    "loop without end": Mistake(
        {"burn(1)": f"while {IN_A_WORKER}: number += 1"},
        4,
        (
            r"mine\.py:11 \(while multiprocessing\.parent_process\(\): number \+= 1\)",
            r"pool\(workers=2\) on 1 node: running the case: 0 of 1 done after 5 s\.",
            r"rank 0 on \S+-1 is asleep in mine\.py:21 \(return processes\.map\(task, range\(4\)\)\)",
            r"2 children of rank 0 on \S+-1, processes \d+, \d+, are busy \(.*\) in mine\.py:11 \(while .*\)",
            ENDED,
            DETAILS,
        ),
        timeout="5",
    ),
    "loop without end in a case": Mistake(
        {"    with Pool": "    while task(1): pass\n    with Pool"},
        4,
        (
            r"mine\.py:(11|20) \(.*\)",
            r"pool\(workers=2\) on 1 node: running the case: 0 of 1 done after 5 s\.",
            r"rank 0 on \S+-1 is (busy \(.*\)|asleep) in mine\.py:(11|20) \(.*\)",
            ENDED,
            DETAILS,
        ),
        timeout="5",
    ),
    # with a wrong result
    "missing return": Mistake(
        {"return processes.map": "processes.map"},
        1,
        answer=r"no: pool\(workers=2\): mine\.py:19 \(def pool\(.*\):\): got None, the serial solution gives "
        r"\[0, 1, 4, 9\]\. Is a `return` missing\?",
    ),
    "missing return in the serial solution": Mistake(
        {"return [task": "[task"},
        1,
        answer=r"no: pool\(workers=2\): mine\.py:15 \(def one_after_another\(.*\):\): got \[0, 1, 4, 9\], the serial "
        r"solution gives None\. Is a `return` missing\?",
    ),
    "missing return in a task": Mistake(
        {"return number * number": "number * number"},
        1,
        answer=r"no: pool\(workers=2\): mine\.py:10 \(def work\(number\):\): its results are None, and so are the "
        r"serial solution's: nothing was compared\. Is a `return` missing\?",
    ),
    "global variable": Mistake(
        {
            "burn(1)": "global total",
            "return number * number": "total += number",
            "return [task(number) for number in range(4)]": "[task(number) for number in range(4)]\n    return total",
            "return processes.map(task, range(4))": "processes.map(task, range(4))\n        return total",
        },
        1,
        answer=r"no: pool\(workers=2\): mine\.py:12 \(total \+= number\): got 0, the serial solution gives 6\. Each "
        r"process has a `total` of its own, and the tasks changed theirs: return the value instead",
    ),
    "global list": Mistake(
        {
            "return number * number": "found.append(number)",
            "return [task(number) for number in range(4)]": "[task(number) for number in range(4)]\n    return found",
            "return processes.map(task, range(4))": "processes.map(task, range(4))\n        return found",
        },
        1,
        answer=r"no: pool\(workers=2\): mine\.py:12 \(found\.append\(number\)\): got 0 results, the serial "
        r"solution gives 4\. Each process has a `found` of its own, and the tasks changed theirs: return the value "
        r"instead",
    ),
}
TAKES_A_MINUTE = ("no main guard before a pool", "loop without end at module level")
