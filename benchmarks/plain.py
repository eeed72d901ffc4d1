"""The work of `lab.mpi` the plain way, for other benchmarks.

It runs mpiexec in the same containers, with no part of parlab except the pace that makes a core a virtual one.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from parlab.backend.cluster import Cluster
from parlab.backend.exec import PYTHON, bundle
from parlab.host.places import ROOT
from parlab.model.spec import Spec

TASKS = 32  # as in labs/mpi.py, one unit each
PROGRAM = f"""
import sys, time; sys.path.insert(0, "/cluster/plain")
from mpi4py.futures import MPIPoolExecutor
from parlab.task.pace import burn
def square(number):
    burn(1)
    return number * number
if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        pool.bootup()
        time.sleep(float(sys.argv[1]))  # booting under the limits has used the quota of the next periods up
        start = time.monotonic()
        assert list(pool.map(square, range({TASKS}))) == [n * n for n in range({TASKS})]
        print(time.monotonic() - start)
"""
UNPACK = "rm -rf /cluster/plain; mkdir /cluster/plain && tar -xC /cluster/plain && cat >/cluster/plain/plain.py <<'E'\n"


@contextmanager
def program(cluster: Cluster) -> Iterator[None]:
    """Provide the plain program on all nodes for the duration of the block."""
    head = cluster.containers()[0]
    subprocess.run(
        ["docker", "exec", "-i", head.id, "sh", "-c", f"{UNPACK}{PROGRAM}\nE"], input=bundle(ROOT, ()), check=True
    )
    try:
        yield
    finally:
        subprocess.run(["docker", "exec", head.id, "rm", "-r", "/cluster/plain"], check=True)


def command(cluster: Cluster, spec: Spec, *options: str, settle_s: float = 0.0) -> list[str]:
    """The command of a user, with these options of mpiexec; it prints the seconds from first submission to the end."""
    workers = cluster.containers_for(spec)[1:]
    hosts = ",".join(["head:1", *(f"{node.name}:{spec.cores}" for node in workers)])
    scale = {"PARLAB_SPEED": float(spec.speed), "PARLAB_CORES": spec.cores, "PARLAB_UNIT": spec.unit}
    return [
        *("docker", "compose", "exec", "-T", *(word for k, v in scale.items() for word in ("-e", f"{k}={v}")), "head"),
        *("mpiexec", "--host", hosts, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none", *options),
        *("-n", str(spec.virtual_cores + 1), *(word for key in scale for word in ("-x", key))),
        *(PYTHON, "-m", "mpi4py.futures", "/cluster/plain/plain.py", str(settle_s)),
    ]
