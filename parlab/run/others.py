"""Other programs on this machine while a launch is measured, if one kernel runs this process and the nodes."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from parlab.model.reading import Busiest
from parlab.node.kernel import boot_id
from parlab.node.meter import Stat, stats

PROC = Path("/proc")


class Others:
    """The processes of this machine that are not part of a launch, from here on.

    `boot` is the kernel of the nodes, `run` the launch. `nodes` are substrings of the control groups' names for
    processes in nodes. If the nodes run under another kernel, nothing is known.
    """

    def __init__(self, boot: str, run: str, nodes: Collection[str], proc: Path = PROC) -> None:
        self._proc, self._run, self._nodes = proc, run.encode(), nodes
        self._seen = bool(boot) and boot == boot_id()
        self._before = {pid: stat.cpu_s for pid, stat in self._all().items()}

    def _all(self) -> dict[str, Stat]:
        return {stat.pid: stat for stat in stats(self._proc)} if self._seen else {}

    def busiest(self) -> Busiest | None:
        """The process that has used most CPU since; None if none has used any, or if nothing is known."""
        found = self._all()
        used = {pid: stat.cpu_s - self._before.get(pid, 0.0) for pid, stat in found.items()}
        for pid in sorted(used, key=lambda pid: used[pid], reverse=True):
            if used[pid] <= 0:
                return None
            if not self._is_ours(pid, found):
                return Busiest(int(pid), found[pid].name, used[pid])
        return None

    def _is_ours(self, pid: str, found: dict[str, Stat]) -> bool:
        """Whether a process belongs to the launch, is in a node, or was started by this process."""
        if found[pid].run == self._run:
            return True
        with suppress(OSError):  # gone meanwhile
            groups = (self._proc / pid / "cgroup").read_text()
            if any(node in groups for node in self._nodes):
                return True
        while pid in found:
            if pid == str(os.getpid()):
                return True
            pid = found[pid].parent
        return False
