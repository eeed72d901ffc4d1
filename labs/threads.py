"""threads: threads or processes, to compute and to wait

Question   Four tasks, four workers, two cores. When do threads save time, and when do processes? And may threads change
           the same variable without further precautions, since only one of them runs Python at a time?

Setup      One node with two virtual cores, each 3/8 of a core of your machine. A task is one call of `square`; a unit
           is 0.5 s. A CPU-bound task ("cpu") computes, an I/O-bound task ("io") waits. A worker is a thread or a
           process, as the case says.

Predict    A CPU-bound task takes 2.5 units on a core of its own: four take 10 units, 5 s, one after another. An
           I/O-bound task waits 4 units and needs no core: four take 16 units, 8 s. How long do four threads take for
           each, and how long do four processes?

Run        ./invoke lab.threads
           ./invoke lab.threads --cores 4     a core for each worker: which of the four times change?

What happens, and why
           The interpreter runs your Python code. It has a lock, the GIL: only the thread that holds it runs Python.
           Four threads that compute take turns: 5 s. That is no gain, and the second core is idle. Every process has
           its own interpreter and GIL. Four processes keep both cores busy: 2.5 s, or 1.25 s with four cores.
           A thread that waits lets go of the GIL. So all four wait at the same time: 2 s, and processes do no better.
           Threads start faster and share their memory, so they are the better choice there.
           A "free-threaded" Python has no GIL (then the figures show "0 GIL"). There threads gain the cores as well.

           The GIL guards the interpreter, not your sums. `total += task(...)` reads the total, runs the task, adds and
           writes. All four threads read 0, and all wait. Then each writes its own square: the last one wins, three are
           lost. With a lock the total is right, 30. But this lock is held while the task waits. So the threads take
           turns and need four times as long. Hold a lock around the steps that must not be interrupted, and around
           nothing else.

Traps      - Lesson 004: "in python multi-threading is not allowed". It is allowed, and threads are enough for tasks
             that wait.
           - Lesson 004: the GIL prevents such losses, and threads cause no bugs. Both are wrong. With no call between
             reading and writing, today's Python happens not to switch threads. Nothing promises that.

Exercise   In `add_to_a_total` take the task out of the lock, so that the total is right in 0.25 s. What does the lab
           now say of the case without a lock? Would you trust that case?
Lessons    002, 004
Follows    process
Minutes    10
"""

import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from threading import Lock

from parlab.lab import Lab, approx, burn, metric, wait

lab = Lab(unit=0.5, cores=2, speed=3 / 8, bounds={"workers": (2, 64)})
NUMBERS = [1, 2, 3, 4]
KINDS = {"cpu": (burn, 2.5), "io": (wait, 4), "short io": (wait, 0.5)}  # each with its units


def square(number, kind):
    spend, units = KINDS[kind]
    spend(units)
    return number * number


@lab.serial
def one_after_another(task=square, *, kind):
    return sum(task(number, kind) for number in NUMBERS)


@lab.case(kind=["cpu", "io"], workers=4, threads=True)
def threads(task=square, *, kind, workers):
    metric("GIL", getattr(sys, "_is_gil_enabled", lambda: True)())
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(task, NUMBERS, [kind] * len(NUMBERS)))


@lab.case(kind=["cpu", "io"], workers=4)
def processes(task=square, *, kind, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        return sum(pool.map(task, NUMBERS, [kind] * len(NUMBERS)))


@lab.case(kind="short io", workers=4, lock=False, threads=True, outcome="wrong")
@lab.case(kind="short io", workers=4, lock=True, threads=True)
def add_to_a_total(task=square, *, kind, workers, lock):
    total, guard = 0, Lock() if lock else nullcontext()

    def add_square(number):
        nonlocal total
        with guard:
            total += task(number, kind)  # reads the total, runs the task, adds, writes

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(add_square, NUMBERS))
    metric("in total", total)
    return total


@lab.expect
def cpu_bound_threads_gain_nothing_with_a_gil_and_the_cores_without(cases):
    case = cases.find(threads, kind="cpu")
    assert case.speedup == approx(case.workforce.cores, rel=0.05), f"they gained {case.speedup:.2f} x"


@lab.expect(limits=True)
def cpu_bound_processes_gain_the_cores(cases):
    case = cases.find(processes, kind="cpu")
    assert case.speedup == approx(case.spec.cores, rel=0.05), f"they gained {case.speedup:.2f} x"


@lab.expect
def io_bound_both_gain_the_workers(cases):
    for case in (cases.find(threads, kind="io"), cases.find(processes, kind="io")):
        assert case.speedup == approx(case.workers, rel=0.05), f"{case.name} gained {case.speedup:.2f} x"


@lab.expect
def the_gil_prevents_no_lost_update(cases):
    found, right = (cases.find(add_to_a_total, lock=lock).metrics["in total"] for lock in (False, True))
    assert found < right, f"the total was {found:g} without a lock, and {right:g} with one"


if __name__ == "__main__":
    lab.main()
