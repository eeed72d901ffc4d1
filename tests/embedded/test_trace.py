"""`run --trace`: what a program does with pools and executors is the same with it as without, and is drawn."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parlab.node import hook
from parlab.node.hook.parlab_log import FILE
from parlab.run.tasks import Tasks, join
from tests.conftest import PATIENCE, ROOT, slow
from tests.own_programs import start

HOOK = Path(hook.__file__).parent
SCENARIOS = ("maps", "errors", "lazy", "callbacks", "lives", "depths", "threads", "executors", "nested", "lost")
METHODS = ("fork", slow("spawn"), slow("forkserver"))
ADDRESS = re.compile(r"0x[0-9a-f]+")
POOLS = ROOT / "tests" / "programs" / "pools.py"


def hooked(stacks: Path, *words: str | Path, trace: bool) -> tuple[int, str, str]:
    """A program's exit code and what it writes, with the hook around it that `run` has there."""
    stacks.mkdir()
    env = {**os.environ, "PYTHONPATH": str(HOOK), "PARLAB_STACKS": str(stacks), "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, *words],
        env=env | ({"PARLAB_TRACE": "1"} if trace else {}),
        capture_output=True,
        text=True,
        timeout=30 * PATIENCE,
        check=False,
    )
    return done.returncode, ADDRESS.sub("0x", done.stdout), ADDRESS.sub("0x", done.stderr)


def traced(stacks: Path) -> Tasks:
    """The tasks that it has logged."""
    return join({0: (stacks / FILE).read_bytes()}, {0: "here"})


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_that_a_program_shows_is_different(scenario: str, method: str, tmp_path: Path) -> None:
    without = hooked(tmp_path / "without", POOLS, scenario, method, trace=False)
    with_it = hooked(tmp_path / "with", POOLS, scenario, method, trace=True)
    assert with_it == without
    tasks = traced(tmp_path / "with")
    assert tasks.notes == ()
    assert tasks.spans
    assert not (tmp_path / "without" / FILE).exists()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_call_of_a_chunk_is_a_task_with_its_own_times(method: str, tmp_path: Path) -> None:
    program = tmp_path / "own.py"
    program.write_text(
        "import multiprocessing, os, sys, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "def nap(n):\n"
        "    time.sleep(0.02)\n"
        "    if n == 5: raise KeyError(n)\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context(sys.argv[1])\n"
        "    with context.Pool(2) as pool:\n"
        "        pool.map(nap, range(4), chunksize=2)\n"
        "    with ProcessPoolExecutor(2, context) as one, ProcessPoolExecutor(2, context) as two:\n"
        "        for executor in (one, two):\n"
        "            future = executor.submit(nap, 5)\n"
        "            print(list(executor.map(nap, range(4), chunksize=2)), repr(future.exception()))\n"
    )
    _, said, _ = hooked(tmp_path / "with", program, method, trace=True)
    assert said == "[None, None, None, None] KeyError(5)\n" * 2
    tasks = traced(tmp_path / "with")
    assert len(tasks.spans) == 14
    assert tasks.left == 0
    assert [span.outcome for span in tasks.spans].count("KeyError") == 2
    for span in tasks.spans:
        assert span.submitted < span.started < span.finished < span.received
        assert span.finished - span.started >= 0.019
    assert len({span.submitted for span in tasks.spans}) == 8  # two tasks of a chunk are submitted at once
    assert len({span.pid for span in tasks.spans}) <= 6


def test_pathos_and_loky_have_theirs(tmp_path: Path) -> None:
    program = tmp_path / "own.py"
    program.write_text(
        "from joblib import Parallel, delayed\n"
        "from loky import ProcessPoolExecutor\n"
        "from pathos.pools import ProcessPool\n"
        "if __name__ == '__main__':\n"
        "    print(ProcessPool(2).map(lambda n: n * n, range(5)))\n"
        "    with ProcessPoolExecutor(2) as executor:\n"
        "        print(list(executor.map(abs, [-1, -2, -3])))\n"
        "    print(Parallel(2)(delayed(abs)(n) for n in (-1, -2)))\n"
    )
    without = hooked(tmp_path / "without", program, trace=False)
    assert hooked(tmp_path / "with", program, trace=True) == without
    tasks = traced(tmp_path / "with")
    assert (len(tasks.spans), tasks.left, tasks.notes) == (10, 0, ())


