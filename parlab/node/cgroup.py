"""The kernel's CPU files for this process's cgroup, found from inside; model/reading.py parses them."""

import os
from collections.abc import Iterator
from pathlib import Path

V1_MOUNTS = ("cpu", "cpuacct", "cpu,cpuacct", "cpuacct,cpu")  # one for each controller, or one for both
V1_FILES = {
    "cpu.cfs_quota_us": "cpu",
    "cpu.cfs_period_us": "cpu",
    "cpu.stat": "cpu",
    "cpuacct.usage": "cpuacct",
}
V2_FILES = ("cpu.max", "cpu.stat")
MOST_BYTES = 4096


class Cgroup:
    """Finds the files once and keeps them open: a reading then costs microseconds.

    `root` is the mount point of cgroups; `membership` lists this process's path in each hierarchy.
    """

    def __init__(self, root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> None:
        self._files = {path.name: path.open("rb", buffering=0) for path in _files(root, _cgroup_paths(membership))}

    def texts(self) -> dict[str, str]:
        """The current text of each file, by its name; {} if no cgroup is mounted."""
        return {name: os.pread(file.fileno(), MOST_BYTES, 0).decode() for name, file in self._files.items()}

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def _files(root: Path, paths: dict[str, str]) -> Iterator[Path]:
    if (root / "cgroup.controllers").exists():  # version 2: one hierarchy
        for name in V2_FILES:
            yield from _at(root, paths.get("", "/"), name)
        return
    for name, controller in V1_FILES.items():
        for mount in V1_MOUNTS:
            if found := _at(root / mount, paths.get(controller, "/"), name):
                yield found[0]
                break


def _at(mount: Path, path: str, name: str) -> list[Path]:
    """A container usually sees its own cgroup at the mount's root; without its own namespace, at its path."""
    return [file for file in (mount / path.lstrip("/") / name, mount / name) if file.exists()][:1]


def _cgroup_paths(membership: Path) -> dict[str, str]:
    """Controller -> path below its mount; the key of version 2 is ''."""
    paths = {}
    for line in membership.read_text().splitlines() if membership.exists() else ():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    return paths
