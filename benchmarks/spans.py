"""Spans: the cost of one for a task, in microseconds; the limit is 20.

    .venv/bin/python -m benchmarks.spans [--repeat 9]

A task takes the way of a pool: pickled, unpickled and called in the worker, its result pickled and unpickled again.
The bare function takes the same way; the difference is the span's cost. Both in turn, in one process. The head's cost
of sending the span on to the host is listed separately: the head has its own CPU.
"""

import argparse
import pickle
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from parlab.task.recorder import Task, take_recorded

CALLS = 2000
MOST = 20.0


def identity(value: int) -> int:
    """Do nothing: only the cost of the call remains."""
    return value


def seconds_a_call(function: Callable[..., Any]) -> float:
    """Send calls there and back, and return the mean time of one."""
    start = time.perf_counter()
    for number in range(CALLS):
        task, argument = pickle.loads(pickle.dumps((function, number)))
        pickle.loads(pickle.dumps(task(argument)))
    return (time.perf_counter() - start) / CALLS


def main() -> None:
    """Time both in turn and print the difference of each turn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    task = Task(identity)
    costs: list[float] = []
    sending: list[float] = []
    for _ in range(options.repeat):
        costs.append(1e6 * (seconds_a_call(task) - seconds_a_call(identity)))
        spans = take_recorded()
        assert len(spans) == CALLS
        start = time.perf_counter()
        msgspec.json.encode(spans)
        sending.append(1e6 * (time.perf_counter() - start) / CALLS)
    print("us a task:", "  ".join(f"{cost:.1f}" for cost in costs))
    print(f"sending a span on: median {statistics.median(sending):.1f} us")
    print(f"median {statistics.median(costs):.1f} us, wanted at most {MOST:g}")
    sys.exit(statistics.median(costs) > MOST)


if __name__ == "__main__":
    main()
