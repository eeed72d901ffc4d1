"""nested: a library that starts workers of its own, inside your pool

Words      A node is a machine of a cluster; here it is a container with two virtual cores, each as fast as 3/8 of a
           core of your machine. A unit is the time that one step computes, here 0.125 s. joblib is the library by
           which scikit-learn and others start workers: Parallel(2) uses two, out of a pool of its own, called loky.
           `fit` stands for a library that does so: fitting a model takes four steps.

Question   Four models of four steps each are 8 units on two cores. And if your pool has two workers, and in each of
           them the library starts two more?

Predict    How many processes compute at once? How long does a step take then, and how long do all?

Run        ./invoke lab.nested
           ./invoke lab.nested --cores 4 --speed 1/4       a core for each of the four processes: does it pay now?

What happens, and why
           The library alone needs 8 units, and so does a pool around a library that uses one process (n_jobs=1). With
           both (workers=4), 2 x 2 processes compute on two cores: as soon as all are there, each step takes two units.
           The steps as a whole would still be done in 8; but the library's workers have to be started first, and
           each loads Python and joblib anew. That costs more than half as much again.

           How to see it: count. `top` shows twice as many busy processes as cores; a step takes twice as long as
           alone; joblib.effective_n_jobs, asked in one of your workers, is in the figures.

           How to switch it off: n_jobs=1, where the library lets you choose. Where it does not,
           parallel_config("sequential") in each of your workers, as the case with that backend does. Other libraries
           have an argument of their own, as XGBoost's nthread, or read OMP_NUM_THREADS.
           Measure first: even with a core for each process, starting the library's workers may cost more than it gains.

Traps      - The workers of multiprocessing.Pool are daemonic: they must not have children. A pool in a pool ends in
             AssertionError; joblib merely warns, and uses one process (daemonic=True).
           - "May cause locking", says lesson 000. `forked_too_late` uses joblib and then forks: the child believes
             that it has joblib's workers, which are its parent's, and waits for ever. Fork first.
           - Before Python 3.13 a forked ProcessPoolExecutor whose workers have used joblib never ends, either. The
             pool here is joblib's own kind, which does.

Exercise   Write make_pool(1, ...). Why does n_jobs=2 take more than 8 units? (Both claims say no.)
Lessons    000
Follows    cores
Minutes    10
"""

from functools import partial
from multiprocessing import get_context

from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from joblib.externals.loky import ProcessPoolExecutor

from parlab.lab import CannotBeShown, Lab, burn, metric, wait

MODELS, STEPS = range(4), range(4)
fork = get_context("fork")
lab = Lab(unit=0.125, cores=2, speed=3 / 8, bounds={"workers": None})


def step(model, number):
    burn(1)
    return model * number


def fit(task, model, n_jobs):
    return Parallel(n_jobs)(delayed(task)(model, number) for number in STEPS)


@lab.serial
def one_after_another(task=step):
    return [[task(model, number) for number in STEPS] for model in MODELS]


@lab.case(workers=2)
def library_alone(task=step, *, workers):
    Parallel(workers)(delayed(wait)(8) for _ in range(workers))  # until all workers are there: that is not timed
    return [fit(task, model, workers) for model in MODELS]


@lab.case(workers=2, n_jobs=1)
@lab.case(workers=4, n_jobs=2)
@lab.case(workers=2, n_jobs=2, backend="sequential")
@lab.case(workers=2, n_jobs=2, daemonic=True)
def in_pool(task=step, *, workers, n_jobs, backend="loky", daemonic=False):
    make_pool = fork.Pool if daemonic else ProcessPoolExecutor
    with make_pool(2, initializer=parallel_config, initargs=(backend,)) as pool:
        list(pool.map(wait, [8, 8]))  # as above
        metric("joblib workers in each", *pool.map(effective_n_jobs, [n_jobs]))
        return list(pool.map(partial(fit, task, n_jobs=n_jobs), MODELS))


@lab.case(outcome=AssertionError)
def pool_in_a_pool(task=step):
    with fork.Pool(2) as pool:
        return pool.apply(fork.Pool, (2,))


@lab.case(outcome=TimeoutError)
def forked_too_late(task=step):
    fit(step, 0, 2)  # from now on this process has the library's workers
    child = fork.Process(target=fit, args=(task, 1, 2))
    child.start()
    child.join(4 + 8 * lab.unit)  # seconds: several times what it takes where it does not hang
    if child.is_alive():  # a fork of it has none, but does not know
        child.kill()
        raise TimeoutError


@lab.expect(limits=True)
def two_levels_of_workers_slow_down_each_step_and_the_whole(cases):
    case = cases.find(in_pool, workers=4)
    if case.spec.cores >= 4:
        raise CannotBeShown("each of the four processes has a core")
    units = sorted(case.task_s)[len(case.task_s) // 2] / case.spec.unit  # the median
    assert units > 1.4, f"{units:.2f} units a step"  # 2, but for the while in which not all four have begun
    assert case.off_by > 0.3, f"{100 * case.off_by:.0f} % over the ideal"


@lab.expect
def one_level_of_workers_is_as_quick_as_the_cores_allow(cases):
    worst = max(case.off_by for case in cases.of(library_alone, in_pool, workers=2))
    assert worst < 0.25, f"{100 * worst:.0f} % over the ideal"


if __name__ == "__main__":
    lab.main()