@pytest.mark.parametrize("library", ["multiprocessing.pool", "concurrent.futures.process", "concurrent.futures.thread"])
def test_a_library_that_is_not_as_expected_is_left_alone_and_named(library: str, tmp_path: Path) -> None:
    """As one of a later version may be."""
    folder = tmp_path / library.replace(".", "_")
    folder.mkdir()
    program = folder / "own.py"
    program.write_text(
        "import sys\n"
        f"class Changed:\n    pass\n"
        "from importlib.machinery import PathFinder, SourceFileLoader\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == {library!r}:\n"
        "            spec = PathFinder.find_spec(name, path)\n"
        "            execute = spec.loader.exec_module\n"
        "            def exec_module(module):\n"
        "                execute(module)\n"
        "                old = {'worker', '_process_worker'} & set(vars(module))\n"
        "                for name in old:\n"
        "                    function = vars(module)[name]\n"
        "                    exec(f'def {name}(*queues): return old_worker(*queues)', vars(module))\n"
        "                    module.old_worker = function\n"
        "                if hasattr(module, '_WorkItem') and not old:\n"
        "                    make = module._WorkItem.__init__\n"
        "                    module._WorkItem.__init__ = lambda item, *rest: make(item, *rest)\n"
        "            spec.loader.exec_module = exec_module\n"
        "            return spec\n"
        "sys.meta_path.insert(1, Finder)\n"
        "from multiprocessing import Pool\n"
        "from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor\n"
        "with Pool(1) as pool, ProcessPoolExecutor(1) as processes, ThreadPoolExecutor(1) as threads:\n"
        "    print(pool.map(abs, [-1]), list(processes.map(abs, [-2])), list(threads.map(abs, [-3])))\n"
    )
    assert hooked(tmp_path / "with", program, trace=True) == (0, "[1] [2] [3]\n", "")
    tasks = traced(tmp_path / "with")
    (note,) = tasks.notes
    assert note.startswith(f"{library}: its tasks are not shown: it is not as --trace knows it")
    assert len(tasks.spans) == 2


def test_a_log_that_is_full_ends_and_the_program_does_not(tmp_path: Path) -> None:
    program = tmp_path / "own.py"
    program.write_text(
        "import sys; sys.modules['parlab_log'].MOST_BYTES = 4096\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(1) as executor: print(len(list(executor.map(abs, range(1000)))))\n"
    )
    assert hooked(tmp_path / "with", program, trace=True) == (0, "1000\n", "")
    assert 0 < len(traced(tmp_path / "with").spans) < 1000


PROGRAM = """
import sys, time
from multiprocessing import Pool
def work(n):
    time.sleep(0.02)
    return n * n
if __name__ == "__main__":
    with Pool(2) as pool:
        print(sum(pool.map(work, range(20), chunksize=1)))
    sys.exit(int(sys.argv[1]))
"""


def run(folder: Path, *words: str, code: str = PROGRAM) -> Any:
    (folder / "own.py").write_text(code)
    return start(folder, "run", "--backend", "embedded", "--json", "record.json", *words)


@pytest.mark.parametrize("code", [0, 3])
def test_the_tasks_are_drawn_and_kept_as_a_case_of_their_own(code: int, tmp_path: Path) -> None:
    done = run(tmp_path, "--trace", "--repeat", "2", "own.py", str(code))
    said = done.stderr.decode()
    assert done.returncode == code, said
    answer = sum(number * number for number in range(20))
    assert done.stdout.decode() == f"{answer}\n" * (1 if code else 2)
    assert re.search(r"parlab: tasks {7}20 on 2 workers: median .*ms, longest .*s; they were busy in \d+ % of", said)
    assert "parlab: own: tasks: measured " in said
    assert "parlab:   simulated-1 " in said
    assert all(len(line) <= 80 for line in said.splitlines() if re.search("[█▐]", line))
    record = json.loads((tmp_path / "record.json").read_text())
    ranks, tasks = record["cases"]
    assert (ranks["name"], tasks["name"]) == ("own", "own: tasks")
    assert [len(repeat["spans"]) for repeat in tasks["repeats"]] == [20] * len(ranks["repeats"])
    assert tasks["workforce"]["workers"] == 2
    assert (tasks["ideal_s"], tasks["repeats"][0]["complaint"]) == (None, None)
    assert bool(ranks["repeats"][0]["complaint"]) == bool(code)
    assert record["verdict"]["correct"]["answer"] == ("no" if code else "yes")


