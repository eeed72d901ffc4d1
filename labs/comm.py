"""comm: what ranks say to each other, and what it costs

Question   What does a message cost within a node, and what between two? Is `send` the same as `Send`?

Setup      One node or two, with no limit on their CPU time. `mpiexec -n 2 python program.py` starts the program twice.
           Each process is a rank: `comm.rank` is its number, `comm.size` the number of ranks. A task is a rank's part
           of a sum, or one measurement.

Predict    Two ranks, both on one node or one on each of two. How many microseconds (us) does one number take from rank
           to rank? How many times that between nodes? What is faster for 1 MB, `send` or `Send`?

Run        ./invoke lab.comm    twice: which figures stay the same?

What happens, and why
           Every rank runs the whole program. Its number tells it what to do. In a collective call all ranks take part.
           `scatter` deals out rank 0's list, an item to each rank. `gather` collects an item from each on rank 0.
           `bcast` gives rank 0's object to all. `allreduce` adds up the values of all, and all get the sum.
           Lower-case calls take any object. They pickle it, send the bytes, and make a copy of the object on the other
           side. Upper-case calls take the memory of an array as it is, and put it into an array that is there already:
           several times the bandwidth. Within a node a message goes through memory that both ranks see, between nodes
           through the network, which has a latency of its own. One number takes 5 to 8 us pickled and 1 to 3 us as an
           array within a node, some 15 and 10 us between two. (Ours share a machine; between real ones it is longer.)

           `both_send_first` is the classic deadlock. `Send` of a long message returns when it is being received. Both
           ranks send, so neither receives: with Send and Recv they would wait for ever. `Isend` only starts to send, so
           the case can look at the clock and raise TimeoutError. `Sendrecv` does both at once: `both_at_once`.

Traps      - Short messages leave at once, received or not. Such a program runs on small data and hangs on large.
           - If one rank leaves out a collective call, for example behind `if comm.rank == 0`, others may wait for
             ever.
           - `Recv` does not check types. Whole numbers received into an array of floats are nonsense, without any
             error.
           - Lessons 001 and 003: "a bit beyond the scope of this class". These few calls are most of it.

Exercise   Make `both_send_first` right with Send and Recv alone: which rank must receive first? Then undo that and set
           MANY = 100. Is there still a TimeoutError? Why is that the more dangerous program?
Lessons    001, 003
Follows    mpi
Minutes    15
"""

from time import monotonic, sleep
from timeit import repeat

import numpy as np
from mpi4py import MPI

from parlab.lab import CannotBeShown, Lab, metric

lab = Lab(unit=0.1, nodes=[1, 2], cores=2, speed=1 / 8, bounds={"workers": (2, 2)})
COMM, MANY = MPI.COMM_WORLD, 125_000  # all ranks of this launch; numbers of 8 bytes, that is 1 MB


@lab.serial
def one_process(task=np.sum):
    return task(np.arange(MANY))


@lab.case(launch="mpi", nodes=2, workers=2, limits=False)
def all_together(task=np.sum, *, workers):
    subtotal = task(COMM.scatter(np.array_split(np.arange(MANY), COMM.size) if COMM.rank == 0 else None))
    subtotals = COMM.gather(int(subtotal))
    total = COMM.bcast(sum(subtotals) if COMM.rank == 0 else None)
    print(f"rank {COMM.rank} of {COMM.size} has {subtotal}, from gather {subtotals}, from bcast {total}")
    return COMM.allreduce(subtotal)  # the same total, in one call


@lab.case(launch="mpi", nodes=2, workers=2, limits=False, outcome=TimeoutError)
def both_send_first(task=np.sum, *, workers):
    other, ours, theirs = 1 - COMM.rank, np.arange(MANY), np.empty(MANY, int)
    sending, deadline = COMM.Isend(ours, other), monotonic() + 0.2
    while not (sent := sending.Test()) and monotonic() < deadline:  # Send() would go on for ever
        sleep(0.001)
    COMM.Barrier()  # both have given up; they receive now only to end cleanly
    MPI.Request.Waitall([sending, COMM.Irecv(theirs, other)])
    if not sent:
        raise TimeoutError("nobody received")
    return task(theirs)


@lab.case(launch="mpi", nodes=2, workers=2, limits=False)
def both_at_once(task=np.sum, *, workers):
    other, ours, theirs = 1 - COMM.rank, np.arange(MANY), np.empty(MANY, int)
    COMM.Sendrecv(ours, other, recvbuf=theirs, source=other)
    return task(theirs)


def one_way(send, receive):
    steps = (send, receive) if COMM.rank == 0 else (receive, send)
    return min(repeat(lambda: [step() for step in steps], number=1, repeat=100)) / 2  # seconds


@lab.case(launch="mpi", workers=2, limits=False)
def there_and_back(task=one_way, *, workers):
    one, many, other = np.arange(1), np.arange(MANY), 1 - COMM.rank
    metric("us pickled", 1e6 * task(lambda: COMM.send(one, other), lambda: COMM.recv(source=other)))
    metric("us as an array", 1e6 * task(lambda: COMM.Send(one, other), lambda: COMM.Recv(one, other)))
    metric("MB/s pickled", many.nbytes / 1e6 / task(lambda: COMM.send(many, other), lambda: COMM.recv(source=other)))
    metric("MB/s as an array", many.nbytes / 1e6 / task(lambda: COMM.Send(many, other), lambda: COMM.Recv(many, other)))
    metric("different machines", len(set(COMM.allgather(MPI.Get_processor_name()))))
    return np.sum(many)


@lab.expect
def arrays_beat_pickles(cases):
    one, two = (cases.find(there_and_back, nodes=nodes).metrics for nodes in (1, 2))
    factors = [found["MB/s as an array"] / found["MB/s pickled"] for found in (one, two)]
    factors.append(one["us pickled"] / one["us as an array"])  # between nodes the network is most of it
    assert min(factors) > 1.3, f"the factors are {factors}"


@lab.expect
def between_nodes_costs_more_than_within(cases):
    within, between = (cases.find(there_and_back, nodes=nodes).metrics for nodes in (1, 2))
    if between["different machines"] == 1:
        raise CannotBeShown("the two nodes are simulated on one machine")
    assert between["us as an array"] > 2 * within["us as an array"], f"{within} and {between}"


if __name__ == "__main__":
    lab.main()
