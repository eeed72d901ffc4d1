"""Programs that end in the middle, under mpi4py.futures: their own last words are told and recorded, with the rank."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from parlab.results.store import to_json
from parlab.run.request import Request
from parlab.terminal.live import Silence
from tests.running import run_file

LAB = """
import os
from mpi4py.futures import MPIPoolExecutor
from parlab.lab import Lab
lab = Lab(unit=0.01, cores=2)
def work(number):
    if os.environ.get("OMPI_COMM_WORLD_RANK", "0") != "0":
        {task}
    return number
@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(4)]
@lab.case(launch="mpi4py.futures")
def pool(task=work):
    {case}
    with MPIPoolExecutor() as ranks:
        return list(ranks.map(task, range(4)))
if __name__ == "__main__":
    lab.main()
"""


@pytest.mark.parametrize(
    ("case", "task", "words"),
    [
        (
            "import nowhere",
            "pass",
            ["ModuleNotFoundError: No module named 'nowhere'", "rank 0", "sample.py:15 (import nowhere)"],
        ),
        ("raise SystemExit('no data today')", "pass", ["SystemExit: no data today", "rank 0"]),
        ("os._exit(3)", "pass", ["rank 0", "ended with exit code 3"]),
        ("os.kill(os.getpid(), 11)", "pass", ["rank 0", "by signal 11, segmentation fault", "sample.py:15 (os.kill"]),
        ("pass", "import nowhere", ["ModuleNotFoundError: No module named 'nowhere'"]),
        ("pass", "os._exit(3)", ["on simulated-1 ended with exit code 3"]),
        (
            "pass",
            "os.kill(os.getpid(), 11)",
            ["on simulated-1 ended by signal 11, segmentation fault", "sample.py:8 (os.kill"],
        ),
    ],
)
def test_a_programs_own_last_words_are_told_with_its_rank(
    lab_file: Callable[[str], Path], case: str, task: str, words: list[str]
) -> None:
    run = run_file(lab_file(LAB.format(case=case, task=task)), Request(backend="embedded"), Silence())
    assert run.failure is not None
    assert run.failure.exit_code == 4
    told = run.failure.text
    assert [word for word in words if word not in told] == []
    assert "MPI_ABORT was invoked" not in told
    assert "prterun" not in told
    assert json.loads(json.dumps(to_json(run)))["failure"]["text"] == told
