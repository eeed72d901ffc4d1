"""Reading what a lab declares, in a process of its own: as a launch's processes will read it, or not at all."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import pytest

from parlab.course.catalog import lab_files, not_taken
from parlab.errors import UsageError
from parlab.judge.claims import Question
from parlab.model.messages import Answered, Ask, to_line
from parlab.node.ask import ask
from parlab.node.traces import last_in
from parlab.run.plan import SETTINGS, make_plan
from parlab.run.request import Request
from tests.conftest import ROOT, Invoke
from tests.reading import declared_in, read

LabFile = Callable[[str], Path]
IMPORT = "from parlab.lab import Lab\n"
CASE = """
@lab.serial
def one_after_another(task=len): ...
@lab.case(workers=2)
def go(task=len, *, workers): ...
"""
MAIN = """
if __name__ == "__main__":
    lab.main()
"""


def test_the_mpi_lab_declares_its_spec_its_cases_and_its_claims() -> None:
    lab = declared_in(lab_files()["mpi"])
    assert (lab.nodes, lab.cores, lab.speed, lab.unit) == ((1, 2, 4), 2, Fraction(1, 8), 1.0)
    assert lab.cases[0].name == "pool_of_ranks"
    assert "time is whole rounds of one unit" in {claim.name for claim in lab.claims}


@pytest.mark.parametrize("path", lab_files().values(), ids=lab_files())
def test_every_lab_shows_a_way_that_goes_wrong_or_costs(path: Path) -> None:
    lab = declared_in(path)
    assert len(lab.cases) > 1
    assert any(claim.required for claim in lab.claims)


@pytest.mark.parametrize("path", lab_files().values(), ids=lab_files())
def test_what_the_help_says_of_a_labs_options_is_what_it_takes(path: Path) -> None:
    lab, refused = declared_in(path), set()
    asked = {name: Request(settings={name: lab.bounds.get(name, (1, 1))[:1]}) for name in SETTINGS}
    for name, request in {**asked, "nodes": Request(nodes=lab.nodes[:1])}.items():
        try:
            make_plan(lab, path, request, "")
        except UsageError:
            refused.add(name)
    assert not_taken(path) == refused


ORDINARY = """
import os, random, socket, time
import numpy as np
W = np.arange(64) / 7
N = len(W) + int(W[3])
HALF = W[::2] @ W[1::2]
NAMES = sorted({"a": 1, **dict(zip("bc", np.ones(2)))})
with np.errstate(all="ignore"):
    RATIO = float(np.float64(1) / 3)
assert W.sum() > 0, "what nodes can do, they do here"
for one in np.linspace(0, 1, 3):
    N += int(one)
