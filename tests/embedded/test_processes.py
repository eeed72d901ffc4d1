"""Cases that start processes of their own: their spans, their end, and what goes wrong with them."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parlab.node.processes import processes
from parlab.results.record import MeasuredCase, Run
from parlab.run.request import Request
from parlab.terminal.live import Silence
from tests.conftest import PATIENCE, within
from tests.running import run_file

WriteLab = Callable[[str], Path]

LAB = """
import sys, time
from multiprocessing import get_context
from parlab.lab import Lab, burn, metric, wait
lab = Lab(unit=0.1, cores=2, speed=1/8)
def work(number):
    {work}
    return number
def put(task, number, results):
    time.sleep(0.1)
    results.put(task(number))
@lab.serial
def serial(task=work, *, workers=4):
    return [task(number) for number in range(workers)]
@lab.case({settings})
def case(task=work, *, workers=4{parameters}):
    {body}
if __name__ == "__main__":
    lab.main()
"""
PROCESSES = """context = get_context(start)
    results = context.SimpleQueue()
    children = [context.Process(target=put, args=(task, number, results)) for number in range(workers)]
    for child in children:
        child.start()
    found = sorted(results.get() for _ in children)
    for child in children:
        child.join()
    return found"""
POOL = "with get_context('fork').Pool(workers) as pool: return pool.map(task, range(workers), 1)"


def lab_of(body: str, *, settings: str = "workers=4", parameters: str = "", work: str = "burn(1)") -> str:
    return LAB.format(body=body, settings=settings, parameters=parameters, work=work)


def run_embedded(path: Path) -> Run:
    return run_file(path, Request(backend="embedded"), Silence())


def only_case(path: Path) -> MeasuredCase:
    run = run_embedded(path)
    assert run.failure is None, run.failure
    (case,) = run.cases
    assert case.complaint is None
    return case


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_each_process_leaves_one_span_however_it_is_started(start: str, lab_file: WriteLab) -> None:
    path = lab_file(lab_of(PROCESSES, settings=f"workers=4, start={start!r}", parameters=", start"))
    case = only_case(path)
    assert len(case.median_repeat.spans) == len({span.pid for span in case.median_repeat.spans}) == 4
    assert case.surprises() == []
    assert {span.node for span in case.median_repeat.spans} == {"simulated-1"}
    for span in case.median_repeat.spans:
        assert span.submitted <= span.started <= span.finished <= span.received


def test_what_a_forked_process_runs_was_submitted_at_the_fork(lab_file: WriteLab) -> None:
    path = lab_file(lab_of(PROCESSES, settings="workers=4, start='fork'", parameters=", start"))
    spans = sorted(only_case(path).median_repeat.spans, key=lambda span: span.submitted)
    assert all(span.started - span.submitted >= 0.1 for span in spans)  # `put` sleeps before it calls the task


def test_threads_share_one_virtual_core_and_are_predicted_to(lab_file: WriteLab) -> None:
    body = "\n    ".join(
        (
            "from concurrent.futures import ThreadPoolExecutor",
            "with ThreadPoolExecutor(workers) as pool: return list(pool.map(task, range(workers)))",
        )
    )
    case = only_case(lab_file(lab_of(body, settings="workers=4, threads=True")))
    assert case.workforce.cores == 1
    assert case.ideal_s == pytest.approx(0.4)
    assert len({span.thread for span in case.median_repeat.spans}) == 4
    assert case.units > 3


def test_work_that_asks_for_no_units_has_no_ideal_and_is_measured_all_the_same(lab_file: WriteLab) -> None:
    case = only_case(lab_file(lab_of(POOL, work="sum(range(10_000))")))
    assert (case.ideal_s, case.serial_s) == (None, None)
    assert case.measured_s > 0
    assert case.ideal() == []
    assert case.surprises() == []


@pytest.mark.measures
def test_tasks_are_recorded_in_the_order_of_their_submission_not_of_their_end(lab_file: WriteLab) -> None:
    (case,) = run_embedded(lab_file(lab_of(POOL, work="wait(4 - number)"))).cases
    spans = case.median_repeat.spans
    assert [round((span.finished - span.started) / 0.1) for span in spans] == [4, 3, 2, 1]
    assert [span.received for span in spans] == sorted((span.received for span in spans), reverse=True)


def test_figures_are_recorded(lab_file: WriteLab) -> None:
    case = only_case(lab_file(lab_of(f"metric('cores', 3)\n    {POOL}")))
    assert case.metrics == {"cores": 3.0}


def test_what_the_serial_solution_prints_and_takes_is_not_the_cases(lab_file: WriteLab) -> None:
    prints = "sys.stdout.write('once\\n'); sys.stdout.flush(); metric('asked', number)"
    assert only_case(lab_file(lab_of(POOL, work=f"burn(1); {prints}"))).metrics == {}  # the workers have figures


def test_threads_that_a_library_starts_are_no_noise(lab_file: WriteLab) -> None:
    """NumPy's threads burn beside the thread that runs the task: on a machine that they fill that is still ours."""
    work = "import numpy as np; a = np.ones((700, 700)); [a @ a for _ in range(40)]"
    body = "return [task(number) for number in range(workers)]"
    repeat = only_case(lab_file(lab_of(body, settings="workers=4", work=work))).median_repeat
    readings = [use.host.ours_s for node in repeat.nodes.values() for use in node.readings if use.host]
    before, after = readings[0] or 0.0, readings[-1] or 0.0
    assert after - before >= 0.9 * sum(span.process_cpu_s for span in repeat.spans) > 0


