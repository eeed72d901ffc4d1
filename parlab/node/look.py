"""Looks at the processes of a lab's launch on this node: `python -m parlab.node.look FOLDER`, with PARLAB_RUN.

It is started on request, and is not part of the ranks: it sees a rank that computes in C, or holds the interpreter's
lock, as well as one that sleeps. It writes a line, a Looked, for each rank that has processes here, and ends within a
few seconds.
"""

import os
import re
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from parlab.model.job_events import Died, Looked, Stack
from parlab.model.messages import to_line
from parlab.node.family import (
    Uses,
    children_of_all,
    command_of,
    death_in,
    descendants,
    knows_the_signal,
    stacks_in,
    unnoticed,
)
from parlab.node.memory import out_of_memory
from parlab.node.processes import TRACKER, processes
from parlab.task.stacks import DEATHS, KILLS, LOOK, STACKS, memory_of

LOOKING_SECONDS = 1.0  # over which CPU time is measured
WRITTEN_SECONDS = 1.5  # for a process to write its stacks: with little CPU it takes a while
ALL_SECONDS = 5.0  # for all of them: the last ones may be reported without stacks
OURS = re.compile(r"/parlab/(node/\w+|task/recorder|lab)\.py$")
RANK = re.compile(rb"(?:^|\0)OMPI_COMM_WORLD_RANK=(\d+)\0")


def families(run: str) -> dict[int, list[int]]:
    """The processes of a launch on this node, by rank: the rank's own first, then those that it has started."""
    marked: dict[int, int] = {}
    for folder, launch in processes():
        if launch == run.encode():
            with suppress(OSError):  # it has ended meanwhile
                if rank_of := RANK.search((folder / "environ").read_bytes()):
                    marked[int(folder.name)] = int(rank_of[1])
    found: dict[int, list[int]] = {}
    children = children_of_all()
    for rank in sorted(set(marked.values())):
        pids = [pid for pid, of in marked.items() if of == rank]
        below = {pid: descendants(pid, children) for pid in pids}  # without our mark, or ended
        root = max(pids, key=lambda pid: len(below[pid]))
        family = dict.fromkeys([root, *below[root], *pids, *(one for pid in pids for one in below[pid])])
        found[rank] = [pid for pid in family if TRACKER.decode() not in command_of(pid)]
    return found


def stacks_of(pid: int, until: float) -> str:
    """The stacks that a process writes, '' if none. Only one is asked at a time: it may share the file with others."""
    file = memory_of(pid, STACKS)
    if file is None or not knows_the_signal(pid):
        return ""
    with suppress(OSError):
        os.truncate(file, 0)
        before = _handling(pid)
        os.kill(pid, LOOK)
        until = min(until, time.monotonic() + WRITTEN_SECONDS)
        while (not file.stat().st_size or _handling(pid) > before) and time.monotonic() < until:
            time.sleep(0.001)
        text = file.read_text(errors="replace")
        return text if text.count("Current thread") == 1 else ""  # otherwise a late process has written, too
    return ""


def _handling(pid: int) -> int:
    """The number of threads in which the signal is pending or blocked: one of them blocks it while it writes."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(OSError):  # the thread has ended
            masks = re.findall(r"(?:SigPnd|ShdPnd|SigBlk):\s*(\w+)", status.read_text())
            found += sum(int(mask, 16) >> (LOOK - 1) & 1 for mask in masks)
    return found


def notes_of(pids: Iterable[int]) -> list[str]:
    """The notes of these processes; a file that several share is read once."""
    files: dict[int, Path] = {}
    for pid in pids:
        with suppress(OSError):
            if (file := memory_of(pid, DEATHS)) is not None:
                files.setdefault(file.stat().st_ino, file)
    found = []
    for file in files.values():
        with suppress(OSError):
            found += file.read_text().splitlines()
    return found


def _without_ours(stack: Stack) -> Stack:
    """Leave out our own frames, if there are others: the way to the lab's file explains nothing."""
    return replace(stack, frames=[frame for frame in stack.frames if not OURS.search(frame.file)] or stack.frames)


def look(run: str, own: Path) -> list[Looked]:
    """The current activity of each rank of a launch that has processes here; `own` is the lab's folder."""
    found = families(run)
    pids = [pid for family in found.values() for pid in family]
    uses, began = Uses(pids), time.monotonic()
    texts = {pid: stacks_of(pid, began + ALL_SECONDS) for pid in pids}
    time.sleep(max(0.0, began + LOOKING_SECONDS - time.monotonic()))
    answers = []
    for rank, family in found.items():
        stacks = {pid: list(map(_without_ours, stacks_in(texts[pid], {}, pid, own))) for pid in family}
        seen = (uses.seen(pid, stacks[pid]) for pid in family)
        notes = notes_of(family)
        kills = sum(int(line.split()[1]) for line in notes if line.startswith(KILLS))
        died: list[Died] = [death_in(line) for line in notes if not line.startswith(KILLS)]
        alive = [one for one in seen if one is not None]
        answers.append(Looked(rank, alive, died + unnoticed(family), out_of_memory(kills)))
    return answers


def main() -> None:
    """Look, and report."""
    if not Path("/proc/self/stat").exists():
        sys.exit("this system has no /proc: nobody can look at its processes")
    for looked in look(os.environ["PARLAB_RUN"], Path(sys.argv[1])):
        sys.stdout.buffer.write(to_line(looked))


if __name__ == "__main__":
    main()
