"""A program's start-up: the time of `parlab run --mpi hello.py`, compared with the plain way, in turn, in one run.

    .venv/bin/python -m benchmarks.hello [--repeat 5] [--nodes 4]

Ours is the command as a user types it, on a cluster that is up, from start to exit: the folder is copied to the nodes
and back, the limits are set and read. The plain way is `docker compose exec` of mpiexec, with Open MPI's default
settings, in the same containers under the same limits. The ratio of the medians must be at most 0.3.

The floor is the part that no tool can avoid: the same mpiexec, with parlab's settings, and without limits. If the
floor alone is more than 0.3 of the plain way, that ratio is out of reach on the machine.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from parlab.backend.cluster import Cluster
from parlab.backend.engine import connect
from parlab.backend.exec import PYTHON
from parlab.host.places import ROOT
from parlab.model.case import MPI, Case
from parlab.model.spec import Spec
from parlab.run.mpiexec import OPEN_MPI, mpiexec

HELLO = """
from mpi4py import MPI
print(f"hello from rank {MPI.COMM_WORLD.rank} of {MPI.COMM_WORLD.size}", flush=True)
"""
MOST = 0.3
DEADLINE = 120  # seconds for a command


def seconds(command: list[str], folder: Path, ranks: int) -> float:
    """Seconds that a command takes, from start to exit. Raises AssertionError if a rank has not said hello."""
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DEADLINE
    )
    took = time.perf_counter() - start
    assert done.stdout.count("hello from rank") == ranks, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return took


def main() -> None:
    """Time both ways in turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=4)
    options = parser.parse_args()

    spec = Spec(options.nodes, 2, Fraction(1, 8), unit=1.0)
    cluster = Cluster(connect())
    cluster.up_with_limits(spec, print)
    head, *nodes = cluster.containers_for(spec)
    hosts = ",".join(f"{node.name}:{spec.cores}" for node in nodes)
    ours = [str(ROOT / "invoke"), "run", "--mpi", "--nodes", str(options.nodes), "hello.py"]
    plain = ["docker", "compose", "--project-directory", str(ROOT), "exec", "-T", "head", "mpiexec"]
    plain += ["--host", hosts, "--bind-to", "none", "-n", str(spec.virtual_cores), PYTHON, "/cluster/hello.py"]
    boot = mpiexec(cluster.placement(spec.nodes), spec, Case("hello", MPI), OPEN_MPI, ["/cluster/hello.py"])
    settings = [word for name, value in OPEN_MPI.items() for word in ("-e", f"{name}={value}")]
    floor = ["docker", "exec", *settings, head.id, *boot]
    write = ["docker", "exec", "-i", head.id, "sh", "-c"]
    subprocess.run([*write, "cat >/cluster/hello.py"], input=HELLO.encode(), check=True)
    costs: dict[str, list[float]] = {"ours": [], "plain": [], "floor": []}
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "hello.py").write_text(HELLO)
        for number in range(1, options.repeat + 1):
            for way, command in (("ours", ours), ("plain", plain), ("floor", floor)):
                cluster.set_limits(spec, None if way == "floor" else spec.node_cpus)
                costs[way].append(seconds(command, Path(name), spec.virtual_cores))
                print(f"{number}: {way:5} {costs[way][-1]:6.2f} s", flush=True)
    cluster.set_limits(spec, spec.node_cpus)
    subprocess.run([*write, "rm /cluster/hello.py"], check=True)
    medians = {way: statistics.median(took) for way, took in costs.items()}
    told = ", ".join(f"{way} {median:.2f} s" for way, median in medians.items())
    ratio, least = (medians[way] / medians["plain"] for way in ("ours", "floor"))
    print(f"median: {told}; ratio {ratio:.2f}, of the floor {least:.2f}; at most {MOST}")
    sys.exit(ratio > MOST)


if __name__ == "__main__":
    main()
