"""A span: one task's life, and its phases; the worker writes it, the launcher passes it on, the host reads it.

All stamps are `time.monotonic()` in seconds: one clock for all processes under one kernel. If nodes have their own
kernels, the host converts their stamps to one clock (model/clocks.py).
"""

from dataclasses import dataclass

OK = "ok"
LOCK_WAIT, LOCK_HELD = "lock wait", "lock held"  # phases with a meaning


@dataclass(frozen=True)
class Phase:
    """A named part of a task, or an instant of it; times on the same clock as its span's."""

    name: str
    started: float
    finished: float

    @property
    def instant(self) -> bool:
        """Whether it is a mark, which has no duration."""
        return self.started == self.finished


@dataclass(frozen=True)
class Span:
    """Times in seconds of the monotonic clock; `node` is the host name seen by the worker, `rank` its MPI rank.

    `cpu_s` is CPU time of the thread, `process_cpu_s` of its whole process; work that burns did in advance
    (task/pace.py) counts for the task that uses it. `waited_s` was spent in `wait`. `run_delay_s` is the time in which
    the thread was ready but did not run: it was throttled, or others ran; None if the kernel does not report it
    (task/delay.py). `held_up_s` is the part of the thread's CPU time in which the machine stood still (task/pace.py).
    """

    submitted: float
    started: float
    finished: float
    received: float
    cpu_s: float
    process_cpu_s: float
    waited_s: float
    run_delay_s: float | None
    node: str
    rank: int
    pid: int
    thread: int
    outcome: str = OK  # or the name of the exception that it raised
    phases: tuple[Phase, ...] = ()
    held_up_s: float = 0.0

    @property
    def waiting_s(self) -> float:
        """Seconds in `wait`, or in a phase "lock wait"."""
        return self.waited_s + sum(phase.finished - phase.started for phase in self.phases if phase.name == LOCK_WAIT)
