"""Passes on the output of a rank and of its processes as it comes, and reports when a line pauses.

A pause is detected here, beside the rank: on a busy host the second half of a line may arrive late, or be written late
because the rank had no CPU. Only a rank that had some CPU has left its line unfinished.
"""

import select
import selectors
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from parlab.model.job_events import Paused, Wrote
from parlab.node.control import Control
from parlab.node.family import cpu_s, state_of
from parlab.node.outlet import Outlet

GATHER_SECONDS = 0.004  # output is gathered for this long: a message for each line would cost more than the line
PAUSE_SECONDS = 0.1  # after that an unfinished line must be shown as it is: a prompt, a progress bar
SOME_CPU_S = 0.02  # more than the kernel's tick


@dataclass
class _Open:
    """An unfinished line: the time of its last piece, and the CPU time that its rank had used by then."""

    cpu_s: float
    since: float = field(default_factory=time.monotonic)


class Passing:
    """The two streams of one rank, by name. Since `silent_since` there has been nothing to pass on."""

    def __init__(self, line: Control, pid: int, outlets: Mapping[str, Outlet]) -> None:
        self._line, self._pid, self._outlets = line, pid, outlets
        self._open: dict[str, _Open] = {}
        self.silent_since = float("inf")

    def run(self) -> None:
        """Pass on all output, until all writers have closed both streams."""
        with selectors.DefaultSelector() as selector:
            for name, outlet in self._outlets.items():
                selector.register(outlet, selectors.EVENT_READ, name)
            self.silent_since = time.monotonic()
            while selector.get_map():
                ready = selector.select(PAUSE_SECONDS if self._open else None)
                if ready:
                    self.silent_since = float("inf")  # the reader may be slow
                    much = False
                    for key, _ in ready:
                        outlet = self._outlets[key.data]
                        if (data := outlet.read()) is not None:
                            much = much or outlet.is_much(data)
                            if not self._pass_on(key.data, data):
                                selector.unregister(outlet)
                    if not much:
                        time.sleep(GATHER_SECONDS)
                    self.silent_since = time.monotonic()
                self._tell_pauses()

    def _pass_on(self, name: str, data: bytes) -> bool:
        """Pass on a piece of output; return whether the stream goes on."""
        if not data:
            if self._open.pop(name, None) is not None:
                self._line.send(Paused(self._line.rank, name))
            return False
        self._line.send(Wrote(self._line.rank, name, data))
        if data.endswith((b"\n", b"\r")):
            self._open.pop(name, None)
        else:
            self._open[name] = _Open(cpu_s(self._pid))
        return True

    def _tell_pauses(self) -> None:
        now = time.monotonic()
        for name, line in list(self._open.items()):
            if now >= line.since + PAUSE_SECONDS and not self._waits_for_cpu(line) and not self._has_more(name):
                del self._open[name]
                self._line.send(Paused(self._line.rank, name))

    def _has_more(self, name: str) -> bool:
        """Checked last: the earlier output of a rank that sleeps now is in its pipe."""
        return bool(select.select([self._outlets[name]], [], [], 0)[0])

    def _waits_for_cpu(self, line: _Open) -> bool:
        return state_of(self._pid) == "R" and cpu_s(self._pid) < line.cpu_s + SOME_CPU_S
