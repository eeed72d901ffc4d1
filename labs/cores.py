"""cores: how many workers to start, and whom to ask

Question   How many workers should a pool have, and which call tells you?

Setup      One node with one virtual core, 1/2 of a core of your machine. A task computes for one unit, here 0.5 s. The
           node has a quota of CPU time: in each tenth of a second the kernel lets it have half of that, on any CPUs.
           In some cases the workers have a cpuset: a list of the CPUs that they may run on.

Predict    Your machine has two cores or more, the node a quota of half of one. What will each of these say:
           os.cpu_count, os.process_cpu_count, os.sched_getaffinity, loky.cpu_count, SLURM_CPUS_PER_TASK? How long do 8
           tasks of one unit take in pools sized by three of them?

Run        ./invoke lab.cores
           ./invoke lab.cores --cores 3         1.5 CPUs: which call is right?

What happens, and why
           os.cpu_count tells the CPUs of the machine. No limit changes it. A pool of that size has more workers than
           the node has cores. Nothing is gained: 8 units of work on one core still take 8 units. And it costs: with 2
           workers each task takes 2 units, with 8 workers 8. Each worker needs memory, and all of them compete with
           everybody else on the machine. (parlab says "not as predicted" of it, since the ideal has 1 worker.)

           os.process_cpu_count (since Python 3.13) and os.sched_getaffinity (Linux) count the CPUs that this process
           may run on. They are right under a cpuset, which batch systems often set. They are blind to a quota, which
           containers have. loky.cpu_count takes the least of cpuset and quota, and rounds a quota up: 0.5 CPUs are 1,
           1.5 are 2. It counts cores of your machine. Here that happens to be the number of virtual cores, one. But two
           virtual cores at a speed of 1/2 are one core to loky. Only at --speed 1 are the two numbers always the same.

           SLURM_CPUS_PER_TASK is the number that you asked the batch system for. So start as many workers as you may
           use cores: SLURM_CPUS_PER_TASK where it is set, as it is here; loky.cpu_count() elsewhere.

Traps      - Lessons 002 and 004 size a pool by cpu_count(). On a shared node that is everybody's cores.
           - Lesson 000 takes SLURM_CPUS_PER_TASK, with a default of 10: ten workers on any laptop. Its comment says "a
             pool with 4 worker processes" over nodes=num_cpu.
           - Pool() and ProcessPoolExecutor() without a number take os.process_cpu_count, before 3.13 os.cpu_count.
           - Only a process under a limit sees it. Do not count on one machine for a job on another.

Exercise   Predict each row of --cores 2, and of --cores 2 --speed 1/4. Then run them: which call is right, and why?
Lessons    000, 002, 004
Follows    blas
Minutes    10
"""

import os
from math import ceil
from multiprocessing import get_context

import loky

from parlab.lab import Lab, approx, burn, metric

TASKS = range(8)
fork = get_context("fork")
lab = Lab(unit=0.5, cores=1, speed=1 / 2)


def square(number):
    burn(1)
    return number * number


def counts():
    found = {"os.cpu_count": os.cpu_count(), "loky.cpu_count": loky.cpu_count()}
    if hasattr(os, "process_cpu_count"):  # since Python 3.13
        found["os.process_cpu_count"] = os.process_cpu_count()
    if hasattr(os, "sched_getaffinity"):  # on Linux
        found["os.sched_getaffinity"] = len(os.sched_getaffinity(0))
    return found | {"SLURM_CPUS_PER_TASK": int(os.environ.get("SLURM_CPUS_PER_TASK", 1))}


def go_to_one_cpu():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@lab.serial
def one_after_another(task=square):
    return [task(number) for number in TASKS]


@lab.case(sized_by=["os.cpu_count", "loky.cpu_count", "SLURM_CPUS_PER_TASK"], under="quota")
@lab.case(sized_by="loky.cpu_count", under="cpuset", limits=False)
@lab.case(sized_by="loky.cpu_count", under="both")
def pool(task=square, *, sized_by, under):
    begin = None if under == "quota" else go_to_one_cpu
    with fork.Pool(1, begin) as child:  # in a process that has the limits
        found = child.apply(counts)
    for name, count in found.items():
        metric(name, count)
    with fork.Pool(found[sized_by], begin) as workers:
        return workers.map(task, TASKS, 1)


@lab.expect(limits=True)
def loky_sees_a_quota_and_os_process_cpu_count_does_not(cases):
    case = cases.find(pool, sized_by="os.cpu_count")
    assert case.metrics["loky.cpu_count"] == ceil(case.spec.node_cpus), f"{case.metrics}"
    assert case.metrics["os.process_cpu_count"] > case.spec.node_cpus, f"{case.metrics}"


@lab.expect(limits=True)
def all_but_os_cpu_count_see_a_cpuset(cases):
    found = cases.find(pool, under="cpuset").metrics
    assert {name for name in found if name != "SLURM_CPUS_PER_TASK" and found[name] > 1} == {"os.cpu_count"}, f"{found}"


@lab.expect(limits=True)
def too_many_workers_make_each_task_longer_and_the_whole_no_shorter(cases):
    case = cases.find(pool, sized_by="os.cpu_count")
    workers = min(case.metrics["os.cpu_count"], len(TASKS))
    cores, took = min(workers, case.spec.cores), sum(case.task_s) / len(TASKS)  # one may wait for its quota
    assert took == approx(workers / cores * case.spec.unit, rel=0.1), f"{took:.2f} s a task"
    assert case.units > 0.95 * len(TASKS) / cores, f"{case.units:.2f} units for all"


@lab.expect
def as_many_workers_as_cores_are_as_quick(cases):
    case = cases.find(pool, sized_by="SLURM_CPUS_PER_TASK")
    assert case.units == approx(ceil(len(TASKS) / case.spec.cores), rel=0.05), f"{case.units:.2f} units"


if __name__ == "__main__":
    lab.main()