def test_mpi_ranks_all_run_the_case_and_rank_0s_result_counts(lab_file: WriteLab) -> None:
    body = "\n    ".join(("from mpi4py import MPI", "return MPI.COMM_WORLD.gather(task(MPI.COMM_WORLD.rank))"))
    case = only_case(lab_file(lab_of(body, settings="launch='mpi', workers=4")))
    assert sorted(span.rank for span in case.median_repeat.spans) == [0, 1, 2, 3]
    assert case.by_node == {"simulated-1": 4}


def test_the_launch_tells_a_task_its_cores_as_slurm_does(lab_file: WriteLab) -> None:
    body = f"import os\n    metric('cores', int(os.environ['SLURM_CPUS_PER_TASK']))\n    {POOL}"
    assert only_case(lab_file(lab_of(body))).metrics == {"cores": 2.0}


def test_an_interrupted_pool_leaves_no_worker_behind(lab_file: WriteLab) -> None:
    def ours() -> list[bytes]:
        return [launch for _, launch in processes() if launch is not None and b"-sample-" in launch]

    path = lab_file(lab_of(POOL, work="wait(200)"))
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        within(30, lambda: len(ours()) >= 6)  # mpiexec, the case's process and the four workers
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE * 30) == 130
    within(10, lambda: ours() == [])


def test_a_worker_that_dies_ends_the_run_in_words(lab_file: WriteLab) -> None:
    body = "\n    ".join(
        (
            "from concurrent.futures import ProcessPoolExecutor",
            "with ProcessPoolExecutor(workers, mp_context=get_context('fork')) as pool:",
            "    return list(pool.map(task, range(workers)))",
        )
    )
    dies = "import multiprocessing, os; multiprocessing.parent_process() and os._exit(7)"
    run = run_embedded(lab_file(lab_of(body, work=dies)))
    assert run.failure is not None
    assert "the case raised concurrent.futures.process.BrokenProcessPool" in run.failure.text


class Heard(Silence):
    """Keeps the lines that a user would be told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_what_workers_say_on_standard_error_is_shown_and_their_end_is_not(lab_file: WriteLab) -> None:
    work = "sys.stderr.write(f'careful {number}\\n')"  # at once: what is printed comes in pieces, between others'
    at_exit = "import atexit; atexit.register(print, 'gone', file=sys.stderr)"
    path, heard = lab_file(lab_of(f"{at_exit}\n    {POOL}", work=work)), Heard()
    run_file(path, Request(backend="embedded"), heard)
    told = [line for line in heard.lines if line.startswith("careful")]
    assert sorted(told) == [f"careful {number}" for number in range(4)]  # and not by the serial solution, too
    assert "gone" not in heard.lines
