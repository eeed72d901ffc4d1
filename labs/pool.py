"""pool: the same function, many inputs, several processes

Question   Six tasks wait 3, 5, 10, 15, 17 and 20 units, together 70. How long do they take with 4 workers, and with 8?
           How long if they compute instead? And how much CPU time do they use?

Setup      One node with two virtual cores, each 3/8 of a core of your machine. A task is one call of `work`; a unit is
           0.1 s. Some tasks compute, others wait, like a program that waits for a disk or a network.

Predict    A free worker takes the next task. With 4 workers, the worker that did 3 units then does 17, and the worker
           that did 5 does 20. When does the last one end? When, with 8 workers? Can 8 compute faster than 4?

Run        ./invoke lab.pool
           ./invoke lab.pool --cores 1        which times change?

What happens, and why
           Waiting needs no core. One after another the tasks take 70 units. 4 workers take 25 (5 + 20). 8 workers take
           20, like the longest task; two of them get no task. Starting workers takes a little CPU time, for 8 almost
           twice as much as for 4.
           Computing needs a core, and there are two. 70 units of work take at least 35, with 4 workers or with 8. (The
           ideal is 37.5 and 36.5, since one task runs alone at the end.) If tasks compute, use as many workers as
           cores. If they wait, use a worker for each task that waits at the same time.
           CPU time in the program is user time; in the operating system, on its behalf, it is system time. Computing
           takes 3/8 of a core for 7 s, together some 2.6 s (see the figures), with 4 workers or with 8.
           Lesson 002 ran 12 jobs of 0.5 s in 2.095 s. It does not say with how many workers. Four rounds of three take
           2 s: 3 workers. (4 or 5 would need three rounds, 6 two.) The case "five of 1 s" is one round: 1 s.

Traps      - `%%time` (lesson 001) counts the CPU time of the notebook's own process: the price of starting 8 workers,
             not their work. Theirs is known once they are joined, as in the code below.
           - `with Pool()` ends in `terminate()`, which kills tasks that still run. Close and join first.
           - Prints of workers are jumbled: each prints when it gets there, even into another's line. Print the results
             of `map`: they are in order.
           - Lesson 000 mixes `num_task` and `num_tasks`, and does not indent below `with`.
           - A CSV file gives text back: "4" is not 4, so convert it.
           - Lesson 002 has `cpu_count()` workers: one for each core of the machine, whatever the limit of this node.

Exercise   Let the longest tasks (ITEMS) go first. Predict all four times, then run it. (Claim 1 then says no: why?)
Lessons    000, 001, 002
Follows    threads
Minutes    15
"""

import csv
from io import StringIO
from multiprocessing import get_context
from resource import RUSAGE_CHILDREN, getrusage

from parlab.lab import Lab, approx, burn, metric, wait

lab = Lab(unit=0.1, cores=2, speed=3 / 8)
ITEMS = [3, 5, 10, 15, 17, 20]  # units
JOBS = {
    "waiting": [(wait, units) for units in ITEMS],
    "computing": [(burn, units) for units in ITEMS],
    "five of 1 s": [(wait, 10)] * 5,
    "twelve of 0.5 s": [(wait, 5)] * 12,
    "rows": [(abs, number) for number in range(100)],  # abs() takes no time worth mentioning
}


def work(job):
    function, units = job
    function(units)
    return 2 * units


@lab.serial
@lab.case(jobs="waiting")
def one_after_another(task=work, *, jobs):
    return [task(job) for job in JOBS[jobs]]


@lab.case(jobs=["waiting", "computing"], workers=[4, 8])
@lab.case(jobs="five of 1 s", workers=5)
@lab.case(jobs="twelve of 0.5 s", workers=3, lesson_s=2.095)
def pool_map(task=work, *, jobs, workers):
    with get_context("fork").Pool(workers) as pool:
        results = pool.map(task, JOBS[jobs])
        pool.close()
        pool.join()
    metric("s user", getrusage(RUSAGE_CHILDREN).ru_utime)  # of all children that were joined
    metric("s system", getrusage(RUSAGE_CHILDREN).ru_stime)
    return results


@lab.case(jobs="rows", workers=10, convert=False, outcome="wrong")
@lab.case(jobs="rows", workers=10, convert=True)
def to_csv_and_back(task=work, *, jobs, workers, convert):
    file = StringIO()  # a file in memory
    csv.writer(file).writerows(enumerate(pool_map(task, jobs=jobs, workers=workers)))
    file.seek(0)
    texts = [result for _, result in csv.reader(file)]
    return [int(text) for text in texts] if convert else texts


@lab.expect
def waiting_takes_as_long_as_workers_and_longest_item_let_it(cases):
    found = [round(cases.find(pool_map, jobs="waiting", workers=workers).units, 1) for workers in (4, 8)]
    assert found == [approx(25, rel=0.05), approx(20, rel=0.05)], f"4 and 8 workers took {found} units"


@lab.expect(limits=True)
def computing_gains_the_cores_whatever_the_size_of_the_pool(cases):
    for case in (cases.find(pool_map, jobs="computing", workers=workers) for workers in (4, 8)):
        assert 0.8 < case.speedup / case.spec.cores < 1.05, f"{case.name} gained {case.speedup:.2f} x"


@lab.expect
def waiting_uses_next_to_no_cpu_time(cases):
    found = [cases.find(pool_map, jobs=jobs, workers=8).metrics for jobs in ("waiting", "computing")]
    waited, computed = (seconds["s user"] + seconds["s system"] for seconds in found)
    assert waited < computed / 10, f"{waited:.3f} s, and {computed:.3f} s to compute as long"


@lab.expect
def jobs_of_one_length_take_whole_rounds(cases):
    found = [round(cases.find(pool_map, jobs=jobs).units, 1) for jobs in ("five of 1 s", "twelve of 0.5 s")]
    assert found == [approx(10, rel=0.1), approx(20, rel=0.05)], f"they took {found} units"


if __name__ == "__main__":
    lab.main()
