"""amap: a pool in the background, and other work meanwhile

Question   Ten workers on ten cores have 100 tasks. Does that take ten units? And can the program that handed the tasks
           out do something else in the meantime?

Setup      One node with ten virtual cores, each 1/10 of a core of your machine. A task is one call of `slow_square`; it
           computes for one unit, here 0.5 s. pathos is a library with pools of its own. Slurm runs programs on many
           clusters.

Predict    `amap` is the map_async of pathos. Unless you choose, it cuts the tasks into about four chunks a worker: 100
           / 40 is 2.5, rounded up to chunks of 3. How many chunks is that? How many units do ten workers need for them?
           And with chunks of one task?

Run        ./invoke lab.amap
           ./invoke lab.amap --unit 0.05     short tasks: handing them out costs time (so the claims say no)

What happens, and why
           There are 34 chunks. Three rounds of ten take nine units. In the fourth round only four workers have work,
           three of them for three units. That makes 12. Chunks of one task are dealt out in ten full rounds: 10 units.

           `amap` returns at once. `ready` tells whether all results are there; `get` waits for them. Meanwhile the
           program does other work, in pieces of a quarter of a unit, and asks again after each. A piece that only
           waits costs the workers nothing. With pieces that compute (and chunks of one), eleven processes share ten
           cores: 11 to 12 units, not 10.

           The number of workers is SLURM_CPUS_PER_TASK. It is the number of cores that you asked Slurm for. Here
           parlab sets it. Where it is not set, there are ten workers.

Traps      - pathos keeps every pool. Ask for ten workers again and you get the same ten. If they were closed, the first
             task raises "ValueError: Pool not running". So close, join and clear; `with` does none of these.
           - pathos calls workers `nodes`. Without a number, there is one for each core of the machine, limit or not.
           - Lesson 000's two programs do not run: no indent below `with`, `num_task` for `num_tasks`, an open `range(`,
             no `import os`. It says "4 worker processes" over `num_cpu`, and its other work is a print.

Exercise   Predict chunks of 5, 10 and 20. Then write chunk=[None, 1, 5, 10, 20] and see.
Lessons    000
Follows    futures
Minutes    10
"""

import os

from multiprocess import get_context
from pathos.pools import ProcessPool

from parlab.lab import Lab, approx, burn, metric, wait

lab = Lab(unit=0.5, nodes=1, cores=10, speed=1 / 10)
WORKERS = int(os.getenv("SLURM_CPUS_PER_TASK", "10"))
NUMBERS = range(100)
OTHER_WORK = {"wait": wait, "burn": burn}


def slow_square(number):
    burn(1)
    return number * number


def make_pool(workers):
    return ProcessPool(nodes=workers, context=get_context("fork"))


def end(pool):
    pool.close()
    pool.join()
    pool.clear()  # else pathos would hand out the closed pool again


@lab.serial
def one_after_another(task=slow_square):
    return [task(number) for number in NUMBERS]


@lab.case(workers=WORKERS, chunk=[None, 1], meanwhile="wait")
@lab.case(workers=WORKERS, chunk=1, meanwhile="burn")
def amap(task=slow_square, *, workers, chunk, meanwhile):
    pool, pieces = make_pool(workers), 0
    promise = pool.amap(task, NUMBERS, chunksize=chunk)
    while not promise.ready():
        OTHER_WORK[meanwhile](0.25)
        pieces += 1
    metric("pieces of other work", pieces)
    results = promise.get()
    end(pool)
    return results


@lab.case(outcome=ValueError)
def closed_but_not_cleared(task=slow_square):
    make_pool(WORKERS).close()
    pool = make_pool(WORKERS)  # the same, still closed
    try:
        return pool.map(task, NUMBERS)
    finally:
        end(pool)


@lab.expect
def three_at_a_time_take_twelve_units_and_one_at_a_time_ten(cases):
    for chunk, units in ((None, 12), (1, 10)):
        case = cases.find(amap, chunk=chunk, meanwhile="wait")
        assert case.units == approx(units, rel=0.05), f"{case.name} took {case.units:.2f} units, not {units}"


@lab.expect
def other_work_is_done_meanwhile(cases):
    for case in cases.of(amap):
        pieces = case.metrics["pieces of other work"]
        assert pieces > case.units, f"{case.name}: {pieces:g} in {case.units:.1f} units"


@lab.expect(limits=True)
def other_work_that_computes_slows_the_workers_down(cases):
    slower = cases.find(amap, meanwhile="burn").units / cases.find(amap, chunk=1, meanwhile="wait").units
    assert slower > 1.05, f"{slower:.2f} times as long"


if __name__ == "__main__":
    lab.main()