def test_it_says_nothing_where_it_is_to_be_quiet_and_has_one_size(tmp_path: Path) -> None:
    done = run(tmp_path, "--trace", "--quiet", "own.py", "0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(json.loads((tmp_path / "record.json").read_text())["cases"]) == 2
    done = run(tmp_path, "--trace", "--mpi", "--sweep", "ranks=1,2", "own.py", "0")
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert line == "usage: --trace shows the tasks of one size: run it without --sweep"


def test_a_program_without_tasks_is_told_so(tmp_path: Path) -> None:
    done = run(tmp_path, "--trace", "own.py", code="print('alone')")
    assert "parlab: tasks       none seen in a pool or an executor that --trace knows" in done.stderr.decode()
    assert len(json.loads((tmp_path / "record.json").read_text())["cases"]) == 1
    assert "tasks" not in run(tmp_path, "own.py", "0").stderr.decode()


FUTURES = """
from mpi4py.futures import MPIPoolExecutor
import os
def rank(n): return os.environ["OMPI_COMM_WORLD_RANK"]
def fail(n): raise ValueError(n)
if __name__ == "__main__":
    for chunk in (1, 3):
        with MPIPoolExecutor(initializer=abs, initargs=(1,)) as executor:
            print(set(executor.map(rank, range(12), chunksize=chunk)) <= {"1", "2"})
            print(repr(executor.submit(fail, 1).exception()), repr(executor.submit(lambda: 1).exception())[:14])
            print(executor.submit(rank, 1).result() in "12")
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_the_tasks_of_ranks_are_joined_with_who_handed_them_out(workers: int, tmp_path: Path) -> None:
    said = [
        run(tmp_path, *more, "--futures", "--ranks", str(workers), "own.py", code=FUTURES)
        for more in ((), ("--trace",))
    ]
    assert said[0].stdout == said[1].stdout
    assert said[0].stdout.decode().splitlines() == ["True", "ValueError(1) PicklingError(", "True"] * 2
    spans = json.loads((tmp_path / "record.json").read_text())["cases"][1]["repeats"][0]["spans"]
    assert len(spans) == 2 * (12 + 1 + 1)
    assert {span["rank"] for span in spans} <= set(range(1, workers + 1))
    assert [span["outcome"] for span in spans].count("ValueError") == 2
    assert all(span["submitted"] < span["started"] < span["finished"] < span["received"] for span in spans)
    assert len({span["submitted"] for span in spans}) == 12 + 2 + 4 + 2


COMM = """
import inspect, traceback
from mpi4py import MPI
from mpi4py.futures import MPICommExecutor
def rank(n): return MPI.COMM_WORLD.rank
def depth(n): return len(inspect.stack())
def fail(n): raise ValueError(n)
class Unreadable:
    def __reduce__(self): return fail, (7,)
for root, pkl5 in ((0, False), (1, False), (0, True)):
    with MPICommExecutor(MPI.COMM_WORLD, root=root, use_pkl5=pkl5) as executor:
        if executor is not None:
            print(set(executor.map(rank, range(40))) <= {0, 1, 2}, set(executor.map(depth, range(3))))
            print(repr(executor.submit(rank, Unreadable()).exception()))
            print(set(executor.map(rank, range(40), chunksize=2)) <= {0, 1, 2}, flush=True)
            try:
                executor.submit(fail, 3).result()
            except ValueError:
                print(traceback.format_exc().partition("### Worker")[0])
"""


def test_an_executor_over_any_communicator_shows_the_same(tmp_path: Path) -> None:
    words = ("--tag", "--mpi", "--ranks", "3", "own.py")
    said = [run(tmp_path, *more, *words, code=COMM) for more in ((), ("--trace",))]
    # Lines of a rank come in order; which of two ranks comes first is chance.
    lines = [sorted(done.stdout.splitlines(), key=lambda line: line.partition(b"]")[0]) for done in said]
    assert lines[0] == lines[1], said[1].stderr.decode()
    assert len(lines[0]) > 9
    spans = json.loads((tmp_path / "record.json").read_text())["cases"][1]["repeats"][0]["spans"]
    assert len(spans) == 3 * (40 + 3 + 40 + 1)  # the one that cannot be read is none
    assert [span["outcome"] for span in spans].count("ValueError") == 3
    assert all(span["submitted"] < span["started"] < span["finished"] < span["received"] for span in spans)
