"""Runs the serial solution, which every case is compared with; its demand is counted but not spent."""

import inspect
from collections.abc import Mapping
from typing import Any

from parlab.lab import Lab
from parlab.model.case import Demand
from parlab.task.pace import Scale, counted


def reference(lab: Lab, settings: Mapping[str, Any] | None = None) -> tuple[list[Demand], Any]:
    """Run the serial solution: (the demand of each task, the results).

    It gets the settings that it has parameters for. A task that calls `pace` computes: it is charged the CPU time that
    it took, in units of a virtual core. Raises ValueError if no serial solution is declared.
    """
    if lab.serial_solution is None:
        raise ValueError("the lab declares no serial solution: add @lab.serial")
    parameters = inspect.signature(lab.serial_solution).parameters
    task, scale = parameters["task"].default, Scale.from_environment()
    tasks: list[Demand] = []

    def counted_task(*args: Any, **kwargs: Any) -> Any:
        with counted() as tally:
            result = task(*args, **kwargs)
        burned = tally.burned + tally.paced_s / (scale.speed * scale.unit)
        tasks.append(Demand(float(burned), float(tally.waited)))  # a lab may use NumPy's numbers
        return result

    results = lab.serial_solution(counted_task, **{k: v for k, v in (settings or {}).items() if k in parameters})
    return tasks, results
