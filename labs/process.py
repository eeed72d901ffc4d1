"""process: start processes, join them, and what one costs

Question   How long do two processes take on two cores, and how long do four? If they are of different length, whose
           result comes first? What does it cost to start a process, and what a thread?

Setup      One node with two virtual cores, each 3/8 of a core of your machine. A task is one call of `square`: it
           computes for a few units, and a unit is 0.5 s. A worker is a process with one task.

Predict    A core does one task at a time. A task of 4 units takes 2 s. Two processes have a core each: 2 s. Four have
           half a core each: how long? And two tasks, with `run()` in place of `start()`?

Run        ./invoke lab.process
           ./invoke lab.process --cores 4     now four processes have a core each

What happens, and why
           `Process(target=task)` only makes an object. `start()` makes the process, here by fork: the child begins as
           a copy of its parent. `start()` returns at once. The child's changes stay in the child, so it sends its
           result through a queue. `join()` waits until the child ends.
           Four processes on two cores take turns. The work of two rounds takes 4 s. Where tasks compute, more processes
           than cores gain nothing. `run()` only calls the function, in the parent: 4 s, no gain at all.
           With lengths (3, 1) the first process to start is the last to end. The queue holds results in the order in
           which the tasks end: 1 before 9. The serial result is [9, 1], so its `outcome=` is "wrong".
           `join(timeout)` waits at most that many seconds, here 2 units. The process may still run then: see "alive" in
           the figures. It returns None either way, so ask `is_alive()`. The plain `join()` below waits for the end.
           A process costs at least five times as much as a thread. To fork, the system copies the parent's page
           tables; at the end it removes the copy. The figures (ms) are for start and join, on a whole core of your
           machine.

Traps      - Lesson 004 starts `calc`, but its function is `sum_up_to_n`: NameError. Then it calls `process.start()`,
             but no `process` is defined. It means the one just appended, `processes[-1]`.
           - It starts `os.cpu_count()` processes. That counts the machine's cores, not those that you may use.
           - It lets `multiprocessing` "open different threads", and calls threads sub-processes. It opens processes.
           - `join()` before `get()` can wait for ever: a process with a large result ends only when the result is
             taken.

Exercise   Change (3, 1) to (1, 3). What does the lab say now, and is the program right? Make it right for both. (The
           claim that looks for (3, 1) then "cannot be shown".)
Lessons    004
Minutes    10
"""

from multiprocessing import get_context
from threading import Thread
from time import perf_counter

from parlab.lab import Lab, approx, burn, metric

lab = Lab(unit=0.5, cores=2, speed=3 / 8, bounds={"workers": None})
fork = get_context("fork")  # how processes start: a child begins as a copy of its parent


def square(units, results):
    burn(units)
    results.put(units * units)


@lab.serial
@lab.case(workers=2, lengths=(4, 4))
def run_instead_of_start(task=square, *, lengths, workers=1):
    results = fork.SimpleQueue()
    for units in lengths:
        fork.Process(target=task, args=(units, results)).run()
    return [results.get() for _ in lengths]


@lab.case(workers=2, lengths=(4, 4))
@lab.case(workers=4, lengths=(4, 4, 4, 4))
@lab.case(workers=2, lengths=(3, 1), outcome="wrong")
def one_process_each(task=square, *, lengths, workers):
    results = fork.SimpleQueue()
    processes = [fork.Process(target=task, args=(units, results)) for units in lengths]
    for process in processes:
        process.start()
    processes[0].join(timeout=2 * lab.unit)  # in seconds
    metric("alive after join(timeout)", sum(process.is_alive() for process in processes))
    squares = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return squares


@lab.case(lengths=(0,), limits=False)  # a price in real time, on a whole core of your machine
def price_of_starting(task=square, *, lengths):
    squares = run_instead_of_start(task, lengths=lengths)
    for kind in (fork.Process, Thread):
        began = perf_counter()
        for one in [kind(target=int) for _ in range(100)]:  # int() does nothing
            one.start()
            one.join()
        metric(f"ms a {kind.__name__}", 1000 * (perf_counter() - began) / 100)
    return squares


@lab.expect(limits=True)
def processes_share_the_cores(cases):
    for workers in (2, 4):
        case = cases.find(one_process_each, lengths=(4,) * workers)
        assert case.speedup == approx(min(workers, case.spec.cores), rel=0.05), f"{workers} gained {case.speedup:.2f} x"


@lab.expect
def run_gains_nothing(cases):
    speedup = cases.find(run_instead_of_start).speedup
    assert speedup == approx(1, rel=0.05), f"it was {speedup:.2f} times as fast as one after another"


@lab.expect
def join_with_a_timeout_returns_and_the_first_to_start_finishes_last(cases):
    case = cases.find(one_process_each, lengths=(3, 1))
    assert case.metrics["alive after join(timeout)"] == 1, f"not just one: {case.metrics}"
    assert case.median_repeat.outcome == "wrong", "the results came in the order of starting"


@lab.expect
def a_process_costs_at_least_five_times_a_thread(cases):
    figures = cases.find(price_of_starting).metrics
    assert figures["ms a ForkProcess"] > 5 * figures["ms a Thread"], f"found {figures}"


if __name__ == "__main__":
    lab.main()
