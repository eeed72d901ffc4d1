"""The processes that a rank has started, and their current activities: from /proc, and from their own faulthandlers.

The caller is their subreaper (prctl(2)): all processes that they start stay below it, in any environment.
"""

import ctypes
import linecache
import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from parlab.model.job_events import Died, Frame, MpiCall, Seen, Stack
from parlab.node.hook.sitecustomize import LOOK
from parlab.node.processes import TRACKER, TRACKER_SECONDS
from parlab.node.waits import waiting_in_mpi

SET_CHILD_SUBREAPER = 36  # of prctl(2), in linux/prctl.h
WRITTEN_SECONDS = 2.0  # for a process to write its stacks: with little CPU it takes a while
STILL_SECONDS = 0.1  # a file that has not grown for this long is complete
COMMAND = 200  # characters of a command, at most
STATUS = 49  # index of a zombie's exit_code, from the third field of proc_pid_stat(5) on
THREAD = re.compile(r"(Current thread|Thread) 0x(?P<number>[0-9a-f]+)")
ESCAPED = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")  # faulthandler writes ASCII
FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)')


def become_subreaper() -> None:
    """Make this process the parent of orphans below it; on Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of_all() -> dict[int, list[int]]:
    """The children of each process that has any; empty on a system without /proc."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if (facts := _stat(int(folder.name))) is not None:
            children.setdefault(int(facts[1]), []).append(int(folder.name))
    return children


def descendants(pid: int, children: Mapping[int, list[int]] | None = None) -> list[int]:
    """All processes below one, parents before children; pass `children` if they are known already."""
    children = children_of_all() if children is None else children
    found = list(children.get(pid, ()))
    for one in found:  # the list grows meanwhile
        found += children.get(one, ())
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of proc_pid_stat(5) from the third, the state, on; None if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def command_of(pid: int) -> str:
    """The command line of a process, as one would type it; '' if the process is gone or a zombie."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return " ".join(word.decode(errors="replace") for word in words).strip()[:COMMAND]


def end_all(pid: int) -> list[str]:
    """Kill all processes left below a process, and wait for them; the commands of those that were not zombies.

    A resource tracker is left until last: once all processes that it serves are dead, it cleans up shared memory, and
    ends.
    """
    ended: list[str] = []
    until = time.monotonic() + TRACKER_SECONDS
    while left := descendants(pid):
        commands = {one: command_of(one) for one in left}
        late = time.monotonic() > until
        for one, command in commands.items():
            if command and (late or TRACKER.decode() not in command):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(one, signal.SIGKILL)
                    ended.append(command)
        _reap()
        time.sleep(0.005)
        if time.monotonic() > until + TRACKER_SECONDS:
            break
    _reap()
    return [command for command in ended if TRACKER.decode() not in command]


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def look_at(pids: list[int], stacks: Path, own: Path, seconds: float) -> list[Seen]:
    """The current activity of each of these processes; `own` is the program's folder. Takes a little over `seconds`."""
    uses, began = Uses(pids), time.monotonic()
    asked = [pid for pid in pids if _ask(pid, stacks)]  # the others are not waited for
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    waits = {pid: waiting_in_mpi(stacks / f"{pid}.mpi", elapsed) for pid in pids}
    texts = {pid: _written(stacks / f"{pid}.stack", began + WRITTEN_SECONDS) for pid in asked}
    found = (uses.seen(pid, list(stacks_in(texts.get(pid, ""), waits[pid], pid, own))) for pid in pids)
    return [one for one in found if one is not None]


class Uses:
    """The CPU time that processes use from here on, and the time for which they wait for a CPU."""

    def __init__(self, pids: list[int]) -> None:
        self._began = time.monotonic()
        self._before = {pid: (cpu_s(pid), delay_s(pid)) for pid in pids}

    def seen(self, pid: int, stacks: list[Stack]) -> Seen | None:
        """The observed activity of a process; None if it has ended."""
        if state_of(pid) in ("", "Z"):
            return None
        elapsed, (cpu, delay) = time.monotonic() - self._began, self._before[pid]
        used, held_back = max(0.0, cpu_s(pid) - cpu), max(0.0, delay_s(pid) - delay)
        return Seen(pid, command_of(pid), used / elapsed, stacks, held_back / elapsed)


