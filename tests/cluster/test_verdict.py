"""The verdict on the real cluster: it says yes where all is well, and no for each thing that can be wrong."""

import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from parlab.analysis.breakdown import breakdown
from parlab.backend.cluster import Cluster
from parlab.judge.verdict import exit_code
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.model.workers import by_worker
from parlab.results.record import Answer, Run
from parlab.results.store import read_json
from parlab.run.request import Request
from parlab.terminal.live import Silence
from tests.cluster.conftest import NAME
from tests.conftest import ROOT, Invoke
from tests.measuring import NotMeasured, measured
from tests.running import run_file

WriteLab = Callable[[str], Path]
YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT

LAB = """
import time
from mpi4py.futures import MPIPoolExecutor
from parlab.lab import Lab, approx, burn
lab = Lab(unit=0.5, nodes=2, cores=2, speed=1/8)
def task(number):
    burn(1)
    return number
@lab.serial
def serial(task=task):
    return [task(number) for number in range(16)]
@lab.case(launch="mpi4py.futures")
def case(task=task):
    with MPIPoolExecutor() as pool:
        return list(pool.map(task, range(16)))
@lab.expect
def four_rounds(cases):
    assert cases["case"].units == approx(4, rel=0.05)
if __name__ == "__main__":
    lab.main()
"""
SLOW_DISPATCH = """
    results = []
    with MPIPoolExecutor() as pool:
        for start in range(0, 16, 4):
            results += pool.map(task, range(start, start + 4))
            time.sleep(0.3)
    return results
@lab.expect"""


def judged(path: Path, observer: Silence | None = None) -> Run:
    run = run_file(path, Request(cluster=NAME, backend="cluster"), observer or Silence())
    assert run.failure is None
    return run


@contextmanager
def every_core_busy() -> Iterator[None]:
    spin = "while True: pass"
    spinners = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


@pytest.mark.judged
def test_a_run_on_a_quiet_host_is_judged_and_recorded(four: Cluster, invoke: Invoke, tmp_path: Path) -> None:
    record, report = tmp_path / "r.json", tmp_path / "r.xml"
    options = ["--nodes", "2", "--unit", "0.2", "--repeat", "3", "--json", str(record), "--junit", str(report)]
    done = invoke("lab.mpi", "--cluster", NAME, *options)
    assert done.returncode == 0, done.stderr
    run = read_json(record)
    (case,) = run.cases
    assert len(case.repeats) == 3
    assert run.verdict.correct.answer is YES
    assert report.read_text().count("<testcase") == 3 + len(run.verdict.claims)  # a case, held, quiet
    assert case.breakdown().total == pytest.approx(case.median_repeat.measured_s)
    assert {"image", "openmpi", "mpi4py", "numpy", "pathos", "python", "kernel", "cpu", "cpus", "cgroup", "git"} <= set(
        run.environment
    )
    measured(run.verdict)
    assert run.verdict.held.answer is YES
    for repeat in case.repeats:
        assert set(repeat.nodes) == {"head", "node-1", "node-2"}
        for use in repeat.nodes.values():
            steps = [later.at - earlier.at for earlier, later in zip(use.readings, use.readings[1:], strict=False)]
            assert sum(steps) / len(steps) <= 0.5  # at least twice a second
            assert use.readings[-1].reading_s > use.readings[0].reading_s


def test_a_busy_host_is_named_and_no_claim_is_failed(four: Cluster, lab_file: WriteLab) -> None:
    with every_core_busy():
        run = judged(lab_file(LAB.replace("rel=0.05", "rel=0")))
    assert run.verdict.quiet.answer is NO
    assert "something else used" in run.verdict.quiet.evidence
    assert run.verdict.reproduced.answer is CANNOT
    assert (exit_code(run, check=True), exit_code(run, check=False)) == (3, 0)


@pytest.mark.parametrize("busy", [False, True])
def test_a_wrong_result_is_wrong_in_any_noise(four: Cluster, lab_file: WriteLab, busy: bool) -> None:
    path = lab_file(
        LAB.replace(
            "        return list(pool.map(task, range(16)))", "        return list(pool.map(task, range(15))) + [0]"
        )
    )
    if busy:
        with every_core_busy():
            run = judged(path)
    else:
        run = judged(path)
    assert run.verdict.correct.answer is NO
    assert "result 15 is 0, the serial solution's is 15" in run.verdict.correct.evidence
    assert exit_code(run, check=True) == exit_code(run, check=False) == 1


class LiftedBefore(Cluster):
    """Something else sets another limit on node-2, right after ours."""

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        super().set_limits(spec, cpus)
        if cpus is not None:
            self.client.api.update_container(self.containers_for(spec)[2].id, cpu_period=100_000, cpu_quota=-1)


