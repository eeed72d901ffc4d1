"""reach: which interface uses how much of a cluster

Question   Sixteen tasks, four nodes, eight cores: which interface uses how many of the cores?

Setup      Four nodes with two virtual cores each; a virtual core is 3/20 of a core of your machine. A task is one call
           of `square`; it computes for one unit, here 0.6 s. A worker is a thread or a process, as the case says. Ranks
           are processes.

Predict    On one core sixteen tasks take 16 units, 9.6 s; on eight cores 2 units, 1.2 s. How long will eight threads
           need, a pool of eight processes, a pool of two, eight ranks of MPI?

Run        ./invoke lab.reach
           ./invoke lab.reach --nodes 8 --speed 1/16    twice the nodes: for which interface does it matter?
           ./invoke lab.reach --cores 4 --speed 1/16    twice the cores: which interface has workers for them?

What happens, and why
           Threads stop at one core. The GIL lets one thread of a process run Python code at a time, so eight threads
           that compute take as long as one: 9.6 s. (Threads that wait do gain: lab threads.)
           `multiprocessing.Pool`, `ProcessPoolExecutor` and pathos' `ProcessPool` start processes, each with a GIL of
           its own. They start them on the machine where the program runs. So they stop at one node's cores, here two:
           4.8 s. In the table's last column all tasks are on the first node; the others are idle.
           `pool_map` asks for eight processes and gets them. But the node has two cores. The eight take turns, each
           task takes four times as long, and all are done after the same 4.8 s. More workers are not more cores.

           `mpiexec` starts ranks on all nodes of the cluster. They send their results through the network: eight
           cores, 1.2 s. The price is a second of start-up, and `mpiexec` in front of `python`.
           Choose the smallest interface that reaches far enough: threads where tasks wait; the executor or the pool
           where they compute and one machine will do; pathos where your functions cannot be sent (lab dropin); MPI
           beyond.

Traps      - A pool on the first of four rented nodes leaves three idle, and nothing tells you so.
           - Lesson 002's pool has `cpu_count()` processes: all cores of the machine, even where you may use fewer.
           - Importing mpi4py.futures starts MPI, and a process in which MPI runs should not be forked into a pool's
             workers. So each case here imports its own library.
           - Without a kernel's limit (--backend embedded) `pool_map` gets eight virtual cores, and takes 1.2 s.

Exercise   Import wait from parlab.lab; let `square` wait(1). Predict all five rows, then run it. (The claims say no.)
Lessons    002
Follows    halo
Minutes    10
"""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

from parlab.lab import Lab, approx, burn

lab = Lab(unit=0.6, nodes=4, cores=2, speed=3 / 20)
NUMBERS = range(16)


def square(number):
    burn(1)
    return number * number


@lab.serial
def one_after_another(task=square):
    return [task(number) for number in NUMBERS]


@lab.case(workers=8, threads=True)
def threads(task=square, *, workers):
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(task, NUMBERS))


@lab.case(workers=8)
def pool_map(task=square, *, workers):
    with get_context("fork").Pool(workers) as pool:
        squares = pool.map(task, NUMBERS, chunksize=1)
        pool.close()
        pool.join()
    return squares


@lab.case(workers=2)
def executor(task=square, *, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        return list(pool.map(task, NUMBERS))


@lab.case(workers=2)
def pathos(task=square, *, workers):
    from multiprocess import get_context  # pathos brings a multiprocessing of its own
    from pathos.pools import ProcessPool

    pool = ProcessPool(nodes=workers, context=get_context("fork"))
    squares = pool.map(task, NUMBERS, chunksize=1)
    pool.close()
    pool.join()
    pool.clear()  # pathos keeps the pool, and would hand it out again
    return squares


@lab.case(launch="mpi4py.futures")
def ranks(task=square):
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as pool:
        return list(pool.map(task, NUMBERS))


@lab.expect
def threads_stop_at_one_core_processes_at_one_node_and_ranks_use_all(cases):
    for case in cases.of(threads, executor, pathos, ranks):
        force = case.workforce
        used = min(force.cores * force.nodes, force.workers)
        assert case.speedup == approx(used, rel=0.1), f"{case.name}: as fast as {case.speedup:.2f} cores, not {used}"


@lab.expect(limits=True)
def more_processes_than_cores_are_as_fast_as_the_cores(cases):
    case = cases.find(pool_map)
    assert case.speedup == approx(case.spec.cores, rel=0.1), f"as fast as {case.speedup:.2f} cores"


if __name__ == "__main__":
    lab.main()
