"""blas: the threads that NumPy starts behind your back, in a pool

Question   A pool of 4 workers on one core: what does it cost if the BLAS of each has 4 threads?

Setup      One node that may use one core of your machine. A task is 12 products of a matrix of 400 x 400 with itself.

Words      BLAS is the library of matrix operations inside NumPy; `matmul` calls it. It starts threads of its own in the
           process that calls it, and they can use several cores.

Predict    Four workers on one core take turns. Why should 16 threads not simply take turns, too?

Run        ./invoke lab.blas
           ./invoke lab.blas --cores 2          on a machine with 3 cores or more: does one process gain from threads?

What happens, and why
           With 4 workers of one thread each the core is shared out, and little is lost. With 4 threads each it takes
           some ten times as long. BLAS threads work on one product together, and wait for each other after each part of
           it. They do not sleep while they wait. They look again and again, to lose no time. That is quick with a core
           for each. Here they wait for a thread that has no core, and use up the CPU time that it needs. Even one
           process with 4 threads suffers.
           Nobody asks for these threads. If their number is unset (None), BLAS starts one for each CPU that it sees.
           It sees a cpuset, but no quota: in a container it counts the machine's CPUs. A pool multiplies them by its
           workers. The figures show how many threads threadpoolctl finds in a worker.

           OMP_NUM_THREADS=1 cures it if it is set before NumPy is loaded, since BLAS reads it once. `variable` sets it
           in a program that has NumPy already. Forked workers copy the loaded library: too late, nothing changes.
           Spawned workers load NumPy afresh, and find it. threadpoolctl, as in `in_pool`, works at any time.

           The rule: processes x threads = cores. Many small tasks: one thread each. One large product: one process
           with many threads. The claim "one process gains from threads" needs two cores: here it cannot be shown.

Traps      - Lessons 001 and 003 set the variables in a notebook. If NumPy is loaded already, nothing happens, and
             nobody tells you.
           - MKL_NUM_THREADS is for Intel's MKL alone. NumPy from PyPI mostly has OpenBLAS: OMP_NUM_THREADS.
           - Lesson 004 draws one process whose BLAS has 4 threads. It gains from them if it may use 4 cores.

Exercise   Make the matrices 100 x 100 and TIMES 400. How does the loss change, and why? (One claim then says no.)
Lessons    001, 003, 004
Follows    reduce
Minutes    15
"""

import os
from multiprocessing import get_context

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from parlab.lab import CannotBeShown, Lab, metric

SEEDS, TIMES = range(8), 12
lab = Lab(unit=1, cores=1, speed=1, same=np.allclose)


def multiply(seed):
    matrix = np.random.default_rng(seed).random((400, 400))
    for _ in range(TIMES):
        product = matrix @ matrix
    return float(product.trace())


def blas_threads():
    return max((library["num_threads"] for library in threadpool_info()), default=0)


@lab.serial
def one_after_another(task=multiply):
    return [task(seed) for seed in SEEDS]


@lab.case(blas=[1, 2, 4])
def one_process(task=multiply, *, blas):
    with threadpool_limits(blas):
        metric("BLAS threads", blas_threads())
        return [task(seed) for seed in SEEDS]


@lab.case(workers=4, blas=[1, 4])
@lab.case(workers=4, blas=None)
def in_pool(task=multiply, *, workers, blas):
    with get_context("fork").Pool(workers, threadpool_limits, (blas,)) as pool:  # None changes nothing
        metric("BLAS threads", pool.apply(blas_threads))
        return pool.map(task, SEEDS, 1)


@lab.case(start=["fork", "spawn"], workers=4)
def variable(task=multiply, *, start, workers):
    os.environ["OMP_NUM_THREADS"] = "1"
    with get_context(start).Pool(workers) as pool:
        metric("BLAS threads", pool.apply(blas_threads))
        return pool.map(task, SEEDS, 1)


@lab.expect(limits=True)
def too_many_threads_make_a_pool_at_least_twice_as_slow(cases):
    one, four = (cases.find(in_pool, blas=blas, workers=4).measured_s for blas in (1, 4))
    assert four > 2 * one, f"{four / one:.1f} times as long"


@lab.expect
def a_variable_set_after_the_import_changes_nothing(cases):
    unset = cases.find(in_pool, blas=None, workers=4).metrics["BLAS threads"]
    found = (cases.find(variable, start=start, workers=4) for start in ("fork", "spawn"))
    forked, spawned = (case.metrics["BLAS threads"] for case in found)
    if unset < 2:
        raise CannotBeShown(f"BLAS starts {unset:.0f} threads by itself here")
    assert (forked, spawned) == (unset, 1), f"{unset:.0f} threads unset, {forked:.0f} forked, {spawned:.0f} spawned"


@lab.expect(cpus=2)
def one_process_gains_from_threads(cases):
    one, two = (cases.find(one_process, blas=blas).measured_s for blas in (1, 2))
    assert two < one / 1.3, f"{one / two:.2f} times as quick"


if __name__ == "__main__":
    lab.main()
