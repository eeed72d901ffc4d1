"""Which line a wrong result, or a case without tasks, may come of; and that no other line is blamed."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from parlab.model.job_events import Frame
from parlab.node.mistakes import no_task, suspect
from parlab.node.traces import last_in

HEAD = """
import multiprocessing
import numpy as np
from functools import lru_cache
from parlab.lab import Lab
lab = Lab(unit=1.0)
"""
TAIL = """
@lab.serial
def serial(task=None):
    return [task(n) for n in range(4)]


@lab.case(workers=2)
def case(workers, task=work):
    return serial(task)
"""
Write = Callable[..., ModuleType]


@pytest.fixture
def lab_with(tmp_path: Path) -> Write:
    """The module of a lab's file with that task, which is called `work`."""

    def write(task: str, tail: str = TAIL) -> ModuleType:
        path = tmp_path / "mine.py"
        path.write_text(HEAD + task + tail)
        spec = importlib.util.spec_from_file_location("mine", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return write


def blamed(module: ModuleType, result: object = 0, serial: object = 6) -> tuple[str, str]:
    line, advice = suspect(module.lab.cases[0], module.lab, result, serial, elsewhere=True)
    return ("" if line is None else line.text), advice


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("total = 0\ndef work(n):\n    global total\n    total += n\n    return total\n", "total += n"),
        ("seen = []\ndef work(n):\n    seen.append(n)\n    return n\n", "seen.append(n)"),
        ("seen = {}\ndef work(n):\n    seen[n] = 1\n    return n\n", "seen[n] = 1"),
    ],
)
def test_a_task_that_changes_a_global_is_named(task: str, line: str, lab_with: Write) -> None:
    found, advice = blamed(lab_with(task))
    assert found == line
    assert "return the value instead" in advice


@pytest.mark.parametrize(
    "task",
    [
        "def work(n):\n    return np.append([1], n)\n",
        "shared = multiprocessing.Array('i', 4)\ndef work(n):\n    shared[0] += 1\n    return n\n",
        "number = 1\ndef work(n):\n    def inner():\n        number = n\n        return number\n    return inner()\n",
        "number = 1\ndef work(n):\n    return [number for number in range(n)]\n",
        "seen = []\ndef work(n):\n    seen = []\n    seen.append(n)\n    return seen\n",
        "seen = []\ndef work(n):\n    return len(seen)\n",
    ],
)
def test_a_task_that_changes_nothing_of_its_own_process_is_not_blamed(task: str, lab_with: Write) -> None:
    assert blamed(lab_with(task)) == ("", "")


NOTHING = [None, None]


@pytest.mark.parametrize(
    ("result", "serial", "line"),
    [
        (None, [0, 1], "def case(workers, task=work):"),
        (NOTHING, [0, 1], "def case(workers, task=work):"),
        ([0, 1], None, "def serial(task=None):"),
        ([0, 1], NOTHING, "def serial(task=None):"),
        (NOTHING, NOTHING, "def work(n):"),
    ],
)
def test_the_function_whose_result_is_missing_is_named(
    result: object, serial: object, line: str, lab_with: Write
) -> None:
    assert blamed(lab_with("def work(n):\n    return n\n"), result, serial) == (line, "Is a `return` missing?")


def test_a_case_that_only_names_its_task_and_did_not_wait_is_told_to_wait(lab_with: Write) -> None:
    tail = TAIL.replace("return serial(task)", "print(work.__name__)\n    pool_map(task)")
    error = no_task(lab_with("def work(n):\n    return n\n", tail).lab.cases[0], began=True)
    assert "ended before a task" in error.said
    assert [line.text for line in error.lines] == ["pool_map(task)"]


def test_a_case_that_is_no_plain_function_can_be_told_of(lab_with: Write) -> None:
    tail = TAIL.replace("@lab.case(workers=2)\n", "@lab.case(workers=2)\n@lru_cache\n")
    error = no_task(lab_with("def work(n):\n    return n\n", tail).lab.cases[0], began=False)
    assert "never called its parameter `task`" in error.said


TRACEBACK = """Traceback (most recent call last):
  File "/lab/mine.py", line 3, in case
    1 / 0
ZeroDivisionError: division by zero
"""
FATAL = """Fatal Python error: Aborted

Current thread 0x1 (most recent call first):
  File "/lab/mine.py", line 3 in case
"""
AT_LINE_3 = [("/lab/mine.py", 3)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TRACEBACK, AT_LINE_3),
        (f"hello\n{TRACEBACK}\n", AT_LINE_3),
        (FATAL, AT_LINE_3),
        (f"{TRACEBACK}and on it goes\n", []),
        ("no traceback", []),
        ("", []),
    ],
)
def test_the_traceback_of_an_error_that_a_program_has_survived_explains_no_end(
    text: str, found: list[tuple[str, int]]
) -> None:
    lines: list[Frame] = last_in(text)
    assert [(line.file, line.line) for line in lines] == found
