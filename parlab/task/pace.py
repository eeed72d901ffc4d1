"""The virtual core: `pace`, `burn` and `wait`.

How it works. A virtual core is `speed` of one host core. A node's kernel limit caps all processes of the node
together, but a quota is pooled: a lone process could take all of it. So sample work calls `pace()` between small
steps. `pace` keeps a *lead*: the CPU seconds that this process is ahead of a core that runs at `speed`,

    lead += CPU seconds used - speed x seconds elapsed        (both since the last call)

and sleeps until the lead is gone. A negative lead is a lag: the process was ready to compute but did not get the CPU,
e.g. in an oversubscribed node, or a sleep took too long. At most one CFS period of lag is made up for later, as with
the kernel's own quota; more would let a starved process outrun its core.

CPU time is the *process's*, all threads together. This preserves the GIL's effect: two threads that take turns in
one interpreter share one virtual core. (By thread time, four CPU-bound threads would take as long as one.) On a
free-threaded interpreter a process may use `cores` virtual cores, and each thread one.

If a hypervisor stops the machine for some milliseconds, or an interrupt comes, the kernel charges that time to the
running thread. Sleeping it off would cost eight times as long at a speed of 1/8. So CPU time that a burn is charged
beyond its units is counted as *done ahead*: the thread's next burn computes that much less.

Time between two tasks is neither work nor lag: a core cannot save its idle time. CPU time used there (e.g. for
unpickling) is charged anyway. So `burn` begins with `resume()`, and so does every task that the harness runs.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from parlab.model.spec import PERIOD

GRAIN = 0.004  # seconds; shorter leads are not slept off one by one: a wake-up costs CPU
STEP = 250  # additions between two reads of the clock: about 10 microseconds of a host core
NO_STEP = 0.0005  # CPU seconds for a step and the sleep before it: more is neither work nor a slow machine


@dataclass(frozen=True)
class Scale:
    """A process's facts about its node: `speed` (host cores per virtual core), `cores`, `unit` (seconds)."""

    speed: float = 1.0
    cores: int = 1
    unit: float = 1.0

    @classmethod
    def from_environment(cls) -> "Scale":
        """Read PARLAB_SPEED, PARLAB_CORES and PARLAB_UNIT, which every launch exports."""
        get = os.environ.get
        return cls(float(get("PARLAB_SPEED", "1")), int(get("PARLAB_CORES", "1")), float(get("PARLAB_UNIT", "1")))


_measuring_s = 0.0


def count_measuring(cpu_s: float) -> None:
    """Set the CPU seconds that measuring has cost this process so far: they are not work of its virtual core.

    They count against the node's limit: it has that much less for its tasks.
    """
    global _measuring_s
    _measuring_s = cpu_s


def _process_time() -> float:
    return time.process_time() - _measuring_s


@dataclass(frozen=True)
class Clocks:
    """The time functions of a host, in seconds; tests replace them."""

    now: Callable[[], float] = time.monotonic
    process_time: Callable[[], float] = _process_time
    thread_time: Callable[[], float] = time.thread_time
    sleep: Callable[[float], None] = time.sleep


class Lead:
    """The lead of one CPU clock over `rate` host cores, in CPU seconds; a negative lead is a lag."""

    def __init__(self, rate: float, cpu_time: Callable[[], float], now: Callable[[], float]) -> None:
        self.rate = rate
        self.seconds = 0.0
        self._cpu_time, self._now = cpu_time, now
        self._last_cpu, self._last_now = cpu_time(), now()

    def _gained(self) -> float:
        cpu, now = self._cpu_time(), self._now()
        gained = cpu - self._last_cpu - self.rate * (now - self._last_now)
        self._last_cpu, self._last_now = cpu, now
        return gained

    def advance(self) -> None:
        """Count the time since the last call as time in which the process wanted to compute."""
        self.seconds = max(self.seconds + self._gained(), -self.rate * PERIOD)

    def resume(self) -> None:
        """Count the time since the last call as idle: it reduces a lead, but adds no lag."""
        self.seconds = max(self.seconds + self._gained(), min(self.seconds, 0.0))


class _OfThread(threading.local):
    """A virtual core's data for each thread."""

    waited_s = 0.0
    ahead_s = 0.0  # CPU seconds that count for its next burn
    held_up_s = 0.0  # CPU seconds charged to it for steps beyond their usual time


