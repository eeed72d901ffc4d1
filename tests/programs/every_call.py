"""Every blocking call of MPI that has a non-blocking twin, on three ranks, with its right result."""

import os
import sys
import time
from collections.abc import Callable

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
rank, size = world.rank, world.size
left, right = (rank - 1) % size, (rank + 1) % size
SMALL, LARGE = 3, 200_000  # of the large one its receiver must have asked for it


def of(number: int, length: int = SMALL) -> np.ndarray:
    return np.full(length, float(number))


def late() -> None:
    """The others wait long enough for pauses."""
    if rank == 0:
        time.sleep(0.05)


def one_message() -> None:
    for send in (world.Send, world.Ssend):
        for length in (SMALL, LARGE):
            got = np.empty(length)
            late()
            if rank == 0:
                send(of(1, length), 1, tag=7)
            elif rank == 1:
                status = MPI.Status()
                world.Recv(got, 0, tag=7, status=status)
                assert (status.source, status.tag, status.Get_count(MPI.DOUBLE)) == (0, 7, length)
                assert (got == 1).all()
    if rank == 1:
        request = world.Irecv(got := np.empty(SMALL), 0, tag=8)
        world.Barrier()
        request.Wait()
        assert (got == 2).all()
    else:
        world.Barrier()
        if rank == 0:
            world.Rsend(of(2), 1, tag=8)
    late()
    got = np.empty(LARGE)
    status = MPI.Status()
    world.Sendrecv(of(rank, LARGE), right, 1, got, left, 1, status=status)
    assert (got == left).all()
    assert status.source == left
    got = of(rank, LARGE)
    world.Sendrecv_replace(got, right, 2, left, 2)
    assert (got == left).all()
    world.Sendrecv(of(rank), MPI.PROC_NULL, 1, got, MPI.PROC_NULL, 1)
    if rank == 0:
        late()
        world.send({"a": 1}, 1, tag=5)
        world.Send(of(6), 1, tag=6)
    elif rank == 1:
        status = MPI.Status()
        world.Probe(MPI.ANY_SOURCE, 5, status)
        assert status.source == 0
        assert world.recv(source=0, tag=5) == {"a": 1}
        world.Mprobe(0, 6).Recv(got := np.empty(SMALL))
        assert (got == 6).all()


def requests() -> None:
    got = [np.empty(SMALL) for _ in range(4)]
    requests = [world.Irecv(one, left, tag) for tag, one in enumerate(got)]
    late()
    sends = [world.Isend(of(tag), right, tag) for tag in range(4)]
    index = MPI.Request.Waitany(requests)
    assert requests[index] == MPI.REQUEST_NULL
    assert (got[index] == index).all()
    while (done := MPI.Request.Waitsome(requests)) is not None:
        assert done
    assert all((one == tag).all() for tag, one in enumerate(got))
    statuses = [MPI.Status() for _ in sends]
    MPI.Request.Waitall(sends, statuses)
    assert MPI.Request.Waitany(sends) == MPI.UNDEFINED
    again = world.Send_init(of(9), right, 9), world.Recv_init(one := np.empty(SMALL), left, 9)
    for _ in range(2):
        MPI.Prequest.Startall(list(again))
        MPI.Request.Waitall(list(again))
        assert (one == 9).all()
    for request in again:
        request.Free()
    MPI.REQUEST_NULL.Wait()


def collectives(comm: MPI.Intracomm) -> None:
    everyone, total = np.arange(size, dtype=float), size * (size - 1) / 2
    counts, places = [1, 2, 3], [0, 1, 3]
    comm.Barrier()
    for root in range(size):
        late()
        comm.Bcast(got := of(root if rank == root else -1, LARGE), root)
        assert (got == root).all()
        comm.Gather(of(rank, 1), all_of := np.empty(size), root)
        assert rank != root or (all_of == everyone).all()
        comm.Gatherv(of(rank, counts[rank]), [several := np.empty(6), counts, places, MPI.DOUBLE], root)
        assert rank != root or several.tolist() == [0, 1, 1, 2, 2, 2]
        comm.Scatter(everyone, one := np.empty(1), root)
        assert one == rank
        comm.Scatterv([np.array([0.0, 1, 1, 2, 2, 2]), counts, places, MPI.DOUBLE], one := np.empty(counts[rank]), root)
        assert (one == rank).all()
        comm.Reduce(of(rank), summed := np.empty(SMALL), MPI.SUM, root)
        assert rank != root or (summed == total).all()
    late()
    comm.Allreduce(MPI.IN_PLACE, summed := of(rank), MPI.SUM)
    assert (summed == total).all()
    comm.Allgather(of(rank, 1), all_of := np.empty(size))
    assert (all_of == everyone).all()
    comm.Allgatherv(of(rank, counts[rank]), [several := np.empty(6), counts, places, MPI.DOUBLE])
    assert several.tolist() == [0, 1, 1, 2, 2, 2]
    comm.Alltoall(everyone, got := np.empty(size))
    assert (got == rank).all()
    once = [1] * size
    comm.Alltoallv([everyone, once, MPI.DOUBLE], [got := np.empty(size), once, MPI.DOUBLE])
    assert (got == rank).all()
    at = [8 * number for number in range(size)]
    types = [MPI.DOUBLE] * size
    comm.Alltoallw([everyone, (once, at), types], [got := np.empty(size), (once, at), types])
    assert (got == rank).all()
    comm.Scan(of(rank), got := np.empty(SMALL))
    assert (got == rank * (rank + 1) / 2).all()
    comm.Exscan(of(rank), got := of(0))
    assert (got == rank * (rank - 1) / 2).all()
    comm.Reduce_scatter(np.arange(6.0), got := np.empty(counts[rank]), counts)
    assert (got == size * (places[rank] + np.arange(counts[rank]))).all()
    comm.Reduce_scatter_block(everyone, got := np.empty(1))
    assert got == size * rank
    assert comm.allreduce([rank], MPI.SUM) == list(range(size))


