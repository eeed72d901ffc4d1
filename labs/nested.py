"""nested: a library that starts workers of its own, inside your pool

Question   Four models have four steps each. On two cores they take 8 units. How long do they take if your pool has two
           workers, and the library starts two more in each of them?

Setup      One node with two virtual cores, each 3/8 of a core of your machine. A step computes for one unit, here
           0.125 s. joblib starts the workers of scikit-learn and others: Parallel(2) uses two, from a pool of its own,
           called loky. `fit` stands for a library that does so: to fit a model takes four steps.

Predict    How many processes compute at once? How long does a step take then, and how long do all?

Run        ./invoke lab.nested
           ./invoke lab.nested --cores 4 --speed 1/4       a core for each of the four processes: does it pay now?

What happens, and why
           The library alone needs 8 units. So does a pool around a library that uses one process (n_jobs=1). With both
           (workers=4), 2 x 2 processes compute on two cores. As soon as all are there, each step takes two units. The
           steps as a whole would still be done in 8. But the library's workers have to start first, and each loads
           Python and joblib anew. That adds more than half: over 12 units.

           How to see it: count. `top` shows twice as many busy processes as cores. A step takes twice as long as alone.
           The figure "joblib workers in each" is joblib.effective_n_jobs, asked in one of your workers.

           How to switch it off: n_jobs=1, where the library lets you choose. Where it does not, use
           parallel_config("sequential") in each of your workers, like the case with that backend. Other libraries have
           an argument of their own, such as XGBoost's nthread, or read OMP_NUM_THREADS.
           Measure first: even with a core for each process, starting the library's workers may cost more than it gains.

Traps      - The workers of multiprocessing.Pool are daemonic: they must not have children. A pool in a pool ends in
             AssertionError. joblib merely warns, and uses one process (daemonic=True).
           - Lesson 000: conflicting libraries "may cause locking". `forked_too_late` shows how: it uses joblib and
             then forks. The child believes that it has joblib's workers. They are its parent's, and the child waits
             for ever. Fork first.
           - Before Python 3.13 a forked ProcessPoolExecutor whose workers have used joblib never ends, either. The pool
             here is joblib's own kind, which does end.

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
    child.join(4 + 8 * lab.unit)  # seconds: several times as long as without a hang
    if child.is_alive():  # it has no workers of the library, and waits for them
        child.kill()
        raise TimeoutError


@lab.expect(limits=True)
def two_levels_of_workers_slow_down_each_step_and_the_whole(cases):
    case = cases.find(in_pool, workers=4)
    if case.spec.cores >= 4:
        raise CannotBeShown("each of the four processes has a core")
    units = sorted(case.task_s)[len(case.task_s) // 2] / case.spec.unit  # the median
    assert units > 1.4, f"{units:.2f} units a step"  # 2, once all four have begun
    assert case.off_by > 0.3, f"{100 * case.off_by:.0f} % over the ideal"


@lab.expect
def one_level_of_workers_is_as_quick_as_the_cores_allow(cases):
    worst = max(case.off_by for case in cases.of(library_alone, in_pool, workers=2))
    assert worst < 0.25, f"{100 * worst:.0f} % over the ideal"


if __name__ == "__main__":
    lab.main()