class Own(np.ndarray): ...
lab = Lab(unit=RATIO)
@lab.serial
def one_after_another(task=len): ...
@lab.case(size=np.array([1, 2]), kind=list(np.arange(2)), low=W.min() < 1)
def go(task=len, *, size, kind, low): ...
"""


def test_lines_that_only_nodes_can_run_are_run(lab_file: LabFile) -> None:
    lab = declared_in(lab_file(IMPORT + ORDINARY + MAIN))
    assert lab.unit == pytest.approx(1 / 3)
    assert [case.name for case in lab.cases] == [
        f"go(size=array([1, 2]), kind={kind}, low={case.settings['low']!r})" for kind, case in enumerate(lab.cases)
    ]


SIZED = """import os
WORKERS = int(os.environ.get("SLURM_CPUS_PER_TASK", "1"))
lab = Lab(unit=1, cores=4)
@lab.serial
def one_after_another(task=len): ...
@lab.case(workers=WORKERS)
def go(task=len, *, workers): ...
"""


@pytest.mark.parametrize(("told", "workers"), [({}, 4), ({"PARLAB_CORES": "7"}, 7), ({"SLURM_CPUS_PER_TASK": "9"}, 4)])
def test_what_a_launch_tells_of_a_node_is_told_here(lab_file: LabFile, told: dict[str, str], workers: int) -> None:
    lab = declared_in(lab_file(IMPORT + SIZED + MAIN), **told)
    assert [case.settings for case in lab.cases] == [{"workers": workers}]
    assert lab.cores == 4


def test_a_lab_of_ranks_has_one_core_a_task_as_its_launches_have(lab_file: LabFile) -> None:
    code = IMPORT + SIZED.replace("@lab.case(", "@lab.case(launch='mpi', ") + MAIN
    assert [case.settings for case in declared_in(lab_file(code), PARLAB_CORES="4").cases] == [{"workers": 1}]


def test_the_unit_and_the_speed_are_the_labs_own_whatever_is_asked_for(lab_file: LabFile) -> None:
    code = IMPORT + "lab = Lab(unit=0.5, speed=1 / 4)" + CASE + MAIN
    lab = declared_in(lab_file(code), PARLAB_UNIT="2", PARLAB_SPEED="0.125")
    assert (lab.unit, lab.speed) == (0.5, Fraction(1, 4))


LAB_OF = IMPORT + "lab = Lab(unit=1)"
AGAIN = "".join(CASE.partition("@lab.case")[1:])
UNGUARDED = IMPORT + "lab = Lab(unit=1)" + CASE + "lab.main()\n"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "sample.py: declares no lab: it needs `lab = Lab(...)`"),
        ("lab = 1\n", "sample.py: declares no lab"),
        (IMPORT + "lab = Lab(unit=1)" + MAIN, "sample.py: declares no lab"),
        (IMPORT + "lab = Lab(unit=1)" + CASE, "sample.py: declares no lab"),
        (
            UNGUARDED,
            "sample.py:7 (lab.main()): lab.main() runs as the file is imported: put it below `if",
        ),
        ("\n\n1 / 0\n", "sample.py:3 (1 / 0): ZeroDivisionError: division by zero"),
        (
            "import nowhere.at.all\n",
            "sample.py:1 (import nowhere.at.all): ModuleNotFoundError: No module named 'nowhere'",
        ),
        (
            "\nraise SystemExit('no data here')\n",
            "sample.py:2 (raise SystemExit('no data here')): SystemExit: no data here",
        ),
        ("import helper\n", "helper.py:2 (oh): NameError: name 'oh' is not defined"),
        ("import slip\n", "slip.py:1 (x = (): SyntaxError: '(' was never closed"),
        (
            LAB_OF + CASE.replace("(workers=2)", "(wrkers=2)") + MAIN,
            "sample.py:5 (@lab.case(wrkers=2)): TypeError: go: ",
        ),
        (LAB_OF + CASE.replace("serial", "expect") + MAIN, "sample.py: declares no serial solution"),
        (
            LAB_OF + CASE.replace("len)", "len, *, size)") + MAIN,
            "sample.py:4 (def one_after_another(task=len, *, size): ...): one_after_another needs size, which go(",
        ),
        (LAB_OF + CASE.replace("(workers=2)", "(workers=[2, 2])") + MAIN, "sample.py: declares go(workers=2) twice: "),
        (LAB_OF + CASE + AGAIN + MAIN, "sample.py: declares go(workers=2) twice: "),
        (IMPORT + "lab = Lab(unit=1, bounds={'sixe': (1, 9)})" + CASE + MAIN, "sample.py: has bounds for sixe, which"),
        (
            IMPORT + "Lab(unit=1).case(launch='mips')\n",
            "sample.py:2 (Lab(unit=1).case(launch='mips')): ValueError: launch='mips'",
        ),
    ],
)
def test_a_file_that_is_no_lab_is_refused_in_a_line_with_the_place(lab_file: LabFile, code: str, words: str) -> None:
    path = lab_file(code)
    (path.parent / "helper.py").write_text("\noh\n")
    (path.parent / "slip.py").write_text("x = (\n")
    refusal = read(path).refusal
    assert refusal.startswith(words)
    assert len(refusal.splitlines()) == 1


def test_what_a_file_prints_or_reads_is_no_answer(lab_file: LabFile) -> None:
    code = 'import os\nprint("x" * 100_000)\nos.write(1, b"{}")\nassert os.read(0, 1) == b""\n'
    assert declared_in(lab_file(code + IMPORT + "lab = Lab(unit=1)" + CASE + MAIN)).cores == 1


# From the command line.


def run_alone(path: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`python -m parlab FILE`, with options of Python's own: the lab on this machine."""
    command, told = [sys.executable, *options, "-m", "parlab", str(path)], {**os.environ, **env}
    return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os\nos.kill(os.getpid(), 11)\n", "sample.py did not get to lab.main() and ended by SIGSEGV"),
        (
            "import os\nos.write(2, b'oh')\nos._exit(3)\n",
            "sample.py did not get to lab.main() and ended with exit code 3:\n  oh",
        ),
        (
            "import nowhere\n",
            "sample.py:1 (import nowhere): ModuleNotFoundError: No module named 'nowhere'. Check its spelling. "
            "A module of your own lies beside the lab's file",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_bad_input(lab_file: LabFile, code: str, words: str) -> None:
    done = run_alone(lab_file(code))
    assert (done.returncode, done.stderr.strip()) == (2, f"usage: {words}")


def test_host_and_node_mean_the_same_case(invoke: Invoke, tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    options = ("--cores", "5", "--unit", "0.02", "--json", str(record))
    done = invoke("lab.amap", "--backend", "embedded", *options)
    assert done.returncode == 0, done.stderr
    first, *_ = json.loads(record.read_text())["cases"]
    assert (first["name"], first["workforce"]["workers"]) == ("amap(workers=5, chunk=None, meanwhile='wait')", 5)
    assert len({span["pid"] for span in first["repeats"][0]["spans"]}) == 5


LAB = """
from parlab.lab import Lab
lab = Lab(unit=0.01, cores=2)
{}
def work(number):
    return number
@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(4)]
@lab.case(size=SIZE)
def loop(task=work, *, size):
    return [task(number) for number in range(4)]
if __name__ == "__main__":
    lab.main()
"""


def test_a_launch_that_reads_another_case_under_its_number_is_refused_and_both_are_named(lab_file: LabFile) -> None:
    done = run_alone(lab_file(LAB.format("import os\nSIZE = 7 + ('PARLAB_CASE' in os.environ)")))
    assert done.returncode == 4
    assert "number 1 was loop(size=7), here it is loop(size=8)" in done.stderr


def test_an_edit_in_mid_run_changes_nothing(lab_file: LabFile) -> None:
    path = lab_file("")
    path.write_text(LAB.format(f"SIZE = [1, 2]\nOWN = {str(path)!r}\nopen(OWN, 'w').write('oh')"))
    done = run_alone(path)
    assert (done.returncode, path.read_text()) == (0, "oh"), done.stderr


def test_data_and_modules_beside_a_lab_are_at_hand(lab_file: LabFile) -> None:
    size = "int((Path(__file__).parent / 'data/size.txt').read_text())"
    path = lab_file(LAB.format(f"from pathlib import Path\nimport helper\nassert helper.HELPS\nSIZE = {size}"))
    (path.parent / "helper.py").write_text("HELPS = True\n")
    (path.parent / "data").mkdir()
    (path.parent / "data/size.txt").write_text("12\n")
    done = run_alone(path)
    assert done.returncode == 0, done.stderr
    assert "loop(size=12)" in done.stdout


# The serial solution has a process of its own.

GLOBAL = """
from multiprocessing import Pool
from parlab.lab import Lab
lab = Lab(unit=0.01, cores=2)
{before}
def work(n):
    {task}
@lab.serial
def one_after_another(task=work):
    for number in range(4):
        task(number)
    return {result}
@lab.case(outcome="wrong")
def pool(task=work):
    with Pool(2) as workers:
        workers.map(task, range(4))
    return {result}
if __name__ == "__main__":
    lab.main()
"""


@pytest.mark.parametrize(
    ("before", "task", "result"),
    [
        ("total = 0", "global total; total += n", "total"),
        ("found = []", "found.append(n)", "list(found)"),
        ("import os", "os.environ['TOTAL'] = str(n)", "os.environ.get('TOTAL')"),
        ("import numpy as np; np.random.seed(1)", "np.random.rand(n)", "float(np.random.rand())"),
        ("import random; random.seed(1)", "random.random()", "random.random()"),
        ("def state(): pass", "state.seen = n", "getattr(state, 'seen', None)"),
    ],
)
def test_what_the_serial_solution_changes_is_not_there_for_the_case(
    lab_file: LabFile, before: str, task: str, result: str
) -> None:
    """The mistake that every course shows: workers have globals of their own, so the parent's stay as they were."""
    done = run_alone(lab_file(GLOBAL.format(before=before, task=task, result=result)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "correct     yes" in done.stdout


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("def key(x): ...\nSIZE = [key, lambda x: x]", "loop(size=key)"),
        ("from pathlib import Path\nSIZE = str(Path(__file__).parent / 'data.csv')", "data.csv')"),
        ("import random\nSIZE = random.randrange(10**9)", "loop(size="),
        ("SIZE = {'a', 'b', 'c', 'd', 'e'}", "loop(size={"),
        ("class Own: ...\nSIZE = Own()", "Own object>)"),
        ("import multiprocessing\nmanager = multiprocessing.Manager()\nSIZE = 1", "loop(size=1)"),
    ],
)
def test_whatever_a_setting_is_the_host_and_the_node_mean_the_same_case(
    lab_file: LabFile, body: str, shown: str
) -> None:
    done = run_alone(lab_file(LAB.format(body)))
    assert done.returncode == 0, done.stderr
    assert shown in "".join(done.stdout.splitlines())


def test_a_serial_solution_may_take_whatever_settings_there_are(lab_file: LabFile) -> None:
    code = LAB.format("SIZE = 1").replace("one_after_another(task=work)", "one_after_another(task=work, **settings)")
    assert declared_in(lab_file(code)).cases[0].name == "loop(size=1)"


def test_a_lab_without_a_case_that_is_run_by_python_is_bad_input(lab_file: LabFile) -> None:
    path = lab_file(IMPORT + "lab = Lab(unit=1)" + MAIN)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: sample.py: declares no lab")


# What is judged where the file may run.


@pytest.mark.measures
@pytest.mark.parametrize(("options", "env"), [((), {}), (("-O",), {}), ((), {"PYTHONOPTIMIZE": "2"})])
def test_a_claim_fails_whatever_becomes_of_assertions(
    lab_file: LabFile, options: tuple[str, ...], env: dict[str, str]
) -> None:
    claim = "@lab.expect\ndef it_is_not_so(cases):\n    assert False, 'as was to be shown'\n"
    done = run_alone(lab_file(LAB.format("SIZE = 1").replace("if __name__", f"{claim}if __name__")), *options, **env)
    assert "reproduced  no: it is not so: as was to be shown" in done.stdout


@pytest.mark.measures
@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("import os; os._exit(3)", "did not judge its claims and ended with exit code 3"),
        ("len(5)", "TypeError: object of type 'int' has no len()"),
    ],
)
def test_a_claim_that_ends_its_process_loses_nothing_that_was_measured(lab_file: LabFile, body: str, why: str) -> None:
    claim = f"@lab.expect\ndef it_holds(cases):\n    {body}\n"
    done = run_alone(lab_file(LAB.format("SIZE = 1").replace("if __name__", f"{claim}if __name__")))
    assert (done.returncode, done.stderr) == (0, "")
    assert why in " ".join(done.stdout.split())


