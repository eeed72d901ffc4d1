"""Predictions against the real cluster: costs from 1, 2 and 4 nodes, times of 8, 16 and 32 nodes held out.

    .venv/bin/python -m benchmarks.predict [--cluster predict] [--only long] [--nodes 1,2,4,8,16,32] [RECORD ...]

32 nodes of one core need a low speed: at 1/64 they take half a host CPU. Three runs, about 8 minutes: lab.mpi with
long and with short tasks, and lab.halo. With records, these are looked at instead. Limit: every size that was held out
is at most 10 % off. If a run was no measurement, its figures are printed and not judged: exit 3.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from parlab.formatting import seconds, signed_percent
from parlab.predict.evidence import evidence
from parlab.predict.prediction import predict
from parlab.results.record import Run
from parlab.results.store import read_json

MOST_OFF = 0.10
LABS = {
    "long tasks": ("lab.mpi", "--unit", "1"),
    "short tasks": ("lab.mpi", "--unit", "0.05"),
    "halo": ("lab.halo", "--unit", "0.02"),
}


def measured(words: tuple[str, ...], nodes: str, cluster: str, folder: Path) -> Run:
    """Run a lab on these sizes of a cluster, and return its record."""
    file = folder / f"{len(list(folder.iterdir()))}.json"
    size = ("--nodes", nodes, "--cores", "1", "--speed", "1/64")
    command = [sys.executable, "-m", "parlab", *words, *size, "--cluster", cluster, "--quiet", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    if not file.exists():
        raise SystemExit(done.stdout + done.stderr)
    return read_json(file)


def show(what: str, run: Run) -> float:
    """Print predicted, measured and off by for each size; return the most that a size held out is off."""
    basis = evidence([run], disturbed=True)
    quiet = run.verdict.is_measurement
    print(f"\n{what}: {basis.case}, {basis.spec.cores} x {basis.spec.speed} a node, unit {basis.spec.unit:g} s")
    if not quiet:
        print(f"  no measurement: {run.verdict.quiet.evidence[:150]}")
    most = 0.0
    for size in predict(basis, list(basis.measured_s)).sizes:
        assert size.off_by is not None
        within = size.low_s <= (size.measured_s or 0.0) <= size.high_s
        how = "fitted" if size.fitted else f"held out, {'in' if within else 'outside'} the interval"
        print(
            f"  {size.nodes:3} nodes  ideal {seconds(size.ideal_s):>8}  predicted {seconds(size.predicted_s):>8} "
            f"({seconds(size.low_s)} to {seconds(size.high_s)})  measured {seconds(size.measured_s):>8}  "
            f"off by {signed_percent(size.off_by):>7}  {how}"
        )
        if not size.fitted and quiet:
            most = max(most, abs(size.off_by))
    return most


def main() -> None:
    """Measure, predict, and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cluster", default="predict")
    parser.add_argument("--only", choices=[name.split()[0] for name in LABS])
    parser.add_argument("--nodes", default="1,2,4,8,16,32")
    parser.add_argument("records", nargs="*", type=Path)
    options = parser.parse_args()
    runs = [(path.stem, read_json(path)) for path in options.records]
    if not runs:
        with tempfile.TemporaryDirectory() as folder:
            for what, words in LABS.items():
                if options.only is None or what.startswith(options.only):
                    runs.append((what, measured(words, options.nodes, options.cluster, Path(folder))))
    most = max(show(what, run) for what, run in runs)
    if most > MOST_OFF:
        sys.exit(1)
    sys.exit(0 if all(run.verdict.is_measurement for _, run in runs) else 3)


if __name__ == "__main__":
    main()
