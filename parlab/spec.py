"""Spec: how large a cluster is and how fast its cores are; reading it from the command line; whether it fits."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parlab.errors import UsageError
from parlab.lab import Lab

PERIOD_US = 100_000  # the kernel's default CFS period
HEAD_CPUS = Fraction(1, 2)  # rank 0 hands out tasks and polls for answers: it needs CPU of its own
MOST_NODES = 64
MOST_CORES = 64
SLOWEST = Fraction(1, 64)
UNIT_SECONDS = (0.001, 60.0)


@dataclass(frozen=True)
class Spec:
    """`nodes` x `cores` virtual cores, each `speed` of a host core; `unit` in seconds."""

    nodes: int
    cores: int
    speed: Fraction
    unit: float

    @property
    def workers(self) -> int:
        """One rank a virtual core."""
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
        """As in the record."""
        return {"nodes": self.nodes, "cores": self.cores, "speed": float(self.speed), "unit": self.unit}

    def __str__(self) -> str:
        nodes, cores = plural(self.nodes, "node"), plural(self.cores, "virtual core")
        return f"{nodes} x {cores} x {self.speed}"


def plural(count: int, noun: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def decimal(value: Fraction | float) -> str:
    """At most three decimals, and none for nothing: 1.5, 0.25, 1."""
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def quota_us(cpus: Fraction) -> int:
    """A limit in host CPUs as the kernel takes it: microseconds of CPU a period."""
    return round(cpus * PERIOD_US)


def check_fits(spec: Spec, host_cpus: int, where: str) -> None:
    """Raise UsageError, with the arithmetic, when the cluster asks for more CPUs than `where` has."""
    if spec.cpus > host_cpus:
        raise UsageError(
            f"{spec} = {decimal(spec.nodes * spec.node_cpus)} CPUs, and {decimal(HEAD_CPUS)} for the head, "
            f"make {decimal(spec.cpus)}: more than the {host_cpus} of {where}. Lower --nodes, --cores or --speed."
        )


def read_specs(lab: Lab, nodes: str | None, cores: str | None, speed: str | None, unit: str | None) -> list[Spec]:
    """One Spec for each size to run on: the lab's own, overridden by what the command line says."""
    sizes = lab.nodes if nodes is None else read_sizes(nodes)
    number = lab.cores if cores is None else read_whole("--cores", cores, MOST_CORES)
    pace = lab.speed if speed is None else read_speed(speed)
    length = lab.unit if unit is None else read_unit(unit)
    return [Spec(size, number, pace, length) for size in sizes]


def read_sizes(text: str) -> tuple[int, ...]:
    """Read `1,2,4`."""
    sizes = [_whole(item, MOST_NODES) for item in text.split(",")]
    if None in sizes:
        raise UsageError(f"--nodes takes numbers from 1 to {MOST_NODES}, separated by commas, not {text!r}")
    return tuple(size for size in sizes if size is not None)


def read_whole(option: str, text: str, most: int) -> int:
    """Read a whole number from 1 to `most`."""
    value = _whole(text, most)
    if value is None:
        raise UsageError(f"{option} takes a whole number from 1 to {most}, not {text!r}")
    return value


def _whole(text: str, most: int) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= most else None


def read_speed(text: str) -> Fraction:
    """Read `1/8` or `0.125`."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not SLOWEST <= value <= 1:
        raise UsageError(f"--speed takes a fraction of a host core from {SLOWEST} to 1, as 1/8 or 0.125, not {text!r}")
    return value


def read_unit(text: str) -> float:
    """Read a length of time in seconds."""
    low, high = UNIT_SECONDS
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise UsageError(f"--unit takes seconds from {low:g} to {high:g}, not {text!r}")
    return value


def read_cluster(text: str) -> str:
    """Read the name of a cluster; it becomes part of container and network names."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,29}", text):
        raise UsageError(
            f"--cluster takes a name of 1 to 30 characters, lower-case letters, digits and hyphens, not {text!r}"
        )
    return text
