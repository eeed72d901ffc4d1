"""futures: more workers than cores, and when that is faster

Question   16 workers have 22 tasks to do on 16 cores. Would 32 workers be slower, as fast, or faster?

Setup      One node with 16 virtual cores, each 1/16 of a core of your machine. A task is one call of `hard_task`: it
           computes for two units. A unit is 1 s, so the seconds are the lesson's. CPU seconds are those of a virtual
           core.

Predict    16 workers go in rounds: 16 tasks, then the other 6. Of 32 workers, 22 start at once and share the cores
           evenly: 16/22 of a core each. How long does each way take? How many CPU seconds does each task use?

Run        ./invoke lab.futures
           ./invoke lab.futures --unit 0.5                  the same in half the time
           ./invoke lab.futures --cores 22 --speed 1/22     a core for each task (one claim says no)

What happens, and why
           `submit` hands a task to the pool and returns at once, with a future. A core computes for one process at a
           time. If more processes want to compute, the system lets them take turns.
           16 workers need two rounds of 2 s, 4 s in all. In the second round ten cores are idle. 32 workers need no
           second round. No core is idle until all tasks are done, after 22 x 2 / 16 = 2.75 s. Each task still uses its
           2.0 CPU seconds, as in the lesson: the time between its turns does not count.
           32 workers have their price. The first result comes after 2.4 to 2.75 s, not 2.0, since all tasks move on
           nearly together. And every worker needs memory and time to start, even the ten that never get a task.

           The lesson printed 8.04, 4.58 and 3.28 s. The ideals are 8, 4 and 2.75. The lesson's clock also ran while
           workers started, at the first task. Here start-up is shown apart.

Traps      - The lesson asks about too many workers, but times 32 only. Compared with 16, they win.
           - It has 4 workers do 6 tasks: two rounds, 4 s. Six workers would take 2 s.
           - It calls the output of `map` `the_futures`. `map` gives results; `submit` gives futures.
           - Without `max_workers` Python chooses their number. It ignores a quota: see lab cores.
           - Its tasks are in a file of their own, for a reason. Forked workers find a function that was typed into a
             notebook. Workers that are started anew (Windows, macOS, Python 3.14) do not.

Exercise   Let there be 32 tasks in both cases with 22. Work out by hand how long 16 and 32 workers take, then run it.
           (The two claims that look for 22 tasks then "cannot be shown".)
Lessons    003
Follows    maps
Minutes    10
"""

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from pathlib import Path
from statistics import mean

from parlab.lab import CannotBeShown, Lab, approx, burn, metric

# Only the squares are compared with the serial ones: CPU seconds differ a little from run to run.
lab = Lab(unit=1.0, nodes=1, cores=16, speed=1 / 16, same=lambda a, b: [x for x, _ in a] == [x for x, _ in b])


def hard_task(number):
    """Compute for two units; give the square, and the CPU seconds that it took."""
    began = time.process_time()
    burn(2)
    return number * number, (time.process_time() - began) / float(lab.speed)  # in seconds of a virtual core


@lab.serial
@lab.case(tasks=4, lesson_s=8.04)
def one_after_another(task=hard_task, *, tasks):
    return [task(number) for number in range(tasks)]


@lab.case(tasks=6, workers=4, lesson_s=4.58)
@lab.case(tasks=22, workers=32, lesson_s=3.28)
@lab.case(tasks=22, workers=16)
def executor(task=hard_task, *, tasks, workers):
    with ProcessPoolExecutor(max_workers=workers, mp_context=get_context("fork")) as pool:
        futures = [pool.submit(task, number) for number in range(tasks)]
        began = time.monotonic()
        next(as_completed(futures))
        metric("s to the first result", time.monotonic() - began)
        tables = [Path(f"/proc/{worker.pid}/smaps_rollup") for worker in active_children()]
        if tables[0].exists():  # on Linux. Pss: a process's own memory, and its share of shared memory
            kilobytes = [int(table.read_text().partition("Pss:")[2].split()[0]) for table in tables]
            metric("MB of workers", sum(kilobytes) / 1000)
        results = [future.result() for future in futures]
    metric("CPU s a task", mean(seconds for _, seconds in results))
    return results


@lab.expect
def no_more_workers_than_cores_take_their_ideal_time(cases):
    for case in (case for case in cases.of(one_after_another, executor) if case.workers <= case.spec.cores):
        assert case.measured_s == approx(case.ideal_s, rel=0.05), f"{case.name} took {case.measured_s:.2f} s"


@lab.expect(limits=True)
def too_many_workers_are_faster_here_but_the_first_result_comes_later(cases):
    many, few = (cases.find(executor, tasks=22, workers=workers) for workers in (32, 16))
    later = many.metrics["s to the first result"] / few.metrics["s to the first result"]
    assert many.measured_s == approx(many.ideal_s, rel=0.05), f"32 workers took {many.measured_s:.2f} s"
    assert many.measured_s < 0.75 * few.measured_s, f"16 workers took {few.measured_s:.2f} s"
    assert later > 1.1, f"the first result took {later:.2f} times as long"


@lab.expect
def each_task_uses_two_cpu_seconds_all_the_same(cases):
    for case in cases.of(executor):
        used = case.metrics["CPU s a task"] / case.spec.unit
        assert used == approx(2, rel=0.02), f"{case.name}: {used:.2f} CPU seconds"


@lab.expect
def more_workers_need_more_memory(cases):
    many, few = (cases.find(executor, tasks=22, workers=n).metrics.get("MB of workers") for n in (32, 16))
    if many is None:
        raise CannotBeShown("this system does not show each process's own memory")
    assert many > 1.25 * few, f"{many:.0f} MB against {few:.0f} MB"


if __name__ == "__main__":
    lab.main()
