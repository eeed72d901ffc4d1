"""The CPU limit that the kernel enforces on this node, read from inside it.

Files as documented in the kernel's Documentation/admin-guide/cgroup-v2.rst (cpu.max) and
Documentation/scheduler/sched-bwc.rst (cpu.cfs_quota_us, cpu.cfs_period_us).
"""

from pathlib import Path


def read_limit(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """Host CPUs that this process's cgroup may use; None where no limit is set or no cgroup is mounted.

    `root` is where cgroups are mounted, `membership` lists this process's path in each hierarchy.
    Raises ValueError where a file does not read as the kernel documents it.
    """
    paths = _cgroup_paths(membership)
    if (root / "cgroup.controllers").exists():  # version 2: one hierarchy
        fields = _read(root, paths.get("", "/"), "cpu.max").split()
        if not fields:  # the root cgroup has no limit, and no such file
            return None
        quota, period = fields
        return None if quota == "max" else int(quota) / int(period)
    for name in ("cpu", "cpu,cpuacct", "cpuacct,cpu"):  # version 1: one mount a controller, or two in one
        quota = _read(root / name, paths.get("cpu", "/"), "cpu.cfs_quota_us").strip()
        if quota:
            period = _read(root / name, paths.get("cpu", "/"), "cpu.cfs_period_us")
            return None if int(quota) < 0 else int(quota) / int(period)
    return None


def _cgroup_paths(membership: Path) -> dict[str, str]:
    """Controller -> path below its mount; version 2 goes by the name ''."""
    paths = {}
    for line in membership.read_text().splitlines() if membership.exists() else ():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _read(mount: Path, path: str, name: str) -> str:
    """A container usually sees its own cgroup at the mount's root; without a namespace of its own, at its path."""
    for folder in (mount / path.lstrip("/"), mount):
        if (folder / name).exists():
            return (folder / name).read_text()
    return ""
