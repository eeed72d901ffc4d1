"""mpi: the same work on one, two and four nodes

Words      A cluster is several machines that work together; each is a node. Here a node is a container with two
           virtual cores, each as fast as an eighth of a core of your machine. A task is one call of `square`; it
           computes for one unit of time, here 0.5 s.

Question   How long do 32 tasks take on one node, on two, on four?

Predict    A core does one task at a time. One node does two at once, so 32 tasks are 16 rounds of one unit: 8 s.
           How many rounds on two nodes, on four? What will be lost on the way?

Run        ./invoke lab.mpi
           ./invoke lab.mpi --nodes 1,2,4,8 --speed 1/16   slower cores: eight need no more CPU than four did
           ./invoke lab.mpi --unit 0.05                    short tasks: does handing them out begin to show?

What happens, and why
           The processes of a `multiprocessing` pool all run on one machine. MPI (Message Passing Interface) lets
           processes on many machines send each other messages. `mpiexec` starts them and numbers them from 0; the
           number is a process's rank, and the process is called a rank, too.
           `MPIPoolExecutor` is used like `ProcessPoolExecutor`, but its workers are ranks. Rank 0 runs the case
           below, on a node of its own, the head, and hands out tasks; every other rank computes one task, sends
           the result back and gets the next. A program of your own with eight workers is started by

               mpiexec -n 9 python -m mpi4py.futures program.py

           that is one rank more than workers. Doubling the nodes halves the time because no task needs another's
           result, and because a task computes far longer than its messages travel. The table's last column counts
           the tasks of each node: nodes and tasks are all alike, so the counts are, too.

Traps      - Without `-m mpi4py.futures` the pool must start its workers itself, which many clusters forbid.
           - Without the main guard every worker, which imports this file, would begin the program again.
           - A function is sent by its name: a lambda has none that another process could import.
           - When the terminal that runs mpiexec is lost, ranks on other machines may go on: look, and end them.

Exercise   Make tasks unequal: burn(1 + number % 4) in `square`. Work out the ideal for four nodes by hand, run it,
           compare. Then let the longest tasks go first. (The expectation below is about equal tasks: it says no.)
Minutes    10
"""

from math import ceil

from mpi4py.futures import MPIPoolExecutor

from parlab.lab import Lab, approx, burn

lab = Lab(unit=0.5, nodes=[1, 2, 4], cores=2, speed=1 / 8)
NUMBERS = range(32)


def square(number):
    """Compute for one unit; the square shows that the result came back."""
    burn(1)
    return number * number


@lab.serial
def one_after_another(task=square):
    return [task(number) for number in NUMBERS]


@lab.case(launch="mpi4py.futures")
def pool_of_ranks(task=square):
    with MPIPoolExecutor() as pool:
        return list(pool.map(task, NUMBERS))


@lab.expect
def time_is_whole_rounds_of_one_unit(cases):
    for case in cases.values():
        rounds = ceil(len(NUMBERS) / case.workers)
        assert case.units == approx(rounds, rel=0.05), f"{case.name} took {case.units:.2f} units, not {rounds}"


if __name__ == "__main__":
    lab.main()
