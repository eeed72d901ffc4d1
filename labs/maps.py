"""maps: seven ways to hand out tasks, and what a chunk costs

Question   Which calls keep the caller waiting? Which give a first result early? Which keep the order? And what do
           chunks cost when some tasks are longer than others?

Setup      One node with two virtual cores, each 3/8 of a core of your machine. A task is one call of `power`; it waits
           for some units of 0.1 s.

Predict    Four workers take one task each, of 3, 1, 2 and 4 units. When does `map` return? When is a first result
           there? Then two workers take all twelve tasks (LENGTHS, 40 units, the two longest last). How long is that
           with chunks of 1, of 2 (the choice of `map` here: None), and with all twelve in one?

Run        ./invoke lab.maps

What happens, and why
                                       returns  first result  order of results
             map, starmap              4 units  4 units       that of the tasks
             map_async, starmap_async  at once  4 units       that of the tasks
             imap                      at once  3 units       that of the tasks
             imap_unordered            at once  1 unit        as they end
             apply_async, once a task  at once  3 units       as you call get()

           `map_async` returns an AsyncResult, a future. Do other work, then call `get()` for all results. `imap` gives
           each result in its turn, `imap_unordered` as soon as it is there. `starmap` passes a task several arguments.

           Two workers need 20 units with chunks of 1. With chunks of 2, the two tasks of 9 units are the last chunk:
           28. With all tasks in one chunk, one worker does everything: 40. Large chunks save messages. That pays for
           thousands of short tasks. For long or uneven tasks use chunks of 1, and let the longest go first.

Traps      - `imap_unordered` does not keep the order of tasks. Send the number along and sort, as here.
           - `map` has chunks of its own (tasks / (4 x workers), rounded up); `imap` has chunks of 1. Lesson 002: a
             process that is done is "provided the next input". It gets the next chunk.
           - An error in a task is raised where you take its result: by `map`, `next()` or `get()`. If you never call
             `get()`, you never hear of the error.

Exercise   Reverse LENGTHS[4:]: `[9, 9, 2, 2, 2, 2, 2, 2]`. Predict the times with all three chunk sizes, then run it.
Lessons    001, 002
Follows    pool
Minutes    15
"""

from itertools import repeat
from multiprocessing import get_context
from time import perf_counter

from parlab.lab import Lab, approx, metric, wait

lab = Lab(unit=0.1, cores=2, speed=3 / 8, bounds={"workers": (2, 64)})
LENGTHS = [3, 1, 2, 4, 2, 2, 2, 2, 2, 2, 9, 9]  # units of each task
WAYS = {
    "map": lambda pool, task, numbers: pool.map(task, numbers),
    "starmap": lambda pool, task, numbers: pool.starmap(task, zip(numbers, repeat(2))),  # two arguments a task
    "map_async": lambda pool, task, numbers: pool.map_async(task, numbers),
    "starmap_async": lambda pool, task, numbers: pool.starmap_async(task, zip(numbers, repeat(2))),
    "imap": lambda pool, task, numbers: pool.imap(task, numbers),
    "imap_unordered": lambda pool, task, numbers: pool.imap_unordered(task, numbers),
    "apply_async": lambda pool, task, numbers: (one.get() for one in [pool.apply_async(task, [n]) for n in numbers]),
}


def power(number, exponent=2):
    wait(LENGTHS[number])
    return number, number**exponent


@lab.serial
def one_after_another(task=power, *, tasks):
    return [task(number) for number in range(tasks)]


@lab.case(tasks=4, workers=4, way=[way for way in WAYS if way != "imap_unordered"])
@lab.case(tasks=4, workers=4, way="imap_unordered", outcome="wrong")
@lab.case(tasks=4, workers=4, way="imap_unordered", sort=True)
def hand_out(task=power, *, tasks, workers, way, sort=False):
    with get_context("fork").Pool(workers) as pool:
        began = perf_counter()
        handle = WAYS[way](pool, task, range(tasks))
        metric("s to return", perf_counter() - began)
        results = iter(handle.get() if way in ("map_async", "starmap_async") else handle)
        first = next(results)
        metric("s to the first result", perf_counter() - began)
        results = [first, *results]
        pool.close()
        pool.join()
    return sorted(results) if sort else results


@lab.case(tasks=12, workers=2, chunk=[1, None, 12])
def in_chunks(task=power, *, tasks, workers, chunk):
    with get_context("fork").Pool(workers) as pool:
        results = pool.map(task, range(tasks), chunk)
        pool.close()
        pool.join()
    return results


@lab.expect
def map_and_starmap_block_and_imap_streams_soonest_unordered(cases):
    for case in cases.of(hand_out):
        way, seconds, unit = case.settings["way"], case.metrics, case.spec.unit
        returned, first = seconds["s to return"] / unit, seconds["s to the first result"] / unit
        ideal = 4 if way in ("map", "starmap") else 0
        assert abs(returned - ideal) < 0.25, f"{way} returned after {returned:.2f} units"
        ideal = {"imap": 3, "apply_async": 3, "imap_unordered": 1}.get(way, 4)
        assert abs(first - ideal) < 0.25, f"{way} gave its first result after {first:.2f} units"


@lab.expect
def only_imap_unordered_loses_the_order(cases):
    lost = {case.settings["way"] for case in cases.of(hand_out) if case.median_repeat.outcome == "wrong"}
    assert lost == {"imap_unordered"}, f"out of order: {lost}"


@lab.expect
def a_bad_chunk_costs_what_the_prediction_says(cases):
    for case in cases.of(in_chunks):
        assert case.measured_s == approx(case.ideal_s, rel=0.05), f"{case.name} is off by {case.off_by:.3f}"


if __name__ == "__main__":
    lab.main()
