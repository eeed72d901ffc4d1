"""Start-up: the time of `./invoke lab.mpi` beyond its work, compared with the plain way, in turn, in one run.

    .venv/bin/python -m benchmarks.startup [--repeat 5] [--nodes 3]

Ours is the command as a user types it, on a cluster that is up, from start to exit, minus the ideal work. The plain
way is `docker compose exec` of mpiexec with Open MPI's default settings, with limits while it boots; its program does
the same tasks at the same pace. The ratio of the medians must be at most 0.3.
"""

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks import plain
from parlab.analysis.ideal import ideal_s
from parlab.backend.cluster import Cluster
from parlab.backend.engine import connect
from parlab.host.places import LABS, ROOT
from parlab.model.case import Demand
from parlab.model.spec import Spec
from parlab.model.workers import workforce
from tests.reading import declared_in


def seconds(command: list[str]) -> float:
    """Seconds that a command takes, from start to exit. Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Time both ways in turn and print each one's cost beyond the work."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=3)
    options = parser.parse_args()

    lab = declared_in(LABS / "mpi.py")
    launches = sum(case.runs_on(options.nodes) for case in lab.cases)
    assert launches == 1, f"on {options.nodes} nodes lab.mpi has {launches} launches, the plain way has one"
    spec = Spec(options.nodes, lab.cores, lab.speed, lab.unit)
    tasks = [Demand(1.0, 0.0)] * plain.TASKS
    work = ideal_s(tasks, workforce(lab.cases[0], spec, len(tasks)), spec.unit)
    assert work is not None
    cluster = Cluster(connect())
    cluster.start(spec, print)
    ways = {
        "ours": [str(ROOT / "invoke"), "lab.mpi", "--nodes", str(options.nodes)],
        "plain": plain.command(cluster, spec),
    }
    costs: dict[str, list[float]] = {name: [] for name in ways}
    with plain.program(cluster):
        for number in range(1, options.repeat + 1):
            for name, command in ways.items():
                cluster.set_limits(spec, spec.node_cpus)
                took = seconds(command)
                costs[name].append(took - work)
                print(f"{number}: {name:5} {took:6.2f} s, less {work:g} s of work: {took - work:5.2f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in costs.items()}
    ratio = medians["ours"] / medians["plain"]
    print(f"median cost: ours {medians['ours']:.2f} s, plain {medians['plain']:.2f} s, ratio {ratio:.2f}")
    sys.exit(ratio > 0.3)


if __name__ == "__main__":
    main()
