"""The machine of a run, in words that a reader knows; the record has the raw names and the full digests."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]+")  # the part of a digest that is shown; the record has all of it
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
    """Each fact of the machine that is known, with its name: as in NAMES, or that of the record."""
    for name, value in environment.items():
        words = str(value)
        if isinstance(value, bool):
            words = "yes" if value else "no"
        elif name in DIGESTS:  # what follows a digest stays: `-dirty` tells of changes since the commit
            words = DIGEST.sub(r"\1", words.removeprefix("sha256:"))
        if value is not None:
            yield NAMES.get(name, name), words
