"""Fidelity: `lab.mpi` as shipped, several times; the difference between its pool of ranks and its ideal on each size.

    .venv/bin/python -m benchmarks.fidelity [--repeat 5]

A run that is not a measurement, by its own verdict, was disturbed by the host: it is counted, reported and repeated,
not dropped. In a good run each size is within 5 % and their median within 3 %; at least four of five must be good.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from parlab.formatting import signed_percent
from parlab.host.places import ROOT
from parlab.results.record import Run
from parlab.results.store import read_json

EACH, MEDIAN, GOOD = 0.05, 0.03, 0.8


def one_run() -> Run:
    """Run the lab and return its record."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.json")
        command = [str(ROOT / "invoke"), "lab.mpi", "--json", str(record)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        return read_json(record)


def main() -> None:
    """Run, judge, and print one line per run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    good, spoiled, number = 0, 0, 0
    while number < options.repeat and spoiled <= options.repeat:
        run = one_run()
        offs = [case.off_by for case in run.cases if case.name.startswith("pool_of_ranks")]
        shown = "  ".join(map(signed_percent, offs))
        if not run.verdict.is_measurement:
            spoiled += 1
            print(f"spoiled: {shown}   {run.verdict.held.evidence}; {run.verdict.quiet.evidence}", flush=True)
            continue
        number += 1
        is_good = max(map(abs, offs)) <= EACH and statistics.median(map(abs, offs)) <= MEDIAN
        good += is_good
        print(f"run {number}: {shown}   {'good' if is_good else 'off'}", flush=True)
    print(f"good: {good} of {number}; spoiled by the host and repeated: {spoiled}")
    sys.exit(number < options.repeat or good < GOOD * number)


if __name__ == "__main__":
    main()
