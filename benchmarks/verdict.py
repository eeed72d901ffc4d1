"""The verdict: is it always yes on an idle machine, and always no on a busy one?

    .venv/bin/python -m benchmarks.verdict [--repeat 10] [--busy]

Runs `./invoke lab.mpi --nodes 1,2,4 --repeat 3 --check`. The exit code must be 0 each time; with `--busy`, while one
process per CPU of this machine spins, it must be 3 each time. Run it on the engine's machine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parlab.host.places import ROOT
from parlab.results.store import read_json


@contextmanager
def spinning(processes: int) -> Iterator[None]:
    """Keep this many CPUs busy for the duration of the block."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def one_run() -> tuple[int, str]:
    """Run the lab; return its exit code, and the answers behind it."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.json")
        command = [
            str(ROOT / "invoke"),
            "lab.mpi",
            "--nodes",
            "1,2,4",
            "--repeat",
            "3",
            "--check",
            "--json",
            str(record),
        ]
        code = subprocess.call(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        run = read_json(record)
    offs = " ".join(f"{100 * case.off_by:+.1f} %" for case in run.cases)
    noes = [finding.evidence for finding in run.verdict.findings().values() if finding.answer.value == "no"]
    return code, "; ".join([offs, *noes])


def main() -> None:
    """Run, print one line per run, and count the codes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--busy", action="store_true")
    options = parser.parse_args()
    codes: Counter[int] = Counter()
    with spinning((os.cpu_count() or 1) if options.busy else 0):
        for number in range(1, options.repeat + 1):
            code, why = one_run()
            codes[code] += 1
            print(f"run {number}: exit {code}: {why}", flush=True)
    print(", ".join(f"exit {code}: {count} of {options.repeat}" for code, count in codes.items()))
    sys.exit(codes[3 if options.busy else 0] < options.repeat)


if __name__ == "__main__":
    main()
