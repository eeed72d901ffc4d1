"""A span: one task's life, and its phases; written by the worker, passed on by the launcher, read by the host.

All stamps are `time.monotonic()` in seconds: one clock for all processes under one kernel. Where nodes have kernels of
their own, the host brings their stamps to one clock (model/clocks.py).
"""

from dataclasses import dataclass

OK = "ok"
LOCK_WAIT, LOCK_HELD = "lock wait", "lock held"  # phases with a meaning


@dataclass(frozen=True)
class Phase:
    """A named stretch of a task, or an instant of it; times as of its span."""

    name: str
    started: float
    finished: float

    @property
    def instant(self) -> bool:
        """Whether it is a mark, which takes no time."""
        return self.started == self.finished


@dataclass(frozen=True)
class Span:
    """Times in seconds of the monotonic clock; `node` is the host name that the worker saw, `rank` its MPI rank.

    `cpu_s` is CPU time of the thread, `process_cpu_s` that of its whole process; what burns did ahead (task/pace.py)
    counts for the task that makes use of it. `waited_s` was spent in `wait`. `run_delay_s` is how long the thread was
    ready to run and did not: it was throttled, or others ran; None where the kernel does not say (task/delay.py).
    `held_up_s` is CPU time of the thread that it was charged while the machine under it stood still (task/pace.py).
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
