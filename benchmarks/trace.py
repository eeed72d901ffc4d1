"""The trace: the cost of `run --trace`, per task, and for a program without tasks.

    .venv/bin/python -m benchmarks.trace [--repeat 7]

Each program runs with the hook that logs tasks and, in turn, with the hook that does not, on this machine. The CPU
time of all its processes is compared: on a busy host that varies less than elapsed time. Limits: 1.1 times as much
for tasks that compute for a millisecond; twice as much for tasks that do nothing, which measure the library alone;
1.2 times as much for the start of a Python.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from parlab.node import hook

PROGRAM = """
import sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import Pool
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
def nothing(_):
    pass
def millisecond(_):
    until = time.thread_time() + 0.001
    while time.thread_time() < until:
        pass
if __name__ == "__main__":
    kind, work, tasks, chunk = eval(sys.argv[1]), globals()[sys.argv[2]], int(sys.argv[3]), int(sys.argv[4])
    pool = kind(2)
    list(pool.map(work, range(tasks), chunksize=chunk))
    if kind is Pool:
        pool.close()
        pool.join()
    else:
        pool.shutdown()
    print(sum(used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN))))
"""
START = """
import subprocess, sys
from resource import RUSAGE_CHILDREN, getrusage
for _ in range(20): subprocess.run([sys.executable, "-c", "0"])
used = getrusage(RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""
MOST_OF_WORK, MOST_OF_NOTHING, MOST_OF_START = 1.1, 2.0, 1.2
PROGRAMS: dict[str, tuple[tuple[str, ...], float | None]] = {  # arguments, tasks, and the limit of the ratio
    "Pool, tasks of 1 ms": (("Pool", "millisecond", "2000", "1"), MOST_OF_WORK),
    "Pool, empty tasks": (("Pool", "nothing", "20000", "1"), MOST_OF_NOTHING),
    "Pool, empty tasks in chunks of 100": (("Pool", "nothing", "200000", "100"), None),
    "ProcessPoolExecutor, tasks of 1 ms": (("ProcessPoolExecutor", "millisecond", "2000", "1"), MOST_OF_WORK),
    "ProcessPoolExecutor, empty tasks": (("ProcessPoolExecutor", "nothing", "5000", "1"), MOST_OF_NOTHING),
    "ThreadPoolExecutor, tasks of 1 ms": (("ThreadPoolExecutor", "millisecond", "2000", "1"), MOST_OF_WORK),
    "ThreadPoolExecutor, empty tasks": (("ThreadPoolExecutor", "nothing", "10000", "1"), None),
}


def seconds(folder: Path, *words: str, trace: bool) -> float:
    """CPU seconds of a program under the hook, as the program prints them."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # like /tmp in nodes
    with tempfile.TemporaryDirectory(dir=memory) as stacks:
        ours = {"PYTHONPATH": str(Path(hook.__file__).parent), "PARLAB_STACKS": stacks}
        ours |= {"PYTHONPYCACHEPREFIX": str(folder)} | ({"PARLAB_TRACE": "1"} if trace else {})
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | ours
        done = subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return float(done.stdout)


def main() -> None:
    """Time all of them in turn and print the ratios of the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program.py").write_text(PROGRAM)
        file = str(folder / "program.py")
        programs = {what: ((file, *words), most) for what, (words, most) in PROGRAMS.items()}
        programs["start of a Python"] = (("-c", START), MOST_OF_START)
        times: dict[tuple[str, bool], list[float]] = {}
        for _ in range(options.repeat):
            for what, (words, _) in programs.items():
                for trace in (False, True):
                    times.setdefault((what, trace), []).append(seconds(folder, *words, trace=trace))
    too_much = False
    for what, (words, most) in programs.items():
        without, with_it = (statistics.median(times[what, trace]) for trace in (False, True))
        tasks = int(words[3]) if len(words) > 3 else 20
        ratio, each = with_it / without, (with_it - without) / tasks
        print(f"{what}: {ratio:.2f} times as much ({1e6 * without / tasks:.1f} us, {1e6 * each:+.1f} us)")
        too_much |= most is not None and ratio > most
    sys.exit(too_much)


if __name__ == "__main__":
    main()
