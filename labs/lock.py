"""lock: two processes, one balance, and why += needs a lock

Question   A balance of 100 is shared. One process deposits ten thousand times, one withdraws as much, both at the same
           time. How much is left? And with threads: Python runs only one of them at a time, so is a lock still needed?

Setup      One node with two virtual cores, each 1/2 of a core of your machine. A shared value lies in memory that
           several processes use. A barrier stops processes until the last one has come; then all go on at once.

Predict    `ten_runs` repeats this ten times. How many of the ten end with 100 without a lock, and how many with one?

Run        ./invoke lab.lock

What happens, and why
           `balance.value += 1` is three steps: read the balance, add, write. The slow motion prints each read and
           write. Without a lock the withdrawal reads before the deposit has written, and then writes over it:

               deposit reads 100, withdrawal reads 100,
               deposit writes 101, withdrawal writes 99

           The deposit is lost (`./invoke report` draws it). The result depends on who is faster: a race condition. In
           the ten runs so many updates are lost that hardly one ends with 100. A balance may end far above or below.
           With a lock around all three steps, the second one waits and then reads the value that the first has written:
           100, always.
           That has its price. To take a lock and give it back costs as much as several additions (see the figures). And
           work under a lock is done by one at a time, on however many cores.
           Threads lose updates, too: see the slow motion. The GIL guards the interpreter's own data, not your three
           steps. The GIL may pass to another thread between any two.

Traps      - A shared Value has a lock, but takes it for reading and for writing, not in between. Take it yourself:
             `with balance.get_lock():`. It is an RLock: its holder may take it again.
           - Each must take the same lock. A lock that a process makes for itself keeps nobody else out.
           - An error between `acquire` and `release` leaves the lock taken for ever; `with` gives it back. Lesson 004
             writes `lock.aquire()`: there is no such method.
           - Lesson 004: the GIL "prevents race conditions", and Python allows no multi-threading. Neither is true.

Exercise   Let `pay` add plain `amount`, as the lesson does. Is it right now, or wrong more rarely? Run it often.
Lessons    004
Follows    dropin
Minutes    15
"""

import threading
from contextlib import nullcontext
from multiprocessing import get_context
from timeit import repeat

from parlab.lab import Lab, holding, mark, metric, wait

lab = Lab(unit=1.0, nodes=1, cores=2, speed=1 / 2, same=lambda balances, right: set(balances) == {right})
fork = get_context("fork")
KINDS = {"processes": fork.Process, "threads": threading.Thread}


def pay(amount, start, balance, lock):
    start.wait()
    for _ in range(10_000):
        with lock:
            balance.value += sum([amount] * 100) // 100  # between reading and writing, pennies are counted


def pay_slowly(amount, name, late, both, balance, lock):
    unguarded = isinstance(lock, nullcontext)
    wait(late)  # so that the steps can be told apart in a picture
    with lock if unguarded else holding(lock):
        seen = balance.value
        print(mark(f"{name} reads {seen}"), flush=True)
        if unguarded:
            both.wait()  # with a lock the other one cannot be here
        wait(late if unguarded else 0.6)
        balance.value = seen + amount
        print(mark(f"{name} writes {balance.value}"), flush=True)


@lab.serial
def one_after_another(task=pay):
    balance = fork.Value("i", 100)
    for amount in (+1, -1):
        task(amount, threading.Barrier(1), balance, nullcontext())
    return balance.value


def at_once(task, kind, lock, *payments):
    balance = fork.Value("i", 100)
    locks = {"none": nullcontext(), "Lock": fork.Lock(), "get_lock": balance.get_lock()}
    payers = [KINDS[kind](target=task, args=(*payment, balance, locks[lock])) for payment in payments]
    for payer in payers:
        payer.start()
    for payer in payers:
        payer.join()
    return balance.value


@lab.case(outcome="wrong", kind="processes", lock="none")
@lab.case(kind=["processes", "threads"], lock=["Lock", "get_lock"])
def ten_runs(task=pay, *, kind, lock):
    balances = [at_once(task, kind, lock, (+1, start), (-1, start)) for start in [fork.Barrier(2) for _ in range(10)]]
    print(*balances)
    metric("of 10 balances wrong", 10 - balances.count(100))
    metric("ns for a Lock", 1e5 * min(repeat("with lock: pass", globals={"lock": fork.Lock()}, number=10_000)))
    metric("ns for an addition", 1e5 * min(repeat("total += 1", "total = 0", number=10_000)))
    return balances


@lab.case(outcome="wrong", kind=["processes", "threads"], lock="none")
@lab.case(kind="processes", lock="Lock")
def slow_motion(task=pay_slowly, *, kind, lock):
    both = fork.Barrier(2)
    return [at_once(task, kind, lock, (+1, "deposit", 0.2, both), (-1, "withdrawal", 0.4, both))]


@lab.expect
def balances_are_right_with_a_lock_only_and_it_costs_several_additions(cases):
    for case in cases.of(ten_runs, slow_motion):
        outcome = "wrong" if case.settings["lock"] == "none" else "right"
        assert case.median_repeat.outcome == outcome, f"{case.name} is {case.median_repeat.outcome}"
    ns = cases.find(ten_runs, kind="threads", lock="Lock").metrics
    assert ns["ns for a Lock"] > 4 * ns["ns for an addition"], f"{ns['ns for a Lock'] / ns['ns for an addition']:.1f}"


if __name__ == "__main__":
    lab.main()
