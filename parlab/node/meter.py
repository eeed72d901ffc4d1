"""A node's meter: what the kernel says of its CPU time, who else uses it, and what an unpaced burn gets."""

import hashlib
import math
import os
import threading
import time
from pathlib import Path
from typing import Any

from parlab.node.cgroup import Cgroup
from parlab.pace import PERIOD
from parlab.usage import Usage

STAT = Path("/proc/stat")
BURN_PERIODS = 4  # enough whole periods for a tenth, few enough for a start that nobody notices
BLOCK = bytes(256 * 1024)  # hashing it takes about a quarter of a millisecond, without the interpreter's lock


def read_host(stat: Path = STAT) -> dict[str, float] | None:
    """The machine's CPU time, as Usage.from_node takes it; None where /proc does not tell."""
    try:
        first, *others = stat.read_text().splitlines()
    except OSError:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal, *_ = (
        int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in first.split()[1:]
    )
    return {
        "cpus": sum(line.startswith("cpu") for line in others),
        "busy_s": user + nice + system + irq + softirq,
        "idle_s": idle + iowait,
        "stolen_s": steal,
    }


def strangers(run: str, proc: Path = Path("/proc")) -> dict[str, dict[str, Any]]:
    """Processes that use this node's CPU and are none of the run's, neither its ranks nor what started them, by pid."""
    ours = f"PARLAB_RUN={run}".encode()
    found: dict[str, dict[str, Any]] = {}
    parents: dict[str, str] = {}
    for folder in proc.glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
            fields = rest.split()
            parents[folder.name] = fields[1]
            if ours in (folder / "environ").read_bytes().split(b"\0"):
                continue
            ticks = int(fields[11]) + int(fields[12])  # utime and stime, fields 14 and 15 of proc_pid_stat(5)
            found[folder.name] = {"name": name, "cpu_s": ticks / os.sysconf("SC_CLK_TCK")}
        except OSError:
            continue  # gone meanwhile, or another user's
    pid = str(os.getpid())
    while (pid := parents.get(pid, "0")) != "0":
        found.pop(pid, None)
    return found


class Meter:
    """Reads this node, and with `host` the machine under it; one a process.

    A simulated node (not `own_node`) has no cgroup of its own, and all other processes are strangers to it.
    """

    def __init__(self, run: str, *, own_node: bool, host: bool) -> None:
        self._run, self._own_node, self._host = run, own_node, host
        self._cgroup = Cgroup()
        self._reading_s = 0.0

    def read(self, *, in_full: bool = False) -> dict[str, Any]:
        """Read the counters, as Usage.from_node takes them; `in_full` looks at every process of the node, too."""
        began = time.thread_time()
        facts = {
            "at": time.monotonic(),
            "files": self._cgroup.texts() if self._own_node else {},
            "host": read_host() if self._host else None,
            "strangers": strangers(self._run) if in_full and self._own_node else {},
            "reading_s": self._reading_s,
        }
        self._reading_s += time.thread_time() - began
        return facts

    def burn(self) -> float | None:
        """Host CPUs that an unpaced burn gets; None where there is no limit to get the better of.

        The kernel refills a quota once a period, so a window of any length would count a period too many or too few.
        A throttled node runs on at the beginning of a period: the rate is taken from one such moment to another.
        """
        now = Usage.from_node(self.read())
        if now.limit is None or now.used_s is None:
            return None
        until, threads = now.at + (BURN_PERIODS + 2) * PERIOD, math.ceil(now.limit)
        stop_s = PERIOD * (1 - now.limit / threads)  # how long a period finds the node stopped
        helpers = [threading.Thread(target=_hash_until, args=(until,)) for _ in range(threads - 1)]
        for helper in helpers:
            helper.start()
        marks = [(now.at, now.used_s)]
        resumed = []
        while now.at < until:
            hashlib.sha256(BLOCK)
            now = Usage.from_node(self.read())
            marks.append((now.at, now.used_s or 0.0))
            if marks[-1][0] - marks[-2][0] > max(stop_s / 2, PERIOD / 20):
                resumed.append(marks[-1])
        for helper in helpers:
            helper.join()
        first, last = (resumed[0], resumed[-1]) if len(resumed) > 2 else (marks[0], marks[-1])
        return (last[1] - first[1]) / (last[0] - first[0])


def _hash_until(until: float) -> None:
    while time.monotonic() < until:
        hashlib.sha256(BLOCK)
