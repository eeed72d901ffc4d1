"""reduce: a sum in a pool, slower than one loop, and what is to blame

Question   Lesson 001 finds the sum in a pool slower than one loop, "simply because a sum is faster to compute than to
           send data". Is that the reason?

Setup      One node with 16 virtual cores, each 1/16 of a core of your machine. A task is the part of the data that a
           worker gets at a time. Map-reduce: map the parts to workers, then reduce their results to one, here to the
           sum of 2 000 000 random numbers.

Predict    One loop takes some 2.4 s on a virtual core. The 16 MB of numbers take a few ms of CPU time to pickle. How
           long should 16 workers take? And if the same 16 MB are 125 000 arrays of 16 numbers?

Run        ./invoke lab.reduce
           ./invoke lab.reduce --size 20000          as in the lesson's text; its code has 2 000 000

What happens, and why
           For 16 workers the lesson's `reshape` is (-1, 16): 125 000 rows of 16 numbers (-1 is as many as it takes).
           Every row is pickled as an array of its own. That costs 2 to 4 microseconds, however short the row is. One
           process, the sender, pays for all rows while 16 workers wait: about twice the time of one loop.
           (16, -1) makes 16 rows of 125 000. The same bytes are sent as 16 pickles: about eight times as quick as the
           loop. So nearly all of the loss was the shape.
           Sending does have a price. With `shared=True` a task is only the number of a part: a forked worker has its
           parent's memory as it was at the fork. That is more than ten times as quick as the loop. The figure "CPU s of
           the sender" is the price, in seconds of a core of your machine: a virtual core needs 16 times that.
           With the 20 000 numbers of its text the lesson is right: there even the correct pool is slower than the loop.
           The ideal leaves sending out. NumPy's own sum, on one core, takes about an eighth of the best pool's time.
           Look for a better loop first, then for more cores.

Traps      - `pool.map` over an array takes it apart into rows. Map over a few large items.
           - The lesson makes a pool of 16 but never passes `num_workers` on. So it reshapes for its default of 4
             workers, to 500 000 rows of 4: about four times as long again.
           - Two ways of adding up differ in the last digits: compare with np.isclose, never with ==.
           - Its code types `pool` as mp.Pool, which is a function, not a class.
           - `with` terminates its pool at the end. Where nothing is left to run, as here, `with` alone will do.

Exercise   Between --size 20000 and 2000000, where does the correct pool begin to pay? Predict it from the figures.
Lessons    001
Follows    ipc
Minutes    15
"""

from functools import partial
from multiprocessing import get_context
from time import process_time

import numpy as np

from parlab.lab import Lab, metric, paced

SIZE, LESSON, CORRECT = 2_000_000, (-1, 16), (16, -1)  # shapes: how many rows, how long; -1 is as many as it takes
lab = Lab(unit=1, cores=16, speed=1 / 16, same=np.isclose, bounds={"size": (1_000, 4_000_000)})
parts = []  # a forked worker has those of its parent


def make_parts(size, shape):
    rows = np.random.default_rng(1).uniform(-24.5, 72.4, size // 16 * 16).reshape(shape)
    return [list(part) for part in np.array_split(rows, min(64, len(rows)))]  # four a worker, as `Pool.map` makes them


def total(part, shared=False):
    """The sum of a part's rows; where parts are shared, it is given the number of a part."""
    rows = parts[part] if shared else part
    result = 0.0
    for row in rows:
        for start in paced(range(0, len(row), 25_000)):
            for number in row[start : start + 25_000]:
                result += number
    return result


def numpy_total(rows):
    return sum(row.sum() for row in paced(rows))


@lab.serial
@lab.case(shape=CORRECT, size=SIZE)
def python_loop(task=total, *, shape, size):
    return sum(task(part) for part in make_parts(size, shape))


@lab.case(shape=(1, -1), size=SIZE)
def numpy_sum(task=numpy_total, *, shape, size):
    return sum(task(part) for part in make_parts(size, shape))


@lab.case(shape=[LESSON, CORRECT], shared=False, workers=16, size=SIZE)
@lab.case(shape=CORRECT, shared=True, workers=16, size=SIZE)
def in_pool(task=total, *, shape, shared, workers, size):
    parts[:] = make_parts(size, shape)
    sent = range(len(parts)) if shared else parts
    with get_context("fork").Pool(workers) as pool:
        began = process_time()
        result = sum(pool.imap(partial(task, shared=shared), paced(sent)))  # the pickling is paced, too
        metric("CPU s of the sender", process_time() - began)
    return result


@lab.expect
def the_shape_decides_whether_a_pool_beats_one_loop(cases):
    loop = cases.find(python_loop, size=SIZE).measured_s
    bad, good = (cases.find(in_pool, size=SIZE, shape=shape, shared=False).measured_s for shape in (LESSON, CORRECT))
    assert 2 * good < loop < bad / 1.3, f"one loop {loop:.2f} s; the lesson's rows {bad:.2f} s, correct {good:.2f} s"


@lab.expect
def the_rest_is_the_price_of_sending(cases):
    sent, shared = (cases.find(in_pool, size=SIZE, shape=CORRECT, shared=shared).measured_s for shared in (False, True))
    assert shared < sent / 1.15, f"{sent:.2f} s with the numbers sent, {shared:.2f} s without"


@lab.expect
def numpy_on_one_core_beats_sixteen_with_a_loop(cases):
    numpy, loops = cases.find(numpy_sum, size=SIZE), cases.find(in_pool, size=SIZE, shared=True)
    assert 1.2 * numpy.measured_s < loops.measured_s, f"{numpy.measured_s:.3f} s and {loops.measured_s:.3f} s"


if __name__ == "__main__":
    lab.main()
