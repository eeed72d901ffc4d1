"""The serial solution of every lab, which all cases are compared with, against the same sum done in another way."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from parlab.course.catalog import lab_files
from tests.conftest import ROOT

# Imports a lab as a node does and prints, of each case, its settings and what the serial solution gives for it.
SERIAL = """
import json, runpy, sys
from parlab.node.reference import reference
lab = runpy.run_path(sys.argv[1])["lab"]
for case in lab.cases:
    workers = case.case.workers(lab.nodes[0] * lab.cores)
    tasks, results = reference(lab, {"workers": workers} | case.settings)
    print(json.dumps([case.settings, len(tasks), results], default=lambda array: array.tolist()))
"""
POOL = {
    "waiting": [6, 10, 20, 30, 34, 40],
    "computing": [6, 10, 20, 30, 34, 40],
    "five of 1 s": [20] * 5,
    "twelve of 0.5 s": [10] * 12,
    "rows": [2 * number for number in range(100)],
}
Settings = Mapping[str, Any]


def squares(count: int) -> Callable[[Settings], list[int]]:
    return lambda _: [number**2 for number in range(count)]


def heated(_: Settings) -> list[list[float]]:
    """Forty steps on a plate of 64 rows, cell by cell, in lists."""
    plate = [[100.0] * 256, *([0.0] * 256 for _ in range(65))]
    for _step in range(40):
        before = [row[:] for row in plate]
        for number in range(1, 65):
            above, own, below = before[number - 1 : number + 2]
            plate[number][1:-1] = [(above[c] + below[c] + own[c - 1] + own[c + 1]) / 4 for c in range(1, 255)]
    return plate


def summed(settings: Settings) -> float:
    import numpy as np

    return math.fsum(np.asarray(np.random.default_rng(1).uniform(-24.5, 72.4, settings["size"])))


def traces(_: Settings) -> list[float]:
    import numpy as np

    matrices = (np.random.default_rng(seed).random((400, 400)) for seed in range(8))
    return [float(np.multiply(matrix, matrix.T).sum()) for matrix in matrices]  # the trace of a matrix times itself


EXPECTED: dict[str, Callable[[Settings], Any]] = {
    "process": lambda settings: [units**2 for units in settings["lengths"]],
    "threads": lambda _: 1 + 4 + 9 + 16,
    "pool": lambda settings: POOL[settings["jobs"]],
    "maps": lambda settings: [[number, number**2] for number in range(settings["tasks"])],
    "futures": lambda settings: [number**2 for number in range(settings["tasks"])],
    "amap": squares(100),
    "dropin": squares(16),
    "lock": lambda _: 100,
    "ipc": lambda settings: [settings["size"] * (settings["size"] - 1) / 2] * 40,
    "reduce": summed,
    "blas": traces,
    "cores": squares(8),
    "nested": lambda _: [[model * number for number in range(4)] for model in range(4)],
    "mpi": lambda settings: [number**2 for number in range(settings.get("many", 32))],
    "comm": lambda _: 125_000 * 124_999 // 2,
    "halo": heated,
    "reach": squares(16),
}


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("lab", lab_files())
def test_the_serial_solution_of_a_lab_is_right(lab: str, tmp_path: Path) -> None:
    assert lab in EXPECTED, f"add {lab} to EXPECTED: what its serial solution gives, worked out in another way"
    command = [sys.executable, "-c", SERIAL, str(lab_files()[lab])]
    env = os.environ | {"OMPI_MCA_btl_sm_backing_directory": str(tmp_path)}  # Open MPI leaves a file there
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=120)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    for settings, tasks, results in lines:
        found = [square for square, _ in results] if lab == "futures" else results  # CPU seconds lie beside them
        assert tasks > 0
        assert same(found, EXPECTED[lab](settings)), settings
