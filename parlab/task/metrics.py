"""Metrics that a case takes itself: what is not the time of its tasks, as a bandwidth or a count."""

import math

_taken: dict[str, float] = {}


def metric(what: str, value: float) -> None:
    """Put a number into the record, and on the screen behind its value: `metric("MB/s", 812.5)`.

    Call it in the process that runs the case; of MPI ranks, in rank 0. What is said twice counts as it was said last.
    Raises ValueError for what is infinite or not a number.
    """
    taken = float(value)
    if not math.isfinite(taken):
        raise ValueError(f"metric({what!r}, {value}): not a number that can be recorded")
    _taken[str(what)] = taken


def take_metrics() -> dict[str, float]:
    """Return the metrics taken since the last call, and forget them."""
    taken = dict(_taken)
    _taken.clear()
    return taken
