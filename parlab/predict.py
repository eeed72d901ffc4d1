"""The ideal: how long a case takes when nothing is lost."""

import heapq
from collections.abc import Sequence

from parlab.lab import Units


def ideal_units(tasks: Sequence[Units], workers: int) -> float:
    """Units until the last of `tasks` is done, handed out one by one to whichever of `workers` is free first.

    Each worker has a virtual core of its own. This is list scheduling (Graham, "Bounds on certain multiprocessing
    anomalies", 1966), in the order in which the tasks are submitted.
    """
    free_at = [0.0] * workers
    for task in tasks:
        heapq.heapreplace(free_at, free_at[0] + task.burned + task.waited)
    return max(free_at)
