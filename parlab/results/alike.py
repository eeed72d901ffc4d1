"""Whether two runs measured the same: the same file of a lab, on the same host."""

from collections.abc import Mapping
from typing import Any

HOST = ("platform", "kernel", "cpu", "cpus", "architecture", "engine", "cgroup", "cgroup_driver")
LAB_FILE = "lab_file"  # the digest of the lab's file, in the environment of a run


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two environments of runs have the same lab file and the same host; not if the file is unknown."""
    return one.get(LAB_FILE) is not None and all(one.get(name) == other.get(name) for name in (LAB_FILE, *HOST))
