"""Labs on this machine, without an engine: the same files, the same command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parlab import launch
from parlab.catalog import load_lab
from parlab.errors import RunError
from parlab.options import Options
from parlab.record import MeasuredCase, Run
from parlab.run import run_lab
from parlab.spec import Spec
from tests.conftest import ROOT, Invoke, start_invoke, within

WriteLab = Callable[[str], Path]
NO_ENGINE = "unix:///nowhere/docker.sock"

LAB = """
import os, time
from mpi4py.futures import MPIPoolExecutor
from parlab.lab import Lab, burn
lab = Lab(unit=0.05, nodes=2, cores=1, speed=1/8)
def task(number):
    burn(1)
    return number
@lab.serial
def serial(task=task):
    return [task(number) for number in range(4)]
@lab.case(launch="mpi4py.futures")
def case(task=task):
    {body}
if __name__ == "__main__":
    lab.main()
"""
POOL = "with MPIPoolExecutor() as pool: return list(pool.map(task, range(4)))"


class View:
    """Keeps the lines that a run says."""

    def __init__(self, said: list[str]) -> None:
        self.say = said.append

    def begin(self, backend: str, spec: Spec) -> None: ...

    def case(self, case: MeasuredCase) -> None: ...

    def end(self, run: Run) -> None: ...


def embedded(path: Path, **options: str) -> tuple[MeasuredCase, list[str]]:
    said: list[str] = []
    run = run_lab(load_lab(path), path, Options(backend="embedded", **options), View(said))
    assert run.backend == "embedded"
    return run.cases[0], said


def test_more_simulated_nodes_take_less_time(tmp_path: Path, invoke: Invoke) -> None:
    record = tmp_path / "r.json"
    done = invoke("lab.mpi", "--backend", "embedded", "--unit", "0.05", "--json", str(record))
    assert done.returncode == 0, done.stderr
    assert "nodes are simulated" in done.stdout
    cases = json.loads(record.read_text())["cases"]
    assert [case["workers"] for case in cases] == [2, 4, 8]
    for case in cases:
        assert sum(case["by_node"].values()) == 32
        assert list(case["by_node"]) == [f"simulated-{n}" for n in range(1, case["spec"]["nodes"] + 1)]
    assert cases[0]["measured_s"] > cases[1]["measured_s"] > cases[2]["measured_s"]


def test_without_an_engine_the_same_command_runs_embedded(invoke: Invoke) -> None:
    done = invoke("lab.mpi", "--nodes", "1", "--unit", "0.01", DOCKER_HOST=NO_ENGINE)
    assert done.returncode == 0, done.stderr
    assert "embedded: nodes are simulated" in done.stdout


def test_a_lab_runs_by_itself(lab_file: WriteLab) -> None:
    path = lab_file(LAB.format(body=POOL))
    done = subprocess.run(
        [sys.executable, path], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "speed-up" in done.stdout


def test_what_a_lab_prints_is_shown_and_disturbs_nothing(lab_file: WriteLab) -> None:
    case, said = embedded(
        lab_file(LAB.format(body='print(\'{"event": "done"}\'); ' + POOL.replace("with", "\n    with")))
    )
    assert case.wrong is None
    assert '{"event": "done"}' in said


def test_a_lab_whose_tasks_ask_for_nothing_is_told_that_it_has_no_ideal(lab_file: WriteLab) -> None:
    with pytest.raises(RunError, match=r"burns and waits no units, so there is no ideal"):
        embedded(lab_file(LAB.format(body=POOL).replace("burn(1)", "pass")))


def test_every_line_that_tasks_print_is_shown_once(lab_file: WriteLab) -> None:
    _, said = embedded(lab_file(LAB.format(body=POOL).replace("burn(1)", "burn(1); print('task', number, flush=True)")))
    assert sorted(line for line in said if line.startswith("task")) == [f"task {number}" for number in range(4)]


def test_a_comparison_that_fails_is_told_as_the_labs(lab_file: WriteLab) -> None:
    with pytest.raises(RunError, match=r"raised ZeroDivisionError"):
        embedded(lab_file(LAB.format(body=POOL).replace("cores=1,", "cores=1, same=lambda ours, serial: 1 / 0,")))


def test_a_wrong_result_is_told(lab_file: WriteLab) -> None:
    case, _ = embedded(lab_file(LAB.format(body=POOL.replace("range(4)))", "[0, 1, 7, 3]))"))))
    assert case.wrong == "result 2 is 7, the serial solution's is 2"


def test_a_case_that_raises_ends_the_run_with_its_traceback(lab_file: WriteLab) -> None:
    with pytest.raises(RunError, match=r"raised ZeroDivisionError: division by zero") as error:
        embedded(lab_file(LAB.format(body="return 1 / 0")))
    assert "sample.py" in str(error.value)


def test_a_rank_that_dies_ends_the_run_with_mpiexecs_last_lines(lab_file: WriteLab) -> None:
    with pytest.raises(RunError, match=r"up to its first task: 0 of 1 done when mpiexec ended with exit code 3"):
        embedded(lab_file(LAB.format(body="os._exit(3)")))


def test_a_case_that_hangs_ends_at_its_deadline(lab_file: WriteLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "RUN_SECONDS", 1.0)
    with pytest.raises(RunError, match=r"running the case: 0 of 1 done after"):
        embedded(lab_file(LAB.format(body=POOL.replace("return list", "list") + "; time.sleep(1000)")))
    assert ranks() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_rank(number: signal.Signals) -> None:
    process = start_invoke("lab.mpi", "--backend", "embedded", "--unit", "5")
    within(20, lambda: len(ranks()) == 3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert errors == f"error: interrupted by {number.name}\n"
    within(10, lambda: ranks() == [])


@pytest.fixture(autouse=True)
def _no_shared_memory_left() -> Iterator[None]:
    before = shared_memory()
    yield
    within(10, lambda: shared_memory() <= before)


def shared_memory() -> set[str]:
    """What MPI may leave on this machine; other runs' may go meanwhile, but none of ours may come."""
    return {path.name for path in Path("/dev/shm").glob("*") if path.name.startswith(("sm_segment", "parlab-"))}


def ranks() -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if "parlab.node.rank" in line and "mpiexec" not in line and str(ROOT) in line]
