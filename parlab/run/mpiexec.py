"""The command that starts a launch's ranks, and their variables."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from parlab.backend.base import Placement
from parlab.model.case import Case, cores_per_task
from parlab.model.spec import Spec

# For Open MPI 5 in containers. Without ob1 over TCP it tries every available transport; idle ranks yield the core; UCX
# floods stderr; cross-memory attach is refused without a capability that nodes do not have.
OPEN_MPI = {
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,sm,tcp",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_osc": "^ucx",
    "OMPI_MCA_smsc": "^cma",
}


def mpiexec(placement: Placement, spec: Spec, case: Case, exported: Iterable[str], program: Iterable[str]) -> list[str]:
    """Build the command that makes each rank's Python run `program`; a job of Slurm gets all variables anyway.

    Rank 0 is on the head if the case asks for it; the other ranks are distributed over the nodes. Ranks are not bound
    to cores, and there may be more ranks than cores: the kernel sets the limits, not Open MPI.
    """
    ranks = case.ranks(spec.virtual_cores)
    hosts = [placement.hosts[case.node_of(rank, spec)] for rank in range(ranks)]
    if placement.batch:
        cores = cores_per_task([case], spec.cores)["SLURM_CPUS_PER_TASK"]
        job = (placement.python, "-m", "parlab.node.batch", ",".join(hosts), cores, str(spec.cores), "--")
        return [*job, placement.python, *program]
    slots = ",".join(f"{host}:{len(list(group))}" for host, group in groupby(hosts))
    placing = ["--host", slots, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none", "-n", str(ranks)]
    exports = [word for name in exported for word in ("-x", name)]
    return [str(Path(placement.python).with_name("mpiexec")), *placing, *exports, placement.python, *program]


def scale(spec: Spec, case: Case) -> dict[str, str]:
    """The variables that tell a node's processes its size; Slurm would tell them the cores of their task."""
    workers = case.workers(spec.virtual_cores)
    return spec.environment() | {"PARLAB_WORKERS": str(workers), **cores_per_task([case], spec.cores)}
