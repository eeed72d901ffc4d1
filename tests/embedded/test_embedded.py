"""Labs on this machine, without an engine: the same files, the same command."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from parlab.model.span import Span
from parlab.results.record import Answer, Failure, MeasuredCase, Run
from parlab.results.store import find, read_json
from parlab.run import launch
from parlab.run.request import Request
from parlab.terminal.live import Silence
from tests.conftest import PATIENCE, ROOT, Invoke, start_invoke, within
from tests.running import run_file

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


class Listener(Silence):
    """Keeps the lines that a run says, and counts the spans that it hears of."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.heard = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def spans(self, spans: Sequence[Span]) -> None:
        self.heard += len(spans)


def run_embedded(path: Path) -> tuple[Run, Listener]:
    listener = Listener()
    run = run_file(path, Request(backend="embedded"), listener)
    assert run.backend == "embedded"
    return run, listener


def embedded(path: Path) -> tuple[MeasuredCase, list[str]]:
    run, listener = run_embedded(path)
    assert run.failure is None
    (case,) = run.cases
    assert listener.heard == len(case.repeats[0].spans)
    return case, listener.said


def failure(path: Path) -> str:
    """What a run that broke off says of it."""
    run, _ = run_embedded(path)
    assert run.failure is not None
    assert run.failure.exit_code == 4
    assert run.cases == ()
    return run.failure.text


@pytest.mark.measures
def test_more_simulated_nodes_take_less_time(tmp_path: Path, invoke: Invoke) -> None:
    record = tmp_path / "r.json"
    done = invoke("lab.mpi", "--backend", "embedded", "--unit", "0.05", "--json", str(record))
    assert done.returncode == 0, done.stderr
    assert "nodes are simulated" in done.stdout
    cases = [case for case in json.loads(record.read_text())["cases"] if case["name"].startswith("pool_of_ranks(")]
    assert [case["workforce"]["workers"] for case in cases] == [2, 4, 8]
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
    assert case.complaint is None
    assert '{"event": "done"}' in said


def test_a_lab_whose_tasks_ask_for_nothing_has_no_ideal(lab_file: WriteLab) -> None:
    case, _ = embedded(lab_file(LAB.format(body=POOL).replace("burn(1)", "pass")))
    assert case.ideal_s is None


def test_every_line_that_tasks_print_is_shown_once(lab_file: WriteLab) -> None:
    _, said = embedded(lab_file(LAB.format(body=POOL).replace("burn(1)", "burn(1); print('task', number, flush=True)")))
    assert sorted(line for line in said if line.startswith("task")) == [f"task {number}" for number in range(4)]


def test_a_comparison_that_fails_is_told_as_the_labs(lab_file: WriteLab) -> None:
    code = LAB.format(body=POOL).replace("cores=1,", "cores=1, same=lambda ours, serial: 1 / 0,")
    assert "raised ZeroDivisionError" in failure(lab_file(code))


def test_a_wrong_result_is_told(lab_file: WriteLab) -> None:
    case, _ = embedded(lab_file(LAB.format(body=POOL.replace("range(4)))", "[0, 1, 7, 3]))"))))
    assert case.complaint == "result 2 is 7, the serial solution's is 2"


def test_a_case_that_raises_ends_the_run_with_its_traceback(lab_file: WriteLab) -> None:
    text = failure(lab_file(LAB.format(body="return 1 / 0")))
    assert "raised ZeroDivisionError: division by zero" in text
    assert "sample.py" in text


def test_a_rank_that_dies_ends_the_run_with_mpiexecs_last_lines(lab_file: WriteLab) -> None:
    text = failure(lab_file(LAB.format(body="os._exit(3)")))
    assert "up to its first task: 0 of 1 done when mpiexec ended with exit code 3" in text


def test_a_lab_that_does_not_run_itself_in_a_launch_is_told_so(lab_file: WriteLab) -> None:
    unless = 'os.environ.get("PARLAB_CASE") or lab.main()'
    text = failure(lab_file(LAB.format(body=POOL).replace("lab.main()", unless)))
    assert "does the lab end with a main guard and `lab.main()`?" in text


def test_a_case_that_hangs_ends_at_its_deadline(lab_file: WriteLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "RUN_SECONDS", 1.0)
    text = failure(lab_file(LAB.format(body=POOL.replace("return list", "list") + "; time.sleep(1000)")))
    assert "running the case: 0 of 1 done after" in text
    assert ranks() == []


DECLARED = LAB.replace('@lab.case(launch="mpi4py.futures")', '@lab.case(launch="mpi4py.futures", outcome={outcome})')


