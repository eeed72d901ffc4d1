"""Runs one case of a lab, on the rank that holds the pool, and reports plan, spans and correctness."""

import inspect
import os
import traceback
from typing import Any

from parlab.lab import Lab
from parlab.node.control import control
from parlab.spans import Task, take_recorded


def run_case(lab: Lab) -> None:
    """Run the case that PARLAB_CASE numbers. What it raises is reported and ends the launch."""
    line = control()
    case = lab.cases[int(os.environ["PARLAB_CASE"])]
    try:
        tasks, serial = lab.reference()
        line.send("plan", tasks=tasks)
        plain = inspect.signature(case.function).parameters["task"].default
        result = case.function(Task(plain), **case.settings)
    except BaseException as error:
        line.send("failed", error=traceback.format_exception_only(error)[-1].strip(), trace=traceback.format_exc())
        raise
    spans = [span.to_json() for span in take_recorded()]  # before `same`: the clock has stopped
    line.send("done", spans=spans, wrong=None if lab.same(result, serial) else difference(result, serial))


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
