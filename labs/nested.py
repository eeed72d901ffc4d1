"""nested: a library that starts workers of its own, inside your pool

Words      A node is a container; here it has two virtual cores, each half as fast as a core of your machine. A worker
           is a process that is handed work. A unit is the time that one step computes, here 0.15 s. joblib is the
           library with which scikit-learn and others start workers: Parallel(n_jobs=2) uses two processes, which
           come from its own pool, loky. `fit` stands for a library that calls it: a model takes four steps.

Question   Four models of four steps on two cores take 8 units. What if your pool has two workers, and in each of them
           the library starts two of its own?

Predict    How many processes then compute at once? How long does a step take, and how long do all?

Run        ./invoke lab.nested
           ./invoke lab.nested --cores 4 --speed 1/4       now there is a core for each: is it worth it?

What happens, and why
           The library alone needs 8 units, and so does a pool around a library that uses one process (n_jobs=1). With
           both there are 2 x 2 = 4 processes on two cores. Each step takes two units instead of one, and starting the
           library's workers, which each load Python and joblib anew, takes most of the rest: half as much again, or
           more. On 16 cores it would be 16 x 16.
           How to see it: count. `top` shows the processes; a step that takes twice as long beside others as alone
           waits for a core; joblib.effective_n_jobs, asked in a worker, is in the figures. How to switch it off:
           n_jobs=1, where the library lets you. Where it does not, parallel_config("sequential") in each worker, as
           in the case with that backend. Other libraries have an argument (nthread, n_jobs) or read OMP_NUM_THREADS.
           But first measure: with cores to spare the library's workers are welcome.
           What else can happen: the workers of multiprocessing.Pool are daemonic, that is, not allowed to have
           children. A pool in a pool ends in AssertionError; joblib only warns, and uses one process (daemonic=True).
           Workers of ProcessPoolExecutor may have children.

Traps      - Lesson 000 says that such libraries "may cause locking". `forked_too_late` does: it uses joblib, then
             forks. The fork believes that it has joblib's workers, which are its parent's, and waits for ever.
           - Its cure is right, "not before this is confirmed to be problematic", but it does not say how to confirm.
           - joblib inside joblib uses threads for the inner level: no more processes, but Python steps share a GIL.

Exercise   Let the pool have one worker and the library two (workers=2, n_jobs=2). Predict its time. Why not 8 units?
Lessons    000
Follows    cores
Minutes    10
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from statistics import median

from joblib import Parallel, delayed, effective_n_jobs, parallel_config

from parlab.lab import Lab, approx, burn, figure

MODELS, STEPS = range(4), range(4)
processes = get_context("fork")
lab = Lab(unit=0.15, cores=2, speed=1 / 2)


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
    return [fit(task, model, workers) for model in MODELS]


@lab.case(workers=2, n_jobs=1)
@lab.case(workers=4, n_jobs=2)
@lab.case(workers=2, n_jobs=2, backend="sequential")
@lab.case(workers=2, n_jobs=2, daemonic=True)
def pool(task=step, *, workers, n_jobs, backend="loky", daemonic=False):
    make_pool = processes.Pool if daemonic else partial(ProcessPoolExecutor, mp_context=processes)
    with make_pool(2, initializer=parallel_config, initargs=(backend,)) as pool:
        figure("joblib workers in each", next(iter(pool.map(effective_n_jobs, [n_jobs]))))
        return list(pool.map(partial(fit, task, n_jobs=n_jobs), MODELS))


@lab.case(outcome=AssertionError)
def pool_in_a_pool(task=step):
    with processes.Pool(2) as pool:
        return pool.apply(processes.Pool, (2,))


@lab.case(outcome=TimeoutError)
def forked_too_late(task=step):
    fit(step, 0, 2)  # from now on this process has the library's workers
    child = processes.Process(target=fit, args=(task, 1, 2))
    child.start()
    child.join(1)
    if child.is_alive():  # a fork of it has none, but does not know
        child.kill()
        raise TimeoutError


@lab.expect(limits=True)
def two_levels_of_workers_double_each_step_and_slow_the_whole_down(cases):
    case = cases.find(pool, workers=4)
    units = median(span.finished - span.started for span in case.typical.spans) / case.spec.unit
    assert units == approx(2, rel=0.15), f"{units:.2f} units a step"
    assert case.off_by > 0.3, f"{100 * case.off_by:.0f} % over the ideal"


@lab.expect
def one_level_of_workers_is_as_quick_as_the_cores_allow(cases):
    worst = max(case.off_by for case in cases.values() if case.workers == 2)
    assert worst < 0.1, f"{100 * worst:.0f} % over the ideal"


if __name__ == "__main__":
    lab.main()
