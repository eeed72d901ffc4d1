"""The prediction of 10 000 tasks on 1 000 workers of 50 nodes takes less than a second.

.venv/bin/python -m benchmarks.prediction
"""

import sys
import time

from parlab.analysis.ideal import schedule
from parlab.model.case import Demand
from parlab.model.workers import Workforce

MOST_SECONDS = 1.0


def main() -> None:
    """Time it three times and judge the median."""
    tasks = [Demand(1 + number % 7, number % 3) for number in range(10_000)]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        schedule(tasks, Workforce(workers=1000, nodes=50, cores=8))
        times.append(time.perf_counter() - start)
    median = sorted(times)[1]
    print(f"median {median:.2f} s of {', '.join(f'{t:.2f}' for t in times)}; at most {MOST_SECONDS:g} s")
    sys.exit(median > MOST_SECONDS)


if __name__ == "__main__":
    main()