class VirtualCore:
    """Holds this process to its share of the node; one per process, shared by its threads."""

    def __init__(self, scale: Scale, *, gil: bool = True, clocks: Clocks | None = None) -> None:
        self.scale = scale
        self._clocks = clocks or Clocks()
        self._lock = threading.Lock()
        self._mine = _OfThread()
        self._ahead_s = 0.0  # done ahead by all threads
        rate = scale.speed if gil else scale.speed * scale.cores
        self._process = Lead(rate, self._clocks.process_time, self._clocks.now)
        self._threads = None if gil else threading.local()

    def _leads(self) -> list[Lead]:
        if self._threads is None:
            return [self._process]
        if not hasattr(self._threads, "lead"):
            self._threads.lead = Lead(self.scale.speed, self._clocks.thread_time, self._clocks.now)
        return [self._process, self._threads.lead]

    def resume(self) -> None:
        """Begin a task: the time since the last one was idle time."""
        with self._lock:
            for lead in self._leads():
                lead.resume()

    def _advance(self) -> float:
        """Count the time since the last call as computing. Returns the lead's worth now, in seconds."""
        with self._lock:
            leads = self._leads()
            for lead in leads:
                lead.advance()
            return max(lead.seconds / lead.rate for lead in leads)

    def pace(self, grain: float = GRAIN) -> None:
        """Sleep off this process's lead, if it is worth `grain` seconds or more."""
        if (seconds := self._advance()) > grain:
            self._clocks.sleep(seconds)

    def wait(self, units: float) -> None:
        """Sleep for `units`: idle time, which adds no lag."""
        self._advance()
        began = self._clocks.now()
        self._clocks.sleep(units * self.scale.unit)
        self._mine.waited_s += self._clocks.now() - began
        self.resume()

    def waited_s(self) -> float:
        """Seconds that the calling thread has spent in `wait` so far."""
        return self._mine.waited_s

    def held_up_s(self) -> float:
        """CPU seconds charged to the calling thread in burns while the machine under it stood still."""
        return self._mine.held_up_s

    def cpu_s(self) -> tuple[float, float]:
        """CPU seconds so far of the calling thread and of its process, without the work that burns have done ahead."""
        return self._clocks.thread_time() - self._mine.ahead_s, self._clocks.process_time() - self._ahead_s

    def _count_ahead(self, cpu_s: float) -> None:
        """Move this many of the calling thread's CPU seconds to its next burn: they are not a lead."""
        with self._lock:
            more = cpu_s - self._mine.ahead_s
            self._mine.ahead_s = cpu_s
            self._ahead_s += more
            for lead in self._leads():
                lead.seconds -= more

    def burn(self, units: float) -> None:
        """Compute for `units` on this core: `units x unit x speed` CPU seconds of the calling thread.

        It computes less by the amount that the thread's burns have done ahead.
        """
        self.resume()
        before = self._clocks.thread_time()
        end = before - self._mine.ahead_s + units * self.scale.unit * self.scale.speed
        self._count_ahead(0.0)
        number = 0
        while True:
            lead = self._advance()
            # Only a look after the lead was computed tells whether it exceeds this burn.
            now = self._clocks.thread_time()
            if now - before > NO_STEP:
                self._mine.held_up_s += now - before
            before = now
            if (over := now - end) >= 0:
                break
            if lead > GRAIN:
                self._clocks.sleep(lead)
            for step in range(STEP):
                number += step
        self._count_ahead(over)
        self.pace(grain=0.0)


@dataclass
class Tally:
    """Adds up units instead of spending them, to find the tasks' demand."""

    burned: float = 0.0
    waited: float = 0.0
    paced_s: float = 0.0  # CPU seconds, if `pace` was called
    paces: bool = False


_core: VirtualCore | None = None
_tally: Tally | None = None


def _forget_core() -> None:
    global _core
    _core = None  # a forked child's CPU clock starts at zero
    count_measuring(0.0)


os.register_at_fork(after_in_child=_forget_core)


def has_gil() -> bool:
    """Whether threads of this interpreter take turns; on a free-threaded one they do not."""
    gil: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
    return gil


def core() -> VirtualCore:
    """This process's virtual core, made on first use from the launch's environment."""
    global _core
    if _core is None:
        _core = VirtualCore(Scale.from_environment(), gil=has_gil())
    return _core


@contextmanager
def counted() -> Iterator[Tally]:
    """Within the block `burn` and `wait` return at once and only add their units to the tally."""
    global _tally
    _tally = tally = Tally()
    began = time.thread_time()
    try:
        yield tally
    finally:
        _tally = None
        if tally.paces:
            tally.paced_s = time.thread_time() - began


def pace() -> None:
    """Keep this process to one virtual core: call it between small steps (well under a millisecond) of real work."""
    if _tally is None:
        core().pace()
    else:
        _tally.paces = True


def resume() -> None:
    """Begin a task in this thread: the time since the previous task was idle time."""
    core().resume()


def _check(name: str, units: float) -> None:
    if not 0 <= units < float("inf"):  # nor is NaN
        raise ValueError(f"{name}({units}): units are 0 or more")


def burn(units: float = 1) -> None:
    """Compute for `units` (of the lab's unit, in seconds): needs a core, and contends for it.

    Raises ValueError for less than 0.
    """
    _check("burn", units)
    if _tally is not None:
        _tally.burned += units
    else:
        core().burn(units)


def wait(units: float = 1) -> None:
    """Wait for `units` (of the lab's unit, in seconds), as for a disk or a network: needs no core.

    Raises ValueError for less than 0.
    """
    _check("wait", units)
    if _tally is not None:
        _tally.waited += units
    else:
        core().wait(units)
