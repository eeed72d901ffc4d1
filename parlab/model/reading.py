"""The kernel's account of a node's CPU at one instant.

Nodes send the kernel's files unparsed, since every millisecond of their CPU counts. The host parses them here; a node
also does so for a burn.
The files are documented in the kernel's Documentation/admin-guide/cgroup-v2.rst (cpu.max, cpu.stat),
Documentation/scheduler/sched-bwc.rst (cpu.cfs_quota_us, cpu.cfs_period_us, cpu.stat) and
Documentation/admin-guide/cgroup-v1/cpuacct.rst (cpuacct.usage).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Texts = Mapping[str, str]  # the kernel's files by their names


@dataclass(frozen=True)
class Host:
    """CPU seconds of the node's machine since its start, for all its CPUs together (proc_stat(5))."""

    cpus: int
    busy_s: float  # used by anyone, including this cluster
    idle_s: float
    stolen_s: float  # given to others by a hypervisor
    ours_s: float | None = None  # the launch's part of busy_s; known if nodes do not count it themselves


@dataclass(frozen=True)
class Process:
    """A process in a node that does not belong to the run."""

    name: str
    cpu_s: float


@dataclass(frozen=True)
class Busiest:
    """The process that used the most CPU of the machine in a launch, apart from those in nodes and our own."""

    pid: int
    name: str
    cpu_s: float  # in the launch


@dataclass(frozen=True)
class RawReading:
    """One reading as a node sends it: unparsed kernel files; `{}` and None if there is nothing to read."""

    at: float  # seconds of the node's monotonic clock
    files: dict[str, str]  # by name
    host: Host | None  # from the rank that reads the machine
    foreign: dict[str, Process]  # by pid; complete for each reading
    reading_s: float  # CPU seconds used by the readings so far


@dataclass(frozen=True)
class NodeReading:
    """One reading. Counters run since the start of the node or the machine; None if the kernel does not count it."""

    at: float  # seconds of the node's monotonic clock
    limit: float | None  # host CPUs that the node's processes may use together; None: no limit
    used_s: float | None = None  # CPU seconds of all its processes
    periods: int | None = None  # quota periods in which the node was active
    throttled: int | None = None  # those of them in which it was throttled
    throttled_s: float | None = None
    reading_s: float = 0.0  # CPU seconds used by the readings so far
    host: Host | None = None
    foreign: Mapping[str, Process] = field(default_factory=dict)  # by pid

    @classmethod
    def from_node(cls, raw: RawReading) -> "NodeReading":
        """Parse a node's reading. Raises ValueError for files in an unknown format."""
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
    """Host CPUs that a cgroup may use; None if no limit is set, as in the root cgroup, which has no such file.

    Raises ValueError if a file does not have the kernel's documented format.
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
