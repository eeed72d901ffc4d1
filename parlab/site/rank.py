"""Notes a program's run at a site. It goes there as `parlab_rank.py`: the standard library is all that it needs.

Around each rank, `python parlab_rank.py PARTS WORDS...` runs `python WORDS...`, and writes into the folder PARTS when
and where that ran, and how it ended. After the last rank, `python parlab_rank.py --collect PARTS RECORD BEGAN CODE`
makes one file of these notes, which `parlab import` reads (parlab/site/home.py has its format).

Of the user's it notes the command, and nothing else: no variable, no account, no folder. Python 3.8 can run it.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

FORMAT = 1
EXPORT = "export.json"  # beside this file at the site: what was exported
# Launchers set the first ones. Slurm's comes last: under mpirun, in a job of Slurm, it is the number of a daemon.
RANK = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
JOB = ("SLURM_JOB_ID", "SLURM_JOB_PARTITION", "SLURM_CLUSTER_NAME", "SLURM_JOB_NODELIST", "PBS_JOBID", "LSB_JOBID")
QUOTAS = tuple(
    Path("/sys/fs/cgroup", name)
    for name in ("cpu.max", "cpu/cpu.cfs_quota_us", "cpu,cpuacct/cpu.cfs_quota_us", "cpuacct,cpu/cpu.cfs_quota_us")
)
PERIOD_US = 100_000.0  # the kernel's default, where a file has the quota alone


def rank_number(env: Mapping[str, str]) -> int:
    """The number of this rank, by its launcher's variables; 0 if there is no launcher."""
    return next((int(env[name]) for name in RANK if env.get(name, "").isdigit()), 0)


def quota(paths: Iterable[Path] = QUOTAS) -> float | None:
    """The limit of this node in CPUs, as its kernel tells it; None if it tells of none."""
    for path in paths:
        try:
            words = path.read_text().split()
            if words and words[0] not in ("max", "-1"):
                return float(words[0]) / (float(words[1]) if len(words) > 1 else PERIOD_US)
        except (OSError, ValueError):
            continue
    return None


def host() -> dict[str, str | int]:
    """This node, as far as it matters for a comparison; the names are those of a record's environment."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return {
        "platform": platform.platform(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""),
        "cpus": os.cpu_count() or 1,
        "python": platform.python_version(),
    }


def follow(parts: Path, words: Sequence[str]) -> int:
    """Run a rank to its end, note it, and return its exit code, as a shell would."""
    began, tick = time.time(), time.monotonic()
    process = subprocess.Popen([sys.executable, *words])
    for number in (signal.SIGTERM, signal.SIGINT):  # the rank ends by it, and its end is still noted
        signal.signal(number, lambda number, _: process.send_signal(number))
    code = process.wait()
    took_s, used = time.monotonic() - tick, resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = os.environ.get("SLURM_CPUS_ON_NODE", "")
    rank = rank_number(os.environ)
    note = {
        "rank": rank,
        "host": platform.node().split(".")[0],
        "pid": process.pid,
        "began": began,
        "ended": began + took_s,
        "code": code,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss * 1024,
        "cores": int(cores) if cores.isdigit() else os.cpu_count() or 1,
        "quota": quota(),
        "on": host(),
    }
    write(parts / f"rank-{rank}.json", note)
    return 128 - code if code < 0 else code


def collect(parts: Path, record: Path, began: float, code: int) -> None:
    """Make one file of all ranks' notes."""
    ranks = [json.loads(path.read_text()) for path in parts.glob("rank-*.json")]
    whole = {
        "parlab_site": FORMAT,
        "export": json.loads(Path(__file__).with_name(EXPORT).read_text()),
        "began": began,
        "ended": time.time(),
        "exit_code": code,
        "job": {name: os.environ[name] for name in JOB if name in os.environ},
        "ranks": sorted(ranks, key=lambda note: int(note["rank"])),
    }
    write(record, whole)


def write(path: Path, what: object) -> None:
    """Write a file completely, or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(what, indent=1) + "\n")
    new.replace(path)


if __name__ == "__main__":
    if sys.argv[1] == "--collect":
        _, _, parts, record, began, code = sys.argv
        collect(Path(parts), Path(record), float(began), int(code))
    else:
        sys.exit(follow(Path(sys.argv[1]), sys.argv[2:]))
