"""Start-up: what a whole `./invoke lab.mpi` costs beyond its work, beside the plain way, in turn, in one run.

    .venv/bin/python benchmarks/startup.py [--repeat 5] [--nodes 4]

Ours is the command as a user types it, on a cluster that is up, from start to exit, less the ideal work. The plain way
is `docker compose exec` of mpiexec with Open MPI's default settings, limits on while it boots; its program does the
same tasks at the same pace. The ratio of the medians is to be at most 0.5.
"""

import argparse
import statistics
import subprocess
import sys
import time

from parlab.backend.cluster import Cluster
from parlab.backend.engine import connect
from parlab.backend.exec import PYTHON, bundle
from parlab.catalog import LABS, load_lab
from parlab.environment import ROOT
from parlab.predict import ideal_s
from parlab.spec import Spec

PLAIN = """
import sys; sys.path.insert(0, "/cluster/plain")
from mpi4py.futures import MPIPoolExecutor
from parlab.pace import burn
def square(number):
    burn(1)
    return number * number
if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        assert list(pool.map(square, range(32))) == [n * n for n in range(32)]
"""
UNPACK = "rm -rf /cluster/plain; mkdir /cluster/plain && tar -xC /cluster/plain && cat >/cluster/plain/plain.py <<'E'\n"


def seconds(command: list[str]) -> float:
    """How long a command takes, from start to exit. Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Time both ways in turn and print what each costs beyond the work."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=4)
    options = parser.parse_args()

    lab = load_lab(LABS / "mpi.py")
    spec = Spec(options.nodes, lab.cores, lab.speed, lab.unit)
    work = ideal_s(lab.reference()[0], spec, lab.cases[0])
    cluster = Cluster(connect())
    cluster.start(spec, print)
    head, *workers = cluster.nodes_for(spec)
    subprocess.run(["docker", "exec", "-i", head.id, "sh", "-c", f"{UNPACK}{PLAIN}\nE"], input=bundle(LABS), check=True)
    hosts = ",".join(["head:1", *(f"{node.host}:{spec.cores}" for node in workers)])
    scale = {"PARLAB_SPEED": float(spec.speed), "PARLAB_CORES": spec.cores, "PARLAB_UNIT": spec.unit}
    plain = [
        *("docker", "compose", "exec", "-T", *(word for k, v in scale.items() for word in ("-e", f"{k}={v}")), "head"),
        *("mpiexec", "--host", hosts, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"),
        *("-n", str(spec.workers + 1), *(word for key in scale for word in ("-x", key))),
        *(PYTHON, "-m", "mpi4py.futures", "/cluster/plain/plain.py"),
    ]
    ours = [str(ROOT / "invoke"), "lab.mpi", "--nodes", str(options.nodes)]
    costs: dict[str, list[float]] = {"ours": [], "plain": []}
    try:
        for number in range(options.repeat):
            for name, command in (("ours", ours), ("plain", plain)):
                cluster.set_limits(spec, spec.node_cpus)
                took = seconds(command)
                costs[name].append(took - work)
                print(
                    f"{number + 1}: {name:5} {took:6.2f} s, less {work:g} s of work: {took - work:5.2f} s", flush=True
                )
    finally:
        subprocess.run(["docker", "exec", head.id, "rm", "-r", "/cluster/plain"], check=True)
    medians = {name: statistics.median(values) for name, values in costs.items()}
    ratio = medians["ours"] / medians["plain"]
    print(f"median cost: ours {medians['ours']:.2f} s, plain {medians['plain']:.2f} s, ratio {ratio:.2f}")
    sys.exit(ratio > 0.5)


if __name__ == "__main__":
    main()
