"""Runs one case of a lab, on the rank that holds the pool, and reports plan, spans and correctness."""

import inspect
import os
import threading
import time
import traceback
from contextlib import redirect_stdout
from typing import Any

from parlab.lab import Lab
from parlab.node.control import Control, control
from parlab.pace import PERIOD
from parlab.spans import Task, take_recorded


class Gate:
    """Holds the first submission back until the limits are on; opens once, for whichever thread comes first."""

    def __init__(self, line: Control) -> None:
        self._line, self._lock, self.open = line, threading.Lock(), False

    def __call__(self) -> None:
        """Say that all is booted, have this node's limit read, wait for the start."""
        with self._lock:
            if self.open:
                return
            self._line.send("ready")
            self._line.answer_check()
            self._line.await_word("start")
            time.sleep(PERIOD)  # what booting used of the first capped period is then no longer owed
            self.open = True


def run_case(lab: Lab) -> None:
    """Run the case that PARLAB_CASE numbers. What it raises is reported and ends the launch."""
    line = control()
    gate = Gate(line)
    case = lab.cases[int(os.environ["PARLAB_CASE"])]
    try:
        with redirect_stdout(None):  # what tasks print is wanted once, from the case
            tasks, serial = lab.reference()
        if not any(task.burned or task.waited for task in tasks):
            raise ValueError("the serial solution burns and waits no units, so there is no ideal to compare with")
        line.send("plan", tasks=tasks)
        plain = inspect.signature(case.function).parameters["task"].default
        result = case.function(Task(plain, gate), **case.settings)
        if not gate.open:
            raise RuntimeError(f"{case.name} ran no task: it must hand its parameter `task` to the workers")
        spans = [span.to_json() for span in take_recorded()]  # before `same`: the clock has stopped
        if not spans:
            raise RuntimeError(f"no task of {case.name} came back")
        wrong = None if lab.same(result, serial) else difference(result, serial)
    except BaseException as error:
        line.send("failed", error=traceback.format_exception_only(error)[-1].strip(), trace=traceback.format_exc())
        raise
    line.send("done", spans=spans, wrong=wrong)
    line.answer_check()
    line.await_word("end")


def difference(result: Any, serial: Any) -> str:
    """Where a wrong result first differs from the serial one, in words."""
    if not (isinstance(result, list | tuple) and isinstance(serial, list | tuple)):
        return f"got {result!r:.60}, the serial solution gives {serial!r:.60}"
    if len(result) != len(serial):
        return f"got {len(result)} results, the serial solution gives {len(serial)}"
    for index, (ours, theirs) in enumerate(zip(result, serial, strict=True)):
        if ours != theirs:
            return f"result {index} is {ours!r:.60}, the serial solution's is {theirs!r:.60}"
    return "each result equals the serial one, but the lab's `same` says no"
