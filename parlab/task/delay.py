"""How long a thread was ready to run and did not, by the kernel's own account of it.

Documented in the kernel's Documentation/scheduler/sched-stats.rst, under /proc/<pid>/schedstat.
"""

import os
import threading

SCHEDSTAT = "/proc/thread-self/schedstat"

_here = threading.local()


class _Account:
    """The kernel's file on a thread, kept open: opening it costs four times what reading it does."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._file = os.open(SCHEDSTAT, os.O_RDONLY)

    def run_delay_s(self) -> float:
        """How long the thread that made this has been ready to run and has not run."""
        return int(os.pread(self._file, 64, 0).split()[1]) / 1e9

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


def run_delay_s() -> float | None:
    """Seconds that this thread has been ready to run and has not run; None where the kernel does not say."""
    account = getattr(_here, "account", None)
    if account is None or account.pid != os.getpid():  # forked: the file tells of the parent's thread
        try:
            account = _here.account = _Account()
        except OSError:
            return None
    return account.run_delay_s()
