"""Metrics recorded by a case itself, other than times of tasks: for example a bandwidth or a count."""

import math

_taken: dict[str, float] = {}


def metric(what: str, value: float) -> None:
    """Add a number to the record, and show it next to its value: `metric("MB/s", 812.5)`.

    Call it in the process that runs the case; with MPI, in rank 0. A later value of the same name replaces the earlier.
    Raises ValueError for infinite values and NaN.
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