@pytest.mark.parametrize(
    ("outcome", "body", "found"),
    [
        ("'wrong'", POOL.replace("range(4)))", "[0, 1, 7, 3]))"), "wrong"),
        ("ZeroDivisionError", POOL.replace("return list", "list") + "; 1 / 0", "ZeroDivisionError"),
        ("AttributeError", "task.nothing", "AttributeError"),
    ],
)
def test_a_declared_outcome_is_correct(lab_file: WriteLab, outcome: str, body: str, found: str) -> None:
    run, _ = run_embedded(lab_file(DECLARED.format(outcome=outcome, body=body)))
    (case,) = run.cases
    assert (case.median_repeat.outcome, case.complaint) == (found, None)
    assert run.verdict.correct.answer is Answer.YES


def test_an_error_that_is_declared_and_does_not_come_is_not_correct(lab_file: WriteLab) -> None:
    run, _ = run_embedded(lab_file(DECLARED.format(outcome="ValueError", body=POOL)))
    (case,) = run.cases
    assert case.complaint == "declared to raise ValueError, but each result equals the serial one"
    assert run.verdict.correct.answer is Answer.NO


def test_what_is_declared_wrong_and_comes_out_right_is_not_correct(lab_file: WriteLab) -> None:
    case, _ = embedded(lab_file(DECLARED.format(outcome="'wrong'", body=POOL)))
    assert case.complaint == "declared to be wrong, but each result equals the serial one"


def test_a_run_that_breaks_off_keeps_what_was_measured(lab_file: WriteLab) -> None:
    second = "\n@lab.case(launch='mpi4py.futures')\ndef broken(task=task):\n    return 1 / 0\n"
    run, _ = run_embedded(lab_file(LAB.format(body=POOL).replace("if __name__", f"{second}if __name__")))
    assert run.failure is not None
    assert [case.name for case in run.cases] == ["case"]


@pytest.mark.parametrize(("asked", "launches"), [(1, 2), (3, 3)])
def test_a_case_is_launched_as_often_as_it_asks_for_or_more_often_if_the_user_asks(
    lab_file: WriteLab, asked: int, launches: int
) -> None:
    path = lab_file(LAB.format(body=POOL).replace('"mpi4py.futures")', '"mpi4py.futures", repeat=2)'))
    run = run_file(path, Request(backend="embedded", repeat=asked), Silence())
    assert [len(case.repeats) for case in run.cases] == [launches]


def test_every_run_is_kept_and_can_be_read(invoke: Invoke, tmp_path: Path) -> None:
    short = ("lab.mpi", "--backend", "embedded", "--nodes", "1", "--unit", "0.01")
    for _ in range(2):
        assert invoke(*short, PARLAB_RESULTS=str(tmp_path)).returncode == 0
    run = read_json(find("1", tmp_path))
    assert (run.lab, run.backend, len(run.cases[0].repeats[0].spans)) == ("mpi", "embedded", 32)
    assert run.environment.keys() >= {"python", "openmpi", "mpi4py", "numpy", "pathos", "cpus", "git", "seed"}
    listed = invoke("results", PARLAB_RESULTS=str(tmp_path)).stdout.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["1", "mpi"], ["2", "mpi"]]
    compared = invoke("compare", "1", "2", PARLAB_RESULTS=str(tmp_path), COLUMNS="200")
    assert compared.returncode == 0, compared.stderr
    assert "pool_of_ranks(nodes=1)" in compared.stdout


def test_an_interrupted_run_is_kept_as_such(tmp_path: Path) -> None:
    process = start_invoke("lab.mpi", "--backend", "embedded", "--unit", "5", PARLAB_RESULTS=str(tmp_path))
    within(20, lambda: len(ranks()) == 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20 * PATIENCE)
    run = read_json(find("1", tmp_path))
    assert run.failure == Failure("interrupted by SIGINT", 130)