HALVES = """
from concurrent.futures import ThreadPoolExecutor
from parlab.lab import Lab, burn
lab = Lab(unit=0.05, cores=2)
def half(number):
    burn({units})
    return number
@lab.serial
def one_after_another(task=half):
    {serial}
    return [0, 1]
@lab.case(workers=2)
def both(task=half, *, workers):
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(task, range(2)))
if __name__ == "__main__":
    lab.main()
"""


@pytest.mark.parametrize(
    ("units", "serial", "why"),
    [
        (1, "task(0)", "there is no ideal: 2 tasks left a span, the serial solution has 1"),
        ("1 if number < 5 else 8", "task(5), task(6)", "there is no ideal: the tasks computed for"),
    ],
)
def test_where_other_work_was_done_than_the_ideal_is_made_of_there_is_no_ideal(
    lab_file: LabFile, units: object, serial: str, why: str
) -> None:
    done = run_alone(lab_file(HALVES.format(units=units, serial=serial)))
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert f"not as predicted: both(workers=2): {why}" in words
    assert "off by" not in words


def test_a_wrong_list_of_arrays_is_wrong_and_told_with_its_place(lab_file: LabFile) -> None:
    code = LAB.format("import numpy as np\nSIZE = 1")
    code = code.replace("return number", "return np.full(3, number)")
    code = code.replace(
        "size):\n    return [task(number) for", "size):\n    return [task(number) + (number == 2) * np.eye(3)[1] for"
    )
    done = run_alone(lab_file(code))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "result 2[1] is 3.0, the serial solution's is 2" in " ".join(done.stdout.split())


