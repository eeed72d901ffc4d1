"""mpi: the same work on one, two and four nodes

Question   How long do 32 tasks take on one node, on two, on four?

Setup      Nodes with two virtual cores, each 1/8 of a core of your machine. A task is one call of `square`; it computes
           for one unit, here 1 s. The workers are ranks.

Predict    One node does two tasks at once, so 32 tasks are 16 rounds of one unit: 16 s. How many rounds on two nodes,
           on four? And 16 tasks on four nodes, if each worker is sent four at a time?

Run        ./invoke lab.mpi
           ./invoke lab.mpi --nodes 1,2,4,8 --speed 1/16   slower cores: eight need no more CPU than four did
           ./invoke lab.mpi --nodes 4 --chunk 8            half as many chunks: predict the time first

What happens, and why
           The processes of a `multiprocessing` pool all run on one machine. MPI lets processes on many machines send
           each other messages. `mpiexec` starts them and numbers them from 0. The number is a process's rank, and the
           process is called a rank, too. `MPIPoolExecutor` is used like `ProcessPoolExecutor`, but its workers are
           ranks. Rank 0 runs the case on the head, and hands out tasks. Every other rank does a task, sends the result
           back and gets the next. Start a program of your own with one rank more than workers: `mpiexec -n 9 python -m
           mpi4py.futures program.py`.
           Doubling the nodes halves the time, for two reasons: no task needs another's result, and a task computes far
           longer than its messages travel. The table's last column counts the tasks of each node.

           `map` gives results in the order of its arguments. `submit` returns a future at once, and `as_completed`
           gives the futures in the order in which they are done. That costs no time. `starmap` passes several
           arguments. `chunksize=4` sends four tasks to one worker in one message. Sixteen tasks are then four chunks,
           for eight workers: half of them idle, and it takes 4 units instead of 2. Chunks pay where tasks are as short
           as their messages. With `unordered`, results come in the order in which the tasks end.

Traps      - Lessons 001 and 003 do not mention `mpiexec`. Without `-m mpi4py.futures` this pool must start its workers
             itself, which many clusters forbid. Without the main guard each worker begins the program again.
           - A function is sent by its name: a lambda has none that another process could import (PicklingError).

Exercise   Let `square` burn(1 + number % 4). Work out the ideal of map on four nodes by hand, run it, compare. Then let
           the longest tasks go first. (Two claims below are about equal tasks: they say no.)
Lessons    001, 002, 003
Follows    nested
Minutes    10
"""

from math import ceil

from mpi4py.futures import MPIPoolExecutor, as_completed

from parlab.lab import Lab, approx, burn

lab = Lab(unit=1.0, nodes=[1, 2, 4], cores=2, speed=1 / 8)


def square(number):
    """Compute for one unit; the square shows that the result came back."""
    burn(1)
    return number * number


@lab.serial
def one_after_another(task=square, *, many=32):
    return [task(number) for number in range(many)]


@lab.case(launch="mpi4py.futures")
def pool_of_ranks(task=square):
    with MPIPoolExecutor() as pool:
        return list(pool.map(task, range(32)))


@lab.case(launch="mpi4py.futures", nodes=4)
def as_they_are_done(task=square):
    with MPIPoolExecutor() as pool:
        number_of = {pool.submit(task, number): number for number in range(32)}
        squares = {number_of[future]: future.result() for future in as_completed(number_of)}
    return [squares[number] for number in range(32)]


@lab.case(launch="mpi4py.futures", nodes=4, many=16, chunk=4)
def in_chunks(task=square, *, many, chunk):
    with MPIPoolExecutor() as pool:
        arguments = [(number,) for number in range(many)]
        return sorted(pool.starmap(task, arguments, chunksize=chunk, unordered=True))


@lab.expect
def time_is_whole_rounds_of_one_unit(cases):
    for case in cases.of(pool_of_ranks):
        rounds = ceil(32 / case.workers)
        assert case.units == approx(rounds, rel=0.05), f"{case.name} took {case.units:.2f} units, not {rounds}"


@lab.expect
def submit_takes_no_longer_than_map(cases):
    ratio = cases.find(as_they_are_done).units / cases.find(pool_of_ranks, nodes=4).units
    assert ratio == approx(1, rel=0.1), f"{ratio:.2f} times as long"


@lab.expect
def a_chunk_is_the_work_of_one_worker(cases):
    case = cases.find(in_chunks)
    rounds = ceil(ceil(case.settings["many"] / case.settings["chunk"]) / case.workers)
    units = rounds * case.settings["chunk"]
    assert case.units == approx(units, rel=0.1), f"{case.name} took {case.units:.2f} units, not {units}"


if __name__ == "__main__":
    lab.main()