class Ignorant(Cluster):
    """An engine that says it limits, and does not."""

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        super().set_limits(spec, None)

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        return {node.name: float(node.limit or 0) for node in self.nodes(spec)}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (LiftedBefore, r"case: node-2: the engine says no limit, asked for was 0\.25 CPU"),
        (Ignorant, r"case: \S+: its cgroup says no limit, asked for was 0\.2?5 CPU"),
    ],
)
def test_a_limit_that_is_not_in_force_is_named(
    four: Cluster, lab_file: WriteLab, monkeypatch: pytest.MonkeyPatch, kind: type[Cluster], words: str
) -> None:
    monkeypatch.setattr("parlab.backend.cluster.Cluster", kind)
    run = judged(lab_file(LAB))
    assert run.verdict.held.answer is NO
    assert re.search(words, run.verdict.held.evidence)
    assert run.verdict.reproduced.answer is CANNOT
    assert exit_code(run, check=True) == 3


class Lifter(Silence):
    """Lifts a limit once tasks have come back, and puts it on again long before the end."""

    def __init__(self, cluster: Cluster) -> None:
        self.node, self.api, self.done = cluster.containers()[1].id, cluster.client.api, False

    def spans(self, spans: Sequence[Span]) -> None:
        if not self.done:
            self.done = True
            threading.Thread(target=self.lift).start()

    def lift(self) -> None:
        self.api.update_container(self.node, cpu_period=100_000, cpu_quota=-1)
        time.sleep(0.6)
        self.api.update_container(self.node, cpu_period=100_000, cpu_quota=25_000)


def test_a_limit_that_was_lifted_in_mid_run_is_noticed(four: Cluster, lab_file: WriteLab) -> None:
    run = judged(lab_file(LAB), Lifter(four))
    assert run.verdict.held.answer is NO
    assert "node-1: its cgroup says no limit" in run.verdict.held.evidence


@pytest.mark.judged
def test_a_slow_dispatcher_is_no_noise_but_a_failed_claim(four: Cluster, lab_file: WriteLab) -> None:
    start = LAB.index("    with MPIPoolExecutor")
    run = judged(lab_file(LAB[:start] + SLOW_DISPATCH + LAB[LAB.index("@lab.expect") + len("@lab.expect") :]))
    assert run.verdict.correct.answer is YES
    measured(run.verdict)
    assert run.verdict.quiet.answer is YES
    assert run.verdict.held.answer is YES
    assert run.verdict.reproduced.answer is NO
    assert exit_code(run, check=True) == 1
    spent = run.cases[0].breakdown()
    assert spent.idle_queued > 0.5 * (spent.total - spent.computing)


@pytest.mark.measures
def test_an_orphan_that_burns_in_a_node_is_named(four: Cluster, lab_file: WriteLab) -> None:
    node = four.containers()[2].id
    subprocess.run(["docker", "exec", "--detach", node, "bash", "-c", "while :; do :; done"], check=True, timeout=60)
    try:
        run = judged(lab_file(LAB))
    finally:
        subprocess.run(["docker", "exec", node, "pkill", "-KILL", "-f", "while :"], check=False, timeout=60)
    assert run.verdict.quiet.answer is NO
    assert re.search(r"bash \(process \d+\) used \S+ of node-2's \S+ CPU seconds", run.verdict.quiet.evidence)
    assert exit_code(run, check=True) == 3
    if found := re.search(r"something else used [^;]*|hypervisor gave [^;]*", run.verdict.quiet.evidence):
        raise NotMeasured(f"beside the orphan, {found[0]}")
    spans = run.cases[0].repeats[0].spans
    contended: dict[bool, list[float]] = {True: [], False: []}
    for (where, *_), own in by_worker(spans).items():
        contended[where == "node-2"].append(breakdown(own, spans, 1 / 8).shares()["contended"])
    # The kernel may leave the orphan on the core of one of the two workers: both feel it, but not alike.
    assert min(contended[True]) > max(contended[False]), contended
    assert statistics.mean(contended[True]) > max(0.1, 3 * max(contended[False])), contended


def test_a_lab_of_another_folder_runs_on_the_cluster(four: Cluster, lab_file: WriteLab) -> None:
    path = lab_file(LAB.replace("0.5", "0.05"))
    code = f"""
from pathlib import Path
from parlab.commands.labs import exiting, run_and_show
from parlab.run.request import Output, Request
with exiting():
    run_and_show(Path({str(path)!r}), Request(cluster={NAME!r}, backend="cluster"), Output(quiet=True))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
