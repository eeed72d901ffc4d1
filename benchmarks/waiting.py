"""Waiting: the gain if ranks waiting in MPI leave their node's CPU to others, and the cost if no other needs it.

    .venv/bin/python -m benchmarks.waiting [--repeat 3]

Each program runs with it and, in turn, with --spin. Four ranks on a node with 0.25 CPU, one of them with more work,
must take at most 1.1 of the ideal time. If there is enough CPU, messages there and back between two ranks of a node,
small or large, must take at most 1.3 times as long.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from parlab.host.places import ROOT

UNEVEN = """
import time
import numpy as np
from mpi4py import MPI
comm = MPI.COMM_WORLD
def burn(cpu_s):
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        pass
mine, all_of = np.zeros(1), np.zeros(1)
comm.Barrier()
began = time.perf_counter()
for _ in range(4):
    burn(0.05 if comm.rank else 0.2)
    comm.Allreduce(mine, all_of)
if comm.rank == 0:
    print(time.perf_counter() - began)
"""
UNEVEN_CPU_S, UNEVEN_CPUS = 4 * (3 * 0.05 + 0.2), 0.25
THERE_AND_BACK = """
import sys
import time
import numpy as np
from mpi4py import MPI
comm = MPI.COMM_WORLD
data, times = np.zeros(int(sys.argv[1])), int(sys.argv[2])
comm.Barrier()
began = time.perf_counter()
for _ in range(times):
    if comm.rank == 0:
        comm.Send(data, 1)
        comm.Recv(data, 1)
    else:
        comm.Recv(data, 0)
        comm.Send(data, 0)
if comm.rank == 0:
    print((time.perf_counter() - began) / times / 2)
"""
MOST_OF_IDEAL, MOST_OF_SPINNING = 1.1, 1.3
WHOLE = ("--cores", "2", "--speed", "3/4", "--ranks", "2", "there_and_back.py")
PROGRAMS = {
    "uneven": ("--cores", "2", "--speed", "1/8", "--ranks", "4", "uneven.py"),
    "8 bytes": (*WHOLE, "1", "5000"),
    "8 MB": (*WHOLE, "1000000", "100"),
}


def seconds(folder: Path, *words: str) -> float:
    """The seconds that a program under `run` prints."""
    command = [str(ROOT / "invoke"), "run", "--mpi", "--quiet", *words]
    env = os.environ | {"PARLAB_RESULTS": str(folder / "results")}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return float(done.stdout)


def main() -> None:
    """Time all of them in turn and print the ratios of the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "uneven.py").write_text(UNEVEN)
        (folder / "there_and_back.py").write_text(THERE_AND_BACK)
        times: dict[tuple[str, bool], list[float]] = {}
        for _ in range(options.repeat):
            for what, words in PROGRAMS.items():
                for spin in (False, True):
                    took = seconds(folder, *(["--spin"] if spin else []), *words)
                    times.setdefault((what, spin), []).append(took)
    medians = {key: statistics.median(values) for key, values in times.items()}
    ideal = UNEVEN_CPU_S / UNEVEN_CPUS
    gained = medians["uneven", False] / ideal
    print(f"uneven: {gained:.2f} times the ideal, {medians['uneven', True] / ideal:.2f} with --spin")
    costs = {what: medians[what, False] / medians[what, True] for what in ("8 bytes", "8 MB")}
    for what, ratio in costs.items():
        print(f"{what} there and back: {ratio:.2f} times as long ({medians[what, False] * 1e6:.1f} us one way)")
    sys.exit(gained > MOST_OF_IDEAL or max(costs.values()) > MOST_OF_SPINNING)


if __name__ == "__main__":
    main()
