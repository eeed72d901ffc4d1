"""`./invoke up` from nothing, with an existing image: 4 workers in at most 4 s, 32 in at most 15 s.

    .venv/bin/python -m benchmarks.up [--repeat 3]

It uses its own cluster, named benchmark, and takes it down.
"""

import argparse
import statistics
import subprocess
import sys
import time

from parlab.host.places import ROOT

SIZES = {4: (["--nodes", "4"], 4.0), 32: (["--nodes", "32", "--cores", "1", "--speed", "1/32"], 15.0)}
CLUSTER = ["--cluster", "benchmark"]


def invoke(*arguments: str) -> float:
    """Seconds that `./invoke ARGUMENTS` takes, from start to exit. Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    subprocess.run([str(ROOT / "invoke"), *arguments, *CLUSTER], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Time each size and print the median."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    late = False
    for workers, (size, most) in SIZES.items():
        times = []
        try:
            for _ in range(repeat):
                invoke("down")
                times.append(invoke("up", *size))
        finally:
            invoke("down")
        median = statistics.median(times)
        late |= median > most
        print(
            f"{workers:2} workers: median {median:.1f} s of {', '.join(f'{t:.1f}' for t in times)}; at most {most:g} s"
        )
    sys.exit(late)


if __name__ == "__main__":
    main()
