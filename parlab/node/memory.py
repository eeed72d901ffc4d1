"""Memory that ran out, as the kernel tells it of this node."""

import os
import re
from contextlib import suppress
from pathlib import Path

# Of a container's own cgroup: version 2 and version 1 count there the processes that were ended for want of memory.
EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
SHARED_MEMORY = "/dev/shm"
FULL = 0.02  # of its size free: a page fault that finds no room ends in a signal, not in an error


def oom_kills() -> int:
    """How many processes of this node were ended so far because its memory ran out; 0 where nothing tells."""
    for file in EVENTS:
        with suppress(OSError):
            if found := re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE):
                return int(found[1])
    return 0


def out_of_memory(before: int) -> str:
    """What the kernel has done since there were so many, in words; '' where nothing."""
    kills = oom_kills() - before
    return f"the node's memory ran out: the kernel ended {kills} of its processes" if kills > 0 else ""


def shared_memory_is_full() -> bool:
    """Whether there is next to no room in /dev/shm."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:
        return False
    return found.f_bavail < FULL * found.f_blocks
