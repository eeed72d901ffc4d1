"""ipc: six ways to hand an array to a worker, and their price

Question   What does it cost to hand 8 kB, or 8 MB, to a worker, and when is that worth it?

Setup      One node that may use one core of your machine. A worker is a process or a thread, as the case says. It adds
           up an array of numbers and answers with the total.

Predict    A core adds up 8 MB in about 0.2 ms. How long does it take when another process is asked to? Which of the
           ways copy the array, and how often?

Run        ./invoke lab.ipc
           ./invoke lab.ipc --size 1000,100000,1000000

What happens, and why
           Each case hands the array over 40 times and waits for each answer. 40 times 8 MB are 320 MB: divide by the
           measured time, and you have the MB/s. There is no ideal, since nothing here is held to a virtual core.
           An argument of a pool's task, a pipe and a queue all pickle the array. They push the bytes through a pipe, in
           portions of at most 64 kB, and build a new array at the other end. With 8 MB that takes about a hundred times
           as long as the sum. So another process makes this task slower, however many cores there are.
           A manager is a third process that keeps objects for the others. Its queue sends everything twice, into the
           manager and out of it: the slowest way.
           With shared memory, the caller writes the array into a block that both processes see: one plain copy. It
           sends only the word that the array is there. Threads share all memory, so a pool of threads copies nothing at
           all.
           With 8 kB a hand-over takes some tenths of a millisecond, nearly all of it to wake the worker up. Copies
           hardly matter then. The manager takes longer, since it has to be woken, too. So the gain from sharing grows
           with the size. A process pays when it computes for much longer than its data travel.

Traps      - Plain memory that is written after the fork: the worker has a copy of its own from before, and does not see
             it. The code is the same, but the totals are those of zeros. No error tells you.
           - A SharedMemory block takes up memory until every process has closed it and somebody has called `unlink`.
           - Shared memory has no lock. Here the message says when to look. Lab `lock` shows the result without such a
             message.
           - Lesson 004: pickling "requires IO time". No disk is involved: it is CPU time, spent on copies.

Exercise   Let `total` compute for longer: float(sum(np.sin(numbers * i).sum() for i in range(10))). How long must it
           compute until a pool of processes takes less than twice as long as no worker? (The claims then say no.)
Lessons    002, 004
Follows    lock
Minutes    10
"""

from multiprocessing import get_context, shared_memory
from multiprocessing.pool import ThreadPool

import numpy as np

from parlab.lab import Lab

SMALL, LARGE, TIMES = 1_000, 1_000_000, 40  # numbers of 8 bytes in an array; how often it is handed over
fork = get_context("fork")
CHANNELS = {"queue": fork.Queue, "manager": lambda: fork.Manager().Queue()}  # others: a Pipe with a lock at each end
lab = Lab(unit=1, cores=1, speed=1, bounds={"size": (2, 10_000_000)})


def total(numbers):
    return float(numbers.sum())


@lab.serial
@lab.case(size=[SMALL, LARGE])
def no_worker(task=total, *, size):
    numbers = np.arange(size, dtype=float)
    return [task(numbers) for _ in range(TIMES)]


@lab.case(pool=["processes", "threads"], size=[SMALL, LARGE])
def argument(task=total, *, pool, size):
    numbers = np.arange(size, dtype=float)
    with ThreadPool(1) if pool == "threads" else fork.Pool(1) as workers:
        return [workers.apply(task, [numbers]) for _ in range(TIMES)]


def add_up(task, inbox, outbox, array):
    for _ in range(TIMES):
        message = inbox.get()
        outbox.put(task(message if array is None else array))


@lab.case(way=["pipe", "queue", "manager", "shared memory"], size=SMALL)
@lab.case(way=["pipe", "queue", "manager", "shared memory"], size=LARGE, repeat=3)
@lab.case(way="plain memory", size=SMALL, outcome="wrong")
def message(task=total, *, way, size):
    numbers, answers = np.arange(size, dtype=float), []
    inbox, outbox = CHANNELS.get(way, fork.SimpleQueue)(), fork.SimpleQueue()
    block = shared_memory.SharedMemory(create=True, size=8 * size)
    block.unlink()  # a forked worker needs no name for it, and the block goes with its last process
    array = {"shared memory": np.ndarray(size, buffer=block.buf), "plain memory": np.zeros(size)}.get(way)
    worker = fork.Process(target=add_up, args=[task, inbox, outbox, array])
    worker.start()
    for _ in range(TIMES):
        if array is not None:
            array[:] = numbers
        inbox.put(numbers if array is None else "the array is written")
        answers.append(outbox.get())
    worker.join()
    del array  # a block that is in use cannot be closed
    return answers


@lab.expect
def another_process_makes_a_large_sum_slower(cases):
    here, there = cases.find(no_worker, size=LARGE), cases.find(argument, pool="processes", size=LARGE)
    assert there.measured_s > 10 * here.measured_s, f"{there.measured_s / here.measured_s:.1f} times as slow"


@lab.expect
def a_manager_is_the_slowest_way_for_a_large_array(cases):
    manager, *others = (cases.find(message, way=way, size=LARGE).measured_s for way in ("manager", "pipe", "queue"))
    assert manager > max(others), f"{manager:.2f} s, the others up to {max(others):.2f} s"


@lab.expect
def sharing_beats_pickling_the_more_the_larger_the_array(cases):
    sent = [cases.find(message, way="pipe", size=size).measured_s for size in (SMALL, LARGE)]
    shared = [cases.find(message, way="shared memory", size=size).measured_s for size in (SMALL, LARGE)]
    small, large = sent[0] / shared[0], sent[1] / shared[1]
    assert large > max(5, 3 * small), f"{small:.1f} times as quick with {SMALL} numbers, {large:.1f} with {LARGE}"


if __name__ == "__main__":
    lab.main()
