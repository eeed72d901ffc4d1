"""The instrument: `lab.mpi` with all measurements and without, in turn, on the same cluster, in one run.

    .venv/bin/python -m benchmarks.instrument [--repeat 11] [--nodes 1,3]

With: the measured time of `./invoke lab.mpi`: spans, readings of every node, the live stream. Without: a plain program
with the same tasks and the same pace under the same limits, from its first submission to its last result, started
by mpiexec with a launch's settings. On each size the medians may differ by 2 %.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import plain
from parlab.backend.cluster import Cluster
from parlab.backend.engine import connect
from parlab.host.places import LABS, ROOT
from parlab.model.spec import Spec
from parlab.results.store import read_json
from parlab.run.mpiexec import OPEN_MPI
from tests.reading import declared_in

MOST = 0.02


def with_it(nodes: int) -> float:
    """The measured time, in seconds, of `./invoke lab.mpi`."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.json")
        command = [str(ROOT / "invoke"), "lab.mpi", "--nodes", str(nodes), "--quiet", "--json", str(record)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        return read_json(record).cases[0].measured_s


def without_it(cluster: Cluster, spec: Spec) -> float:
    """The time, in seconds, of the plain program under the same limits."""
    cluster.set_limits(spec, spec.node_cpus)
    settings = [word for name, value in OPEN_MPI.items() for word in ("-x", f"{name}={value}")]
    command = plain.command(cluster, spec, *settings, settle_s=1.0)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Time both in turn and print the instrument's cost on each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--nodes", default="1,3")  # on 4 nodes lab.mpi has more cases
    options = parser.parse_args()
    lab, worst = declared_in(LABS / "mpi.py"), 0.0
    for nodes in map(int, options.nodes.split(",")):
        spec = Spec(nodes, lab.cores, lab.speed, lab.unit)
        cluster = Cluster(connect())
        cluster.start(spec, print)
        times: dict[str, list[float]] = {"with": [], "without": []}
        with plain.program(cluster):
            for _ in range(options.repeat):
                times["with"].append(with_it(nodes))
                times["without"].append(without_it(cluster, spec))
        medians = {name: statistics.median(values) for name, values in times.items()}
        cost = medians["with"] / medians["without"] - 1
        worst = max(worst, cost)
        shown = ", ".join(f"{name} {median:.3f} s" for name, median in medians.items())
        print(f"{nodes} nodes: {shown}: the instrument costs {100 * cost:+.1f} %", flush=True)
    sys.exit(worst > MOST)


if __name__ == "__main__":
    main()
