"""The machine of a run, in words that a reader knows; the record has the raw names and the full digests."""

from collections.abc import Iterator, Mapping
from typing import Any

DIGEST = 12  # characters of a digest that are shown; the record has all
NAMES = {
    "platform": "system",
    "cpu": "CPU",
    "cpus": "CPUs",
    "engine": "Docker engine",
    "kernel": "kernel",
    "architecture": "architecture",
    "cgroup": "cgroup version",
    "cgroup_driver": "cgroup driver",
    "image": "image of the nodes (digest)",
    "python": "Python",
    "openmpi": "Open MPI",
    "numpy": "NumPy",
    "gil": "GIL",
    "seed": "seed of random numbers",
    "git": "commit of parlab's folder",
    "lab_file": "lab's file (digest)",
}
DIGESTS = ("image", "git", "lab_file")


def facts(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each known fact of the machine with its name; a list of names is in NAMES, others keep their own."""
    for name, value in environment.items():
        said = str(value)
        if isinstance(value, bool):
            said = "yes" if value else "no"
        elif name in DIGESTS:
            said = said.removeprefix("sha256:")[:DIGEST]
        yield NAMES.get(name, name), said
