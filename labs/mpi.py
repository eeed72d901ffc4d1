"""mpi: the same work on one, two and four nodes

Question   32 tasks, each one unit of computing. How long do they take on one node, on two, on four?

Predict    A node has 2 cores, so 2 tasks run at a time: 32 tasks are 16 rounds of one unit. With the shipped unit
           of 0.5 s that is 8 s. Two nodes need 8 rounds, four nodes 4. What will be lost on the way?

Run        ./invoke lab.mpi                        the cluster: a head and four worker containers
           ./invoke lab.mpi --nodes 1,2,4,8 --speed 1/16
           ./invoke lab.mpi --unit 0.05            tasks of 50 ms: when does handing them out begin to show?

What happens, and why
           A process pool ends where its machine ends. MPI starts processes, called ranks, on many machines and
           carries messages between them. `MPIPoolExecutor` looks like the pool of `concurrent.futures`, but its
           workers are ranks: rank 0, on the head, runs this file and hands out the tasks; the other ranks wait
           for tasks, compute and send results back. It is started as

               mpiexec -n 9 python -m mpi4py.futures labs/mpi.py

           with one rank more than there are workers. Doubling the nodes halves the time, for two reasons: the
           tasks do not depend on each other, and each computes far longer (0.5 s) than its message takes (1 ms).
           The last column counts the tasks that each node did. All nodes are equally fast, so the shares are.

Traps      - Without `-m mpi4py.futures` the pool must start its workers itself, which many clusters forbid.
           - No main guard: every worker imports this file, and would begin the whole program again.
           - A task must be importable: a lambda cannot be sent to another process.
           - Ending the shell that runs mpiexec does not end the ranks on the other machines.

Exercise   Make the tasks unequal: burn(1 + number % 4) in place of burn(1), here and nowhere else. Work out the
           ideal for four nodes by hand, then compare: does it matter in which order the tasks are handed out?

Minutes    10
"""

from mpi4py.futures import MPIPoolExecutor

from parlab.lab import Lab, approx, burn

lab = Lab(unit=0.5, nodes=[1, 2, 4], cores=2, speed=1 / 8)
NUMBERS = range(32)


def square(number):
    """One unit of computing; the square is there to be checked."""
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
def time_is_rounds_of_one_unit(cases):
    for case in cases.values():
        assert case.units == approx(len(NUMBERS) / case.workers, rel=0.05)


if __name__ == "__main__":
    lab.main()
