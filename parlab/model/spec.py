"""Spec: the size of a cluster and the speed of its cores, and whether it fits a machine."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parlab.errors import UsageError
from parlab.formatting import decimal, plural

PERIOD = 0.1  # seconds; the kernel's default CFS period, also set on nodes
PERIOD_US = round(PERIOD * 1_000_000)
HEAD_CPUS = Fraction(1, 2)  # rank 0 hands out tasks and polls for answers: it needs its own CPU


@dataclass(frozen=True)
class Spec:
    """`nodes` x `cores` virtual cores, each `speed` of a host core; `unit` in seconds."""

    nodes: int
    cores: int
    speed: Fraction
    unit: float

    @property
    def virtual_cores(self) -> int:
        """Virtual cores of all nodes together."""
        return self.nodes * self.cores

    @property
    def node_cpus(self) -> Fraction:
        """A node's limit in host CPUs."""
        return self.cores * self.speed

    @property
    def cpus(self) -> Fraction:
        """Host CPUs of all nodes and the head together."""
        return self.nodes * self.node_cpus + HEAD_CPUS

    def to_json(self) -> dict[str, Any]:
        """The form in the record."""
        return {"nodes": self.nodes, "cores": self.cores, "speed": float(self.speed), "unit": self.unit}

    def environment(self) -> dict[str, str]:
        """Each process's environment variables about its node (parlab/task/pace.py reads them)."""
        return {"PARLAB_SPEED": str(float(self.speed)), "PARLAB_CORES": str(self.cores), "PARLAB_UNIT": str(self.unit)}

    def __str__(self) -> str:
        nodes, cores = plural(self.nodes, "node"), plural(self.cores, "virtual core")
        return f"{nodes} x {cores} x {self.speed}"


def quota_us(cpus: Fraction) -> int:
    """A limit in host CPUs in the kernel's unit: microseconds of CPU per period."""
    return round(cpus * PERIOD_US)


def check_fits(spec: Spec, host_cpus: float, where: str) -> None:
    """Raise UsageError, with the arithmetic, when the cluster asks for more CPUs than `where` has."""
    if spec.cpus > host_cpus:
        nodes, head = decimal(spec.nodes * spec.node_cpus), decimal(HEAD_CPUS)
        raise UsageError(
            f"{spec} = {nodes} CPUs, and {head} for the head, make {decimal(spec.cpus)}: "
            f"more than the {decimal(host_cpus)} of {where}. Lower --nodes, --cores or --speed."
        )
