"""A thread's run-queue delay: the time in which it was ready but did not run, as counted by the kernel.

Documented in the kernel's Documentation/scheduler/sched-stats.rst, under /proc/<pid>/schedstat.
"""

import os
import threading

SCHEDSTAT = "/proc/thread-self/schedstat"

_here = threading.local()


class _Account:
    """The kernel's file about a thread, kept open: opening costs four times as much as reading."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._file = os.open(SCHEDSTAT, os.O_RDONLY)

    def run_delay_s(self) -> float:
        """Run-queue delay, in seconds, of the thread that made this object."""
        return int(os.pread(self._file, 64, 0).split()[1]) / 1e9

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


def run_delay_s() -> float | None:
    """Seconds in which this thread was ready but did not run; None if the kernel does not report it."""
    account = getattr(_here, "account", None)
    if account is None or account.pid != os.getpid():  # after a fork the file still belongs to the parent's thread
        try:
            account = _here.account = _Account()
        except OSError:
            return None
    return account.run_delay_s()
