"""halo: a plate in pieces, and the price of their edges

Question   A plate is heated at one edge. In each step every cell becomes the mean of its four neighbours. The rows are
           dealt out to 2, 4 or 8 ranks. How far from ideal is each, and why do more ranks waste more?

Setup      Nodes with two virtual cores, each 3/20 of a core of your machine, and a rank on each core. A task is one
           step of one rank's rows; a row takes one unit, 5 ms.

Predict    64 rows x 40 steps x 5 ms are 12.8 s on one core, ideally 6.4, 3.2 and 1.6 s on 2, 4 and 8. Ranks exchange
           edge rows after each step. Say that this takes 4 ms, whatever the number of rows. What share of a step is
           that with 32 rows a rank, with 16, with 8?

Run        ./invoke lab.halo
           ./invoke lab.halo --unit 0.001    cheaper rows: what is `off by` now?

What happens, and why
           To compute its outer rows a rank needs its neighbours' outer rows. It keeps copies of them around its own
           rows: the halo. After each step the halo is out of date. A rank with 32 rows computes 160 ms a step, one
           with 8 rows 40 ms. But both exchange an outer row with each neighbour: the edges stay the same while the
           area shrinks. So the loss (off by) grows: some 2, 3 and 7 %. (The 4 ms are rough: so are your 2.5, 5 and 10
           %.) The remedy is more rows for each rank: large plates gain from more ranks, small ones do not. `every=2`
           exchanges at every other step. That hardly saves any time, and the plate comes out wrong, without any error.

           `Isend` and `Irecv` only start a message; `Testall` asks whether all are done. In between the rank sleeps a
           millisecond. A blocking call, `Recv` or `Waitall`, asks without a pause: it spins. Where the kernel limits
           the node, spinning burns CPU time that its neighbour on the node needs. The two cases with paced=False show
           it. The last rank has nearly all rows there, and may use the whole limit of its node. If its neighbour
           sleeps, it gets nearly all of that. If its neighbour spins, it gets little more than half, and takes nearly
           twice the time. (A rank with a real core to itself may spin: it then notices a message sooner.)

Traps      - Leave the rows of an Isend unchanged, and those of an Irecv unread, until the test says that they are done.
           - Lesson 002 would "gather the results and have them interact". Gathering moves the plate, a halo its edges.
           - A `gather` at the end blocks, too. Here, under the limits, it took seconds. So rows are sent like edges.

Exercise   Set ROWS = 128 and STEPS = 20, which is the same work. Predict the loss on four nodes now; run it.
Lessons    002
Follows    comm
Minutes    15
"""

from time import process_time, sleep

import numpy as np
from mpi4py import MPI

from parlab.lab import Lab, burn, metric

lab = Lab(unit=0.005, nodes=[1, 2, 4], cores=2, speed=3 / 20, same=np.allclose)
COMM = MPI.COMM_WORLD  # all ranks of this launch
ROWS, COLUMNS, STEPS, ADDITIONS = 64, 256, 40, 10_000  # so many additions a row


def relax(block, paced=True):
    """One step of a block's own rows: each cell becomes the mean of its four neighbours."""
    if paced:
        burn(len(block) - 2)  # a unit a row stands for the physics of a real solver
    else:
        sum(range(ADDITIONS * (len(block) - 2)))  # so does this, at any speed that the node's limit allows
    return (block[:-2, 1:-1] + block[2:, 1:-1] + block[1:-1, :-2] + block[1:-1, 2:]) / 4


def rows_of_ranks(ranks, evenly=True):  # each with one more above and below; not evenly: the last rank has nearly all
    assert ranks <= ROWS, f"{ranks} ranks have no more than {ROWS} rows"
    first = [ROWS * rank // ranks if evenly else min(4, ROWS // ranks) * rank for rank in range(ranks)]
    return [slice(start, end + 2) for start, end in zip(first, [*first[1:], ROWS], strict=True)]


@lab.serial
def one_process(task=relax, *, workers, paced=True):
    plate = np.zeros((ROWS + 2, COLUMNS))
    plate[0] = 100  # the outermost cells never change
    for _ in range(STEPS):
        plate[1:-1, 1:-1] = np.concatenate([task(plate[rows], paced) for rows in rows_of_ranks(workers)])
    return plate


def sleep_until_done(requests):
    while not MPI.Request.Testall(requests):
        sleep(0.001)


@lab.case(launch="mpi", every=1)
@lab.case(launch="mpi", nodes=4, every=2, outcome="wrong")
@lab.case(launch="mpi", nodes=1, paced=False, waiting=["asleep", "spinning"], repeat=3)
def heat(task=relax, *, every=1, paced=True, waiting="asleep"):
    above = COMM.rank - 1 if COMM.rank > 0 else MPI.PROC_NULL  # nobody
    below = COMM.rank + 1 if COMM.rank < COMM.size - 1 else MPI.PROC_NULL
    plate = np.zeros((ROWS + 2, COLUMNS))
    plate[0] = 100
    blocks = [plate[rows] for rows in rows_of_ranks(COMM.size, evenly=paced)]
    block, cpu_s = blocks[COMM.rank].copy(), 0.0
    wait_for = MPI.Request.Waitall if waiting == "spinning" else sleep_until_done
    for step in range(STEPS):
        block[1:-1, 1:-1] = task(block, paced)
        began = process_time()
        if step % every == 0:
            sent = [COMM.Isend(block[1], above), COMM.Isend(block[-2], below)]
            wait_for([*sent, COMM.Irecv(block[0], above), COMM.Irecv(block[-1], below)])
        cpu_s += process_time() - began
    metric("ms of CPU time to exchange edges", 1000 * cpu_s)
    received = [COMM.Irecv(blocks[rank][1:-1], rank) for rank in range(COMM.size) if COMM.rank == 0]
    sleep_until_done([COMM.Isend(block[1:-1], 0), *received])
    return plate


@lab.expect
def the_smaller_the_blocks_the_more_is_lost(cases):
    one, two, four = (cases.find(heat, every=1, nodes=nodes).off_by for nodes in (1, 2, 4))
    assert max(one, two) < four, f"{one:.1%} on one node, {two:.1%} on two, {four:.1%} on four"


@lab.expect(limits=True)
def a_rank_that_spins_takes_its_neighbours_share(cases):
    found = [cases.find(heat, waiting=waiting) for waiting in ("asleep", "spinning")]
    asleep, spinning = (sum(span.cpu_s for span in case.median_repeat.spans) / case.measured_s for case in found)
    assert asleep > 1.3 * spinning, f"work got {asleep:.3f} CPU beside one asleep, {spinning:.3f} beside one spinning"


if __name__ == "__main__":
    lab.main()
