"""A node's meter: its CPU time according to the kernel, its other users, and the CPU that an unpaced burn gets."""

import math
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from parlab.model.reading import Host, NodeReading, Process, RawReading
from parlab.model.spec import PERIOD
from parlab.node.cgroup import Cgroup
from parlab.node.processes import processes

STAT = Path("/proc/stat")
BURN_PERIODS = 4  # enough whole periods to resolve a tenth, and few enough not to be noticed at the start
BLOCK = bytes(256 * 1024)  # hashing it takes about a quarter of a millisecond, without the interpreter's lock


def read_host(stat: Path = STAT) -> Host | None:
    """The machine's CPU time; None if /proc does not report it."""
    try:
        first, *others = stat.read_text().splitlines()
    except OSError:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal, *_ = (
        int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in first.split()[1:]
    )
    cpus = sum(line.startswith("cpu") for line in others)
    return Host(cpus, busy_s=user + nice + system + irq + softirq, idle_s=idle + iowait, stolen_s=steal)


def foreign_processes(run: str, proc: Path = Path("/proc")) -> dict[str, Process]:
    """Processes, by pid, that use this node's CPU and are not the run's: neither its ranks nor the ranks' ancestors."""
    found: dict[str, Process] = {}
    parents: dict[str, str] = {}
    for stat in stats(proc):
        parents[stat.pid] = stat.parent
        if stat.run != run.encode():
            found[stat.pid] = Process(stat.name, stat.cpu_s)
    pid = str(os.getpid())
    while (pid := parents.get(pid, "0")) != "0":
        found.pop(pid, None)
    return found


def used_by(run: str, proc: Path = Path("/proc")) -> float:
    """CPU seconds so far of a run's processes, and of their children that have ended.

    A process that has ended but has not been waited for has no environment any more: it counts for its parent.
    """
    all_stats = list(stats(proc))
    ours = {stat.pid for stat in all_stats if stat.run == run.encode()}
    counted = (stat for stat in all_stats if stat.pid in ours or (stat.zombie and stat.parent in ours))
    return sum(stat.cpu_s + stat.children_s for stat in counted)


class Stat(NamedTuple):
    """The kernel's facts about a process; CPU time in seconds."""

    pid: str
    name: str
    parent: str
    zombie: bool
    cpu_s: float
    children_s: float  # of children that have ended and been waited for, and of their children
    run: bytes | None


def stats(proc: Path) -> Iterator[Stat]:
    """All processes that are visible to this one, from proc_pid_stat(5)."""
    tick = os.sysconf("SC_CLK_TCK")
    for folder, run in processes(proc):
        try:
            name, _, rest = (folder / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
        except OSError:
            continue  # gone meanwhile
        fields = rest.split()
        user, system, children_user, children_system = map(int, fields[11:15])  # fields 14 to 17 of the manual page
        own, children = user + system, children_user + children_system
        yield Stat(folder.name, name, fields[1], fields[0] == "Z", own / tick, children / tick, run)


class Meter:
    """Reads this node, and with `host` the machine under it; each process has one.

    A simulated node (not `own_node`) has no cgroup of its own, and all other processes are foreign to it.
    """

    def __init__(self, run: str, *, own_node: bool, host: bool) -> None:
        self._run, self._own_node, self._host = run, own_node, host
        self._cgroup = Cgroup()
        self._reading_s = 0.0

    def read(self, *, in_full: bool = False) -> RawReading:
        """Read the counters; with `in_full`, also every process of the node."""
        began = time.thread_time()
        host = read_host() if self._host else None
        if host is not None and in_full and not self._own_node:
            host = replace(host, ours_s=used_by(self._run))
        raw = RawReading(
            at=time.monotonic(),
            files=self._cgroup.texts() if self._own_node else {},
            host=host,
            foreign=foreign_processes(self._run) if in_full and self._own_node else {},
            reading_s=self._reading_s,
        )
        self._reading_s += time.thread_time() - began
        return raw

    def burn(self) -> float | None:
        """Host CPUs that a burn without pacing gets; None if there is no limit that it could exceed.

        The kernel refills a quota once per period, so a window of any length would contain one refill too many or too
        few. It also counts the periods: the rate is the usage from one refill to another, divided by the periods
        between them. It does not depend on how late this process looks.
        """
        from hashlib import sha256  # imported here: all ranks import this module, one per node burns

        now = first = NodeReading.from_node(self.read())
        if now.limit is None or now.used_s is None:
            return None
        until = now.at + (BURN_PERIODS + 2) * PERIOD  # at the latest, if the kernel counts no periods
        over = threading.Event()

        def hash_along() -> None:
            large = 16 * BLOCK  # the interpreter's lock is requested once per block
            while not over.is_set():
                sha256(large)

        helpers = [threading.Thread(target=hash_along) for _ in range(math.ceil(now.limit) - 1)]
        for helper in helpers:
            helper.start()
        refills: list[NodeReading] = []
        try:
            while now.at < until and not (refills and _periods(refills[0], now) >= BURN_PERIODS):
                sha256(BLOCK)
                before, now = now, NodeReading.from_node(self.read())
                if now.periods != before.periods:
                    refills.append(now)
        finally:
            over.set()
            for helper in helpers:
                helper.join()
        if len(refills) < 2:  # a limit that is set but that the kernel does not enforce
            return _used_s(first, now) / (now.at - first.at)
        return _used_s(refills[0], refills[-1]) / (_periods(refills[0], refills[-1]) * PERIOD)


def _used_s(before: NodeReading, after: NodeReading) -> float:
    return (after.used_s or 0.0) - (before.used_s or 0.0)


def _periods(before: NodeReading, after: NodeReading) -> int:
    return (after.periods or 0) - (before.periods or 0)