def neighbours() -> None:
    ring = world.Create_cart([size], periods=[True])
    next_to = [left, right]
    ring.Neighbor_allgather(of(rank, 1), got := np.empty(2))
    assert got.tolist() == next_to
    ring.Neighbor_allgatherv(of(rank, 1), [got := np.empty(2), [1, 1], [0, 1], MPI.DOUBLE])
    assert got.tolist() == next_to
    each_its_own(ring, [10 * left + 1, 10 * right])


def twice_the_same_neighbour() -> None:
    """Along a periodic dimension of one or two ranks the left neighbour is the right one, too."""
    pair = MPI.Intracomm(world.Split(rank < 2))
    size = pair.size  # 2, and 1 for the last rank
    ring, other = pair.Create_cart([size], periods=[True]), (pair.rank + 1) % size
    each_its_own(ring, [10 * other + 1, 10 * other])


def each_its_own(ring: MPI.Cartcomm, mine: list[int]) -> None:
    """Ten times its rank goes to the left, one more to the right; `mine` comes from there."""
    to_each = np.array([10.0 * ring.rank, 10.0 * ring.rank + 1])
    ring.Neighbor_alltoall(to_each, got := np.empty(2))
    assert got.tolist() == mine
    ring.Neighbor_alltoallv([to_each, [1, 1], [0, 1], MPI.DOUBLE], [got := np.empty(2), [1, 1], [0, 1], MPI.DOUBLE])
    assert got.tolist() == mine
    types = [MPI.DOUBLE] * 2
    ring.Neighbor_alltoallw([to_each, ([1, 1], [0, 8]), types], [got := np.empty(2), ([1, 1], [0, 8]), types])
    assert got.tolist() == mine


def between_groups() -> None:
    """From several roots in a row, and with others that say nothing."""
    mine = MPI.Intracomm(world.Split(rank == 0))
    other = mine.Create_intercomm(0, world, 1 if rank == 0 else 0)
    for root in (0, 1, 0):
        if rank == 0:
            other.Bcast(got := np.empty(LARGE), root)
            assert (got == root).all()
        else:
            other.Bcast(of(root, LARGE), MPI.ROOT if mine.rank == root else MPI.PROC_NULL)


def errors() -> None:
    """Open MPI's own, from the twin or while it is waited for."""
    world.Set_errhandler(MPI.ERRORS_RETURN)
    nobody = (MPI.ERR_RANK, MPI.ERR_ROOT)
    assert error_of(lambda: world.Send(of(1), size)) in nobody
    assert error_of(lambda: world.Bcast(of(1), size)) in nobody
    assert error_of(lambda: world.Recv(of(1), size)) in nobody
    late()
    if rank == 0:
        world.Send(of(1, 100), 1, tag=3)
    elif rank == 1:
        assert error_of(lambda: world.Recv(of(1, 10), 0, tag=3)) == MPI.ERR_TRUNCATE
    # Of a pair of which one fails, the other leaves nothing behind: the next message comes whole, and where it should.
    got, unused, ours = np.empty(SMALL), of(-1), of(rank, LARGE)
    assert error_of(lambda: world.Sendrecv(of(1), size, 0, unused, left)) in nobody
    assert error_of(lambda: world.Sendrecv_replace(unused, size, 0, left)) in nobody
    world.Sendrecv(of(rank), right, 4, got, left)
    assert got.tolist() == [left] * SMALL
    assert unused.tolist() == [-1] * SMALL
    if rank == 0:
        assert error_of(lambda: world.Sendrecv(ours, 1, 5, unused, 1)) == MPI.ERR_TRUNCATE
    elif rank == 1:
        world.Send(of(1, 100), 0)  # small: a large one that is cut off crashes Open MPI 5.0 over TCP
        late_one = np.empty(LARGE)
        world.Recv(late_one, 0, tag=5)
        assert (late_one == 0).all()


def error_of(call: Callable[[], object]) -> int:
    try:
        call()
    except MPI.Exception as error:
        return error.Get_error_class()
    return MPI.SUCCESS


def spawned(how: str) -> None:
    """Ranks that are spawned wait as those that spawned them: a collective of both has an end."""
    info, child = MPI.Info.Create({"env": "OWN=5"}), [__file__, "child"]
    if how == "spawn":
        group = world.Spawn(sys.executable, child, 2, info)
    else:
        group = world.Spawn_multiple([sys.executable] * 2, [child] * 2, [1, 1], [info, info])
    assert group.Merge(high=False).allreduce(0) == 10


def main() -> None:
    parent = MPI.Comm.Get_parent()
    if parent != MPI.COMM_NULL:
        parent.Merge(high=True).allreduce(int(os.environ["OWN"]))
        return
    if len(sys.argv) > 1:
        spawned(sys.argv[1])
    else:
        one_message()
        requests()
        collectives(world)
        neighbours()
        twice_the_same_neighbour()
        between_groups()
        errors()
    print(f"rank {rank}: every call", flush=True)


if __name__ == "__main__":
    main()
