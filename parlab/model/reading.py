"""What a node's kernel says of its CPU at one instant.

Nodes send the kernel's files as they are, since every millisecond of their CPU counts; the host understands them here,
and so does a node for a burn.
Files as documented in the kernel's Documentation/admin-guide/cgroup-v2.rst (cpu.max, cpu.stat),
Documentation/scheduler/sched-bwc.rst (cpu.cfs_quota_us, cpu.cfs_period_us, cpu.stat) and
Documentation/admin-guide/cgroup-v1/cpuacct.rst (cpuacct.usage).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Texts = Mapping[str, str]  # the kernel's files by their names


@dataclass(frozen=True)
class Host:
    """CPU seconds of the machine under the node since it started, all its CPUs together (proc_stat(5))."""

    cpus: int
    busy_s: float  # whoever used it, this cluster included
    idle_s: float
    stolen_s: float  # a hypervisor gave it to others
    ours_s: float | None = None  # of busy_s, what the launch has used; known where nodes do not count it themselves


@dataclass(frozen=True)
class Process:
    """A process in a node that is none of the run's own."""

    name: str
    cpu_s: float


@dataclass(frozen=True)
class Busiest:
    """The process of the machine that has used most CPU in a launch, of those that are in no node and none of ours."""

    pid: int
    name: str
    cpu_s: float  # in the launch


@dataclass(frozen=True)
class RawReading:
    """One reading as a node sends it: the kernel's files as they are; `{}` and None where there is nothing to read."""

    at: float  # seconds of the node's monotonic clock
    files: dict[str, str]  # by name
    host: Host | None  # of the rank that reads the machine
    foreign: dict[str, Process]  # by pid; those of a reading in full
    reading_s: float  # CPU seconds that the readings have cost so far


@dataclass(frozen=True)
class NodeReading:
    """One reading. Counters run since the node, or the machine, started; None is what the kernel does not say."""

    at: float  # seconds of the node's monotonic clock
    limit: float | None  # host CPUs that the node's processes may use together; None: no limit
    used_s: float | None = None  # CPU seconds of all its processes
    periods: int | None = None  # quota periods in which the node was active
    throttled: int | None = None  # those of them in which it was held back
    throttled_s: float | None = None
    reading_s: float = 0.0  # CPU seconds that the readings have cost so far
    host: Host | None = None
    foreign: Mapping[str, Process] = field(default_factory=dict)  # by pid

    @classmethod
    def from_node(cls, raw: RawReading) -> "NodeReading":
        """Understand what a node sends. Raises ValueError for files of no kernel."""
        texts = raw.files
        stat = {key: int(value) for key, value in (line.split() for line in texts.get("cpu.stat", "").splitlines())}
        if "cpuacct.usage" in texts:
            accounted = {"usage": int(texts["cpuacct.usage"])}
            used, throttled_s = _seconds(accounted, "usage", 1e9), _seconds(stat, "throttled_time", 1e9)
        else:
            used, throttled_s = _seconds(stat, "usage_usec", 1e6), _seconds(stat, "throttled_usec", 1e6)
        return cls(
            at=raw.at,
            limit=read_limit(texts),
            used_s=used,
            periods=stat.get("nr_periods"),
            throttled=stat.get("nr_throttled"),
            throttled_s=throttled_s,
            reading_s=raw.reading_s,
            host=raw.host,
            foreign=raw.foreign,
        )


def read_limit(texts: Texts) -> float | None:
    """Host CPUs that a cgroup may use; None where no limit is set, as at the root, which has no such file.

    Raises ValueError where a file does not read as the kernel documents it.
    """
    if "cpu.max" in texts:
        quota, period = texts["cpu.max"].split()
    elif "cpu.cfs_quota_us" in texts:
        quota, period = texts["cpu.cfs_quota_us"].strip(), texts.get("cpu.cfs_period_us", "")
    else:
        return None
    if quota in ("max", "-1"):
        return None
    if int(quota) <= 0 or int(period) <= 0:
        raise ValueError(f"a quota of {quota} in a period of {period}")
    return int(quota) / int(period)


def _seconds(stat: Mapping[str, int], name: str, per_second: float) -> float | None:
    return stat[name] / per_second if name in stat else None