def test_a_reader_that_goes_away_loses_nothing(tmp_path: Path) -> None:
    lab = "lab.mpi --backend embedded --nodes 1,2 --unit 0.02"
    command = f"{shlex.quote(sys.executable)} -m invoke {lab} | head -6"  # it closes in mid-run
    env = {**os.environ, "PARLAB_RESULTS": str(tmp_path)}
    script = ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(script, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")
    run = read_json(find("1", tmp_path))
    assert run.failure == Failure("the reader of the output has gone", 141)


def test_quiet_says_nothing_while_it_runs(invoke: Invoke) -> None:
    done = invoke("lab.mpi", "--backend", "embedded", "--nodes", "1", "--unit", "0.01", "--repeat", "2", "--quiet")
    assert done.returncode == 0
    assert re.search("^case +ideal +median ", done.stdout, re.MULTILINE)
    assert not any(words in done.stdout for words in ("a node: ", "32 tasks on", "\nwhere the time went"))
    assert all(f"\n{question} " in done.stdout for question in ("correct", "held", "quiet", "reproduced"))


def test_on_a_terminal_a_board_is_drawn_while_it_runs_and_gone_at_the_end() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "invoke", "lab.mpi", "--backend", "embedded", "--nodes", "1", "--unit", "0.1"]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        with suppress(OSError):  # that is how the end of a terminal reads
            while piece := os.read(ours, 4096):
                text += piece
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"[1-9]\d? of 32 tasks", text)
    assert b"s of ideally 1.6 s" in text
    erased = text.rindex(b"\x1b[2K")
    assert b"speed-up" in text[erased:]
    assert b"of 32 tasks" not in text[erased:]


DELAYS = {
    "unexplained": ("burn(1)", "burn(1); time.sleep(0.05)", "pass"),
    "waiting": ("burn(1)", "burn(1); wait(1)", "pass"),
    "transfer": ("return number", "return Slow(number)", "pass"),
    "idle_queued": ("burn(1)", "burn(1)", "time.sleep(0.05)"),
}
ONE_BY_ONE = """
    with MPIPoolExecutor() as pool:
        for number in range(4):
            results.append(pool.submit(task, number).result())
            {pause}
    return results"""
SLOW = """
def slowly(number):
    time.sleep(0.05)
    return number
class Slow:
    def __init__(self, number): self.number = number
    def __reduce__(self): return slowly, (self.number,)
"""


@pytest.mark.measures
@pytest.mark.parametrize("category", DELAYS)
def test_a_delay_is_found_where_it_was_put(lab_file: WriteLab, category: str) -> None:
    before, after, pause = DELAYS[category]
    code = LAB.format(body="results = []" + ONE_BY_ONE.format(pause=pause)).replace("nodes=2", "nodes=1")
    code = code.replace("import Lab, burn", "import Lab, burn, wait").replace(before, after, 1)
    code = code.replace("def task(", f"{SLOW}def task(", 1)
    code = code.replace("cores=1,", "cores=1, same=lambda ours, serial: len(ours) == len(serial),")
    case, _ = embedded(lab_file(code))
    account = case.breakdown()
    assert account.total == pytest.approx(case.measured_s)
    delayed = account.by_category()
    del delayed["computing"]
    found = max(delayed, key=lambda name: delayed[name])
    assert found == category
    pauses = 3 if category == "idle_queued" else 4  # the last pause is after the last receipt
    assert delayed[found] == pytest.approx(pauses * 0.05, rel=0.25)
    assert sum(delayed.values()) - delayed[found] < 0.5 * delayed[found]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_rank(number: signal.Signals) -> None:
    process = start_invoke("lab.mpi", "--backend", "embedded", "--unit", "5")
    within(20, lambda: len(ranks()) == 3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=20 * PATIENCE)
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert errors == f"error: interrupted by {number.name}\n"
    within(10, lambda: ranks() == [])


@pytest.fixture(autouse=True)
def _no_shared_memory_left() -> Iterator[None]:
    before = shared_memory()
    yield
    within(10, lambda: {name for name in shared_memory() - before if not in_use(name)} == set())


def shared_memory() -> set[str]:
    """What MPI may leave on this machine; other runs' come and go meanwhile."""
    return {path.name for path in Path("/dev/shm").glob("*") if path.name.startswith(("sm_segment", "parlab-"))}


def in_use(name: str) -> bool:
    """Whether a process has that memory, or knows its folder: it is another run's, then, since ours has ended."""
    for facts in (*Path("/proc").glob("[0-9]*/maps"), *Path("/proc").glob("[0-9]*/environ")):
        with suppress(OSError):  # it has ended meanwhile, or is another user's
            if f"/dev/shm/{name}".encode() in facts.read_bytes():
                return True
    return False


def ranks(state: str | None = None) -> list[str]:
    """The command lines of ranks of runs that keep their state there, as a test's do: others may run meanwhile."""
    ours, found = f"XDG_STATE_HOME={state or os.environ['XDG_STATE_HOME']}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[1:3] == [b"-m", b"parlab.node.rank"] and ours in (process / "environ").read_bytes().split(b"\0"):
                found.append(b" ".join(words).decode(errors="replace"))
    return found
