"""dropin: what can be sent to workers, and how workers are started

Question   `multiprocess` has the same names as `multiprocessing`: change one import, and the program works as before.
           What do you gain? And workers can be started in three ways: what does a program lose with each?

Setup      One node with 4 virtual cores, each 1/4 of a core of your machine. A task computes for one unit, here 0.5 s.

Words      A lambda is a function that has no name by which it could be imported. A closure is a function that another
           function made; it remembers that function's variables.

Predict    16 tasks on four workers are four rounds: 2 s. Which cases take longer than that? Which fail?

Run        ./invoke lab.dropin
           ./invoke lab.dropin --cores 2 --speed 1/2     fewer cores than workers: 8 units, so a claim says no

What happens, and why
           pickle writes a function as two names, its module's and its own. The reader imports it by these names. A
           lambda has none, so `multiprocessing` refuses it. `multiprocess` uses dill, which writes the function
           itself, with all that it remembers. Otherwise the Pool is the same and takes the same time: compare `plain`
           by fork with both libraries. Once workers are there, all ways are equally fast. They differ at the start:
           - fork copies the running program with its whole memory, but only the thread that forks. Work that another
             thread had begun is never finished in the copy, and the copy may wait for it for ever.
           - spawn starts a new Python for each worker. It imports the program's file. Everything that the program put
             into memory while it ran is lost. Starting takes longer: `--verbose` shows start-up.
           - forkserver starts one new Python and forks all workers from it. They lose the same as spawned workers.

           A worker that imports the file must not start workers itself. So start workers below the main guard, `if
           __name__ == "__main__":`, which is false where a file is imported. `script_without_guard` runs a script that
           has none. Its worker imports the script, tries to start a worker of its own "before the current process has
           finished its bootstrapping phase", and ends with a RuntimeError.

Traps      - That script starts one Process. A Pool replaces workers that die: it would go on like that for ever.
           - Lessons 000, 001 and 002 start pools without it. That works with fork only: on Linux, up to Python 3.13.
           - Lessons 001 and 003: `multiprocess` is "an improved version" of the other. It can send more, no more.
           - `multiprocessing` refuses a closure, too: with AttributeError, from Python 3.14 on with PicklingError.

Exercise   Give `with_lambda` the task `square`. Which case does not come out as it declares, and why?
Lessons    000, 001, 003
Follows    amap
Minutes    15
"""

import multiprocessing
import subprocess
import sys
from pickle import PicklingError
from tempfile import NamedTemporaryFile

import multiprocess

from parlab.lab import Lab, approx, burn

lab = Lab(unit=0.5, nodes=1, cores=4, speed=1 / 4)
LIBRARIES = {"multiprocessing": multiprocessing, "multiprocess": multiprocess}
NUMBERS = range(16)
SCRIPT = """
from multiprocessing import get_context
get_context("{}").Process(target=print, args=["hello from a worker"]).start()
"""


def square(number):
    burn(1)
    return number * number


def in_pool(library, start, function, workers):
    context = LIBRARIES[library].get_context(start)
    all_there = context.Barrier(workers + 1)
    with context.Pool(workers, initializer=all_there.wait) as pool:
        all_there.wait()  # so that no task waits for its worker to start
        return pool.map(function, NUMBERS, chunksize=1)


@lab.serial
def one_after_another(task=square):
    return [task(number) for number in NUMBERS]


@lab.case(library="multiprocessing", start=["fork", "forkserver", "spawn"], workers=4)
@lab.case(library="multiprocess", start="fork", workers=4)
def plain(task=square, *, library, start, workers):
    return in_pool(library, start, task, workers)


@lab.case(outcome=PicklingError, library="multiprocessing", workers=4)
@lab.case(library="multiprocess", workers=4)
def with_lambda(task=lambda number: square(number), *, library, workers):
    return in_pool(library, "fork", task, workers)


@lab.case(library="multiprocess", workers=4)
def with_closure(task=square, *, library, workers):
    return in_pool(library, "spawn", lambda number: task(number), workers)  # remembers `task`


@lab.case(outcome=RuntimeError, start=["forkserver", "spawn"])
def script_without_guard(task=square, *, start):
    with NamedTemporaryFile("w", suffix=".py") as script:
        print(SCRIPT.format(start), file=script, flush=True)
        done = subprocess.run([sys.executable, script.name], capture_output=True, text=True, timeout=30)
    print(done.stdout + done.stderr.rpartition("\nRuntimeError:")[2].strip())
    assert "has finished its bootstrapping phase" in done.stderr
    raise RuntimeError("the script did not get as far as its worker")


@lab.expect
def every_pool_takes_four_rounds(cases):
    for case in (case for case in cases.of(plain, with_lambda, with_closure) if case.times):
        assert case.units == approx(4, rel=0.05), f"{case.name} took {case.units:.2f} units"


@lab.expect
def forked_workers_are_there_first(cases):
    plains = [cases.find(plain, library="multiprocessing", start=start) for start in ("fork", "forkserver", "spawn")]
    fork, *others = (case.median_repeat.startup_s for case in plains)
    assert min(others) > 1.1 * fork, f"fork {fork:.2f} s, forkserver and spawn {others[0]:.2f} and {others[1]:.2f} s"


if __name__ == "__main__":
    lab.main()