# `python FILE`.


def test_a_lab_that_is_run_by_python_becomes_the_run(lab_file: LabFile) -> None:
    """One process: whoever kills or stops it means the run. What lies in the current folder hides no module."""
    path = lab_file(LAB.format("SIZE = 1\nimport os, sys\nsys.stdout.write(f'{os.getpid()} ')"))
    path.write_text(path.read_text().replace("lab.main()", "print('begun'); lab.main()"))
    (path.parent / "random.py").write_text("raise SystemExit('hidden')\n")
    (path.parent / "elsewhere").mkdir()
    (path.parent / "random.py").rename(path.parent / "elsewhere/random.py")
    process = subprocess.Popen(
        [sys.executable, str(path)], cwd=path.parent / "elsewhere", stdout=subprocess.PIPE, text=True
    )
    shown, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert shown.startswith(f"{process.pid} begun\n")
    assert "loop(size=1)" in shown
    assert "kept as" in shown


# What takes too long is told with its line.

SLEEPS = """
import subprocess, sys, time
words = "import traceback\\nwhile True: traceback.print_stack()"
subprocess.Popen([sys.executable, "-c", words], stdout=2)
time.sleep(1000)
"""
QUESTIONS = {
    "parlab.node.declare": "",
    "parlab.node.claims": to_line(Question([], [], overridden=False)).decode(),
}


def in_time(path: Path, module: str, seconds: float) -> Answered:
    command = [sys.executable, "-m", module, str(path)]

    async def asked() -> Answered:
        answer = await ask(Ask(command, {"PARLAB_RUN": f"asks-{uuid4()}"}, QUESTIONS[module], seconds))
        await asyncio.sleep(0.5)  # the loop sees the process end
        return answer

    return asyncio.run(asked())


@pytest.mark.parametrize("module", QUESTIONS)
def test_a_file_that_takes_too_long_says_where_it_is_whatever_its_processes_write(
    lab_file: LabFile, module: str
) -> None:
    answer = in_time(path := lab_file(SLEEPS), module, 2.0)
    assert (answer.code, answer.text) == (None, "")
    assert len(answer.said) > 100
    assert next((at.file, at.line) for at in last_in(answer.stack)) == (str(path), 5)


def test_a_file_that_answers_has_no_stack(lab_file: LabFile) -> None:
    assert in_time(lab_file(LAB.format("SIZE = 1")), "parlab.node.declare", 60.0).stack == ""