def state_of(pid: int) -> str:
    """The state as one letter of proc_pid_stat(5); '' if the process is gone, and without /proc."""
    facts = _stat(pid)
    return "" if facts is None else facts[0]


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, to the kernel's tick; 0 if it is gone, and without /proc."""
    facts = _stat(pid)
    return 0.0 if facts is None else (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def delay_s(pid: int) -> float:
    """Seconds for which its main thread was runnable but did not run; 0 if the kernel does not report them.

    Another thread may be ours, which reads the node.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def knows_the_signal(pid: int) -> bool:
    """Whether a process handles LOOK: the signal would end any other."""
    with suppress(OSError):
        found = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
        return found is not None and bool(int(found[1], 16) >> (LOOK - 1) & 1)
    return False


def _ask(pid: int, stacks: Path) -> bool:
    """Ask a process for its stacks if it handles the signal; return whether it does."""
    file = stacks / f"{pid}.stack"
    with suppress(OSError):
        if file.exists() and knows_the_signal(pid):
            os.truncate(file, 0)
            os.kill(pid, LOOK)
            return True
    return False


def _written(file: Path, until: float) -> str:
    """A file's text once the file has stopped growing; '' if there is none."""
    text, since = "", time.monotonic()
    while True:
        with suppress(OSError):
            now = file.read_text(errors="replace")
            if now != text:
                text, since = now, time.monotonic()
        if not file.exists() or (text and time.monotonic() > since + STILL_SECONDS) or time.monotonic() > until:
            return text
        time.sleep(0.01)


def stacks_in(text: str, waits: Mapping[int, MpiCall], pid: int, own: Path) -> Iterator[Stack]:
    """The threads of a dump, the main thread first: the dump has it last, after all others."""
    threads: list[Stack] = []
    with suppress(OSError):
        here = Path(f"/proc/{pid}/cwd").readlink()
        for line in text.splitlines():
            if thread := THREAD.match(line):
                threads.append(Stack([], waits.get(int(thread["number"], 16))))
            elif threads and (found := FRAME.match(line)):
                threads[-1].frames.append(_frame(here, found["file"], int(found["line"]), found["function"], own))
    yield from reversed([thread for thread in threads if thread.frames])


def _frame(here: Path, name: str, line: int, function: str, own: Path) -> Frame:
    if name.startswith("<"):  # no file: a frozen module, or typed code
        return Frame(name, line, function, "", own=False)
    file = here / ESCAPED.sub(lambda found: chr(int(found[1][1:], 16)), name)
    is_own = file.is_relative_to(own) and "site-packages" not in file.parts
    name = str(file.relative_to(own)) if is_own else str(file)
    name = name.encode(errors="backslashreplace").decode()  # messages contain no bytes outside UTF-8
    return Frame(name, line, function, linecache.getline(str(file), line).strip(), is_own)


def died(stacks: Path, pids: Iterable[int] = ()) -> list[Died]:
    """The failed children of a rank's processes, in the order in which the failures were noticed.

    Those among `pids` that nobody has waited for yet come last.
    """
    try:
        noted = (stacks / "died").read_text().splitlines()
    except OSError:
        noted = []
    return [death_in(line) for line in noted] + unnoticed(pids)


def death_in(line: str) -> Died:
    """A death, from the line that the parent has written."""
    pid, code, at = line.split()
    return Died(int(pid), int(code), float(at))


def unnoticed(pids: Iterable[int]) -> list[Died]:
    """Failed processes whose parent has not waited for them: it may be waiting for something else."""
    found = []
    for pid in pids:
        if (facts := _stat(pid)) is not None and facts[0] == "Z" and (status := int(facts[STATUS])):
            found.append(Died(pid, os.waitstatus_to_exitcode(status), time.monotonic()))
    return found
