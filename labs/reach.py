"""reach: which interface uses how much of a cluster

Words      A cluster is several machines that work together; each is a node. Here there are four, containers with two
           virtual cores each; a virtual core is as fast as an eighth of a core of your machine. A task is one call of
           `square`; it computes for one unit of time, here 0.4 s. A worker is whoever does tasks: a thread, or a
           process. A process is a running program; its threads share its memory. A rank is a process of MPI: lab mpi.

Question   Sixteen tasks, four nodes, eight cores: which interface uses how many of the cores?

Predict    On one core sixteen tasks take 16 units, 6.4 s; on eight cores 2 units, 0.8 s. Which of the times will
           eight threads need, a pool of eight processes, a pool of two, eight ranks of MPI?

Run        ./invoke lab.reach
           ./invoke lab.reach --nodes 8 --speed 1/16    twice the nodes: for which interface does it matter?
           ./invoke lab.reach --cores 4 --speed 1/16    twice the cores in a node: and now?

What happens, and why
           Threads stop at one core. Python's global interpreter lock (GIL) lets one thread of a process compute at a
           time, so eight threads that compute take as long as one: 6.4 s. (Threads that wait do gain: lab threads.)
           `multiprocessing.Pool`, `ProcessPoolExecutor` and pathos' `ProcessPool` start processes, each with a lock
           of its own. They start them on the machine where the program runs, so they stop at one node's two cores:
           3.2 s. In the table's last column all tasks are on the first node; the others are idle.
           `pool` asks for eight processes and gets them. But the node has two cores: the eight take turns, each task
           takes four times as long, and all are done after the same 3.2 s. More workers are not more cores.
           MPI starts its processes, called ranks, on all nodes of the cluster, and they send their results through
           the network: eight cores, 0.8 s. The price is a second of start-up, and `mpiexec` in front of `python`.
           Take the smallest that reaches far enough: threads where tasks wait; the executor or the pool where they
           compute and one machine will do; pathos where your functions cannot be sent (lab dropin); MPI beyond.

Traps      - Renting four nodes and starting a pool on the first: three stand idle, and nothing says so.
           - Lesson 002's pool has `cpu_count()` processes. That counts the host's cores, not those that you may use.
           - Importing mpi4py.futures starts MPI, and a process in which MPI runs should not be forked into a pool's
             workers: here each case imports what it needs.
           - Without a kernel's limit (--backend embedded) eight processes get eight virtual cores, and take 0.8 s.

Exercise   Let `square` call wait(1) instead of burn(1). Predict all five rows, then run it. (The claims say no.)
Lessons    002
Follows    halo
Minutes    10
"""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

from parlab.lab import Lab, approx, burn

lab = Lab(unit=0.4, nodes=4, cores=2, speed=1 / 8)
NUMBERS = range(16)


def square(number):
    burn(1)
    return number * number


@lab.serial
def one_after_another(task=square):
    return [task(number) for number in NUMBERS]


@lab.case(workers=8, threads=True)
def threads(task=square, *, workers):
    with ThreadPoolExecutor(workers) as executor:
        return list(executor.map(task, NUMBERS))


@lab.case(workers=8)
def pool(task=square, *, workers):
    with get_context("fork").Pool(workers) as processes:
        squares = processes.map(task, NUMBERS, chunksize=1)
        processes.close()
        processes.join()
    return squares


@lab.case(workers=2)
def executor(task=square, *, workers):
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as processes:
        return list(processes.map(task, NUMBERS))


@lab.case(workers=2)
def pathos(task=square, *, workers):
    from multiprocess import get_context  # pathos brings a multiprocessing of its own
    from pathos.pools import ProcessPool

    processes = ProcessPool(nodes=workers, context=get_context("fork"))
    squares = processes.map(task, NUMBERS, chunksize=1)
    processes.close()
    processes.join()
    processes.clear()  # pathos keeps a pool for the next time that one of its size is asked for
    return squares


@lab.case(launch="mpi4py.futures")
def ranks(task=square):
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as executor:
        return list(executor.map(task, NUMBERS))


@lab.expect
def threads_stop_at_one_core_processes_at_one_node_and_ranks_use_all(cases):
    for function, cores, rel in ((threads, 1, 0.1), (executor, 2, 0.1), (pathos, 2, 0.1), (ranks, 64, 0.15)):
        case = cases.find(function)
        used = min(cores, case.workers)
        assert case.speedup == approx(used, rel), f"{case.name}: as fast as {case.speedup:.2f} cores, not {used}"


@lab.expect(limits=True)
def more_processes_than_cores_are_as_fast_as_the_cores(cases):
    case = cases.find(pool)
    assert case.speedup == approx(case.spec.cores, rel=0.1), f"as fast as {case.speedup:.2f} cores"


if __name__ == "__main__":
    lab.main()
