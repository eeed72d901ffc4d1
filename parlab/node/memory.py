"""Memory that ran out, as the kernel reports it for this node."""

import os
import re
from contextlib import suppress
from pathlib import Path

# Of a container's own cgroup, in version 2 and in version 1: they count processes killed because memory ran out.
EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
SHARED_MEMORY = "/dev/shm"
FULL = 0.02  # fraction of its size that is free: a page fault that finds no room ends in a signal, not in an error


def oom_kills() -> int:
    """The number of this node's processes killed so far because its memory ran out; 0 if no file reports it."""
    for file in EVENTS:
        with suppress(OSError):
            if found := re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE):
                return int(found[1])
    return 0


def out_of_memory(before: int) -> str:
    """The kernel's kills since there were `before`, as text; '' if there are none."""
    kills = oom_kills() - before
    return f"the node's memory ran out: the kernel ended {kills} of its processes" if kills > 0 else ""


def shared_memory_is_full() -> bool:
    """Whether /dev/shm is almost full."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:
        return False
    return found.f_bavail < FULL * found.f_blocks
