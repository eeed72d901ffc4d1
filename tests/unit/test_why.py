"""Why a program hangs, in words."""

from parlab.model.job_events import ANY, ELSEWHERE, NOBODY, Died, Ended, Frame, Looked, MpiCall, Seen, Stack
from parlab.run.why import deaths, explain, first_to_fail, how

SEND = Frame("ring.py", 7, "<module>", "comm.Send(data, right)", own=True)
LIBRARY = Frame("/usr/lib/python3/threading.py", 359, "wait", "waiter.acquire()", own=False)
RUNNER = Frame("/site-packages/mpi4py/run.py", 53, "main", "run_path()", own=False)


def seen(*stack: Frame, cpu: float = 0.0, waits: MpiCall | None = None) -> Seen:
    return Seen(7, "python ring.py", cpu, [Stack(list(stack), waits)])


def ended(code: int, *, goodbye: bool = True, why: str = "", died: tuple[Died, ...] = ()) -> Ended:
    return Ended(1, code, goodbye, False, why, 9, 1.0, 2.0, 0.5, 4096, [], list(died))


def where(rank: int) -> str:
    return f"node-{rank + 1}"


def first_line(*looked: Looked, over: tuple[Ended, ...] = (), silent: tuple[int, ...] = ()) -> str:
    return explain(looked, over, silent, where).splitlines()[0]


def test_ranks_at_one_line_are_told_together() -> None:
    at_send = [Looked(rank, [seen(SEND, RUNNER)], []) for rank in range(3)]
    assert first_line(*at_send) == "rank 0 to rank 2 are asleep in ring.py:7 (comm.Send(data, right))"


def test_a_rank_elsewhere_one_that_has_ended_and_one_that_is_silent_are_told_apart() -> None:
    line = first_line(Looked(0, [seen(SEND, cpu=0.7)], []), over=(ended(0),), silent=(2,))
    assert line == (
        "rank 0 on node-1 is busy (70 % of a host core) in ring.py:7 (comm.Send(data, right)); "
        "rank 1 on node-2 has ended with exit code 0; rank 2 on node-3 does not answer"
    )


def waiting(rank: int, call: str, peer: int = NOBODY, tag: int = NOBODY, seconds: float = 31.26) -> Looked:
    return Looked(rank, [seen(SEND, RUNNER, waits=MpiCall(call, peer, tag, seconds))], [])


def test_a_rank_that_waits_in_mpi_is_told_with_call_peer_and_tag() -> None:
    assert first_line(waiting(3, "Recv", 0, 5)) == (
        "rank 3 on node-4 waits in Recv from rank 0, tag 5, at ring.py:7 (comm.Send(data, right)) for 31.3 s"
    )
    assert "waits in Ssend to rank 2, tag 0, at" in first_line(waiting(0, "Ssend", 2, 0))
    assert "waits in Probe from any rank, any tag, at" in first_line(waiting(0, "Probe", ANY, ANY))
    assert "waits in Reduce with root 1 at" in first_line(waiting(0, "Reduce", 1))
    assert "waits in Send of Sendrecv to rank 1, tag 2, at" in first_line(waiting(0, "Send of Sendrecv", 1, 2))
    assert "waits in Recv from a rank of another MPI_COMM_WORLD, tag 1, at" in first_line(
        waiting(0, "Recv", ELSEWHERE, 1)
    )


def test_ranks_that_wait_in_one_call_are_told_together_and_for_how_long_all_do() -> None:
    line = first_line(*(waiting(rank, "Allreduce", seconds=30.0 + rank) for rank in range(3)), waiting(3, "Barrier"))
    assert line.startswith(
        "rank 0 to rank 2 wait in Allreduce at ring.py:7 (comm.Send(data, right)) for 30.0 s; rank 3"
    )


def test_a_circle_of_waiting_ranks_is_seen() -> None:
    line = first_line(*(waiting(rank, "Send", (rank + 1) % 3, 7) for rank in range(3)))
    assert "rank 0 to rank 2 wait in Send (0 to 1, 1 to 2, 2 to 0) at ring.py:7" in line
    ends = first_line(waiting(0, "Sendrecv"), waiting(1, "Sendrecv", 0, 7), waiting(2, "Sendrecv", 1, 7))
    assert "rank 0 to rank 2 wait in Sendrecv (1 from 0, 2 from 1) at" in ends
    many = first_line(*(waiting(rank, "Send", (rank + 1) % 20, 7) for rank in range(20)))
    assert "6 to 7, 7 to 8, ...) at" in many


def test_of_other_threads_those_that_wait_are_shown() -> None:
    process = seen(SEND)
    process.stacks.append(Stack([LIBRARY], MpiCall("Recv", 2, 1, 4.0)))
    text = explain([Looked(0, [process], [])], [], [], where)
    assert (
        "another thread:\n    in MPI_Recv from rank 2, tag 1, for 4.0 s\n    /usr/lib/python3/threading.py:359" in text
    )


def test_the_line_is_the_programs_own_and_stacks_leave_out_who_started_it() -> None:
    text = explain([Looked(0, [seen(LIBRARY, SEND, RUNNER)], [])], [], [], where)
    assert "asleep in ring.py:7" in text
    assert "threading.py:359 in wait: waiter.acquire()" in text
    assert "run_path()" not in text


def test_a_child_that_died_is_named_with_its_signal() -> None:
    text = explain([Looked(0, [seen(SEND)], [Died(12, -9, 1.0), Died(13, 3, 1.0)])], [], [], where)
    assert "a child of rank 0 on node-1, process 12, ended by signal 9, SIGKILL" in text
    assert "process 13, ended with exit code 3" in text
    assert deaths([ended(1, died=(Died(12, -9, 1.0), Died(13, 3, 1.0)))], where) == [
        "a child of rank 1 on node-2, process 12, ended by signal 9, SIGKILL"
    ]


POOL_GET = Frame("/usr/lib/python3.13/multiprocessing/pool.py", 114, "worker", "task = get()", own=False)
START = Frame("/usr/lib/python3.13/multiprocessing/process.py", 313, "_bootstrap", "self.run()", own=False)
IN_LOCK = Frame("ring.py", 3, "work", "lock.acquire()", own=True)


def test_children_are_told_where_they_are_and_not_where_their_parent_was() -> None:
    locked, idle = seen(LIBRARY, IN_LOCK, POOL_GET, START, SEND), seen(LIBRARY, POOL_GET, START, SEND)
    text = explain([Looked(0, [seen(SEND), locked, locked, idle], [])], [], [], where)
    assert text.splitlines()[1:3] == [
        "2 children of rank 0 on node-1, processes 7, 7, are asleep in ring.py:3 (lock.acquire())",
        "a child of rank 0 on node-1, process 7, is asleep in "
        "/usr/lib/python3.13/multiprocessing/pool.py:114 (task = get())",
    ]
    assert text.count("ring.py:7 in <module>: comm.Send") == 1, "of the rank alone"


def test_children_of_several_ranks_at_one_line_are_told_together() -> None:
    text = explain([Looked(rank, [seen(SEND), seen(IN_LOCK, START)], []) for rank in (0, 1)], [], [], where)
    assert "2 children of rank 0 to rank 1, processes 7, 7, are asleep in ring.py:3" in text


def test_who_computes_and_who_would_is_busy() -> None:
    def doing(cpu: float, held_back: float) -> str:
        return first_line(Looked(0, [Seen(7, "python", cpu, [Stack([SEND])], held_back)], []))

    assert "is asleep" in doing(0.0, 0.3)
    assert "is busy (1 % of a host core)" in doing(0.01, 0.9)
    assert "is busy (6 % of a host core)" in doing(0.06, 0.0)


def test_a_rank_that_is_through_and_waits_for_the_others_is_told_as_such() -> None:
    line = first_line(waiting(0, "Recv", 1, 5), Looked(1, [seen(cpu=0.1)], [], goodbye=True))
    assert line.endswith("; rank 1 on node-2 is through the program, and MPI_Finalize waits for the others")
    at_exit = first_line(Looked(1, [seen(SEND)], [], goodbye=True))
    assert "is asleep in ring.py:7" in at_exit, "something registered with atexit"
    assert first_line(Looked(0, [seen()], [], goodbye=True)) == "rank 0 on node-1 is through the program"


def test_ranks_that_are_gone_are_told() -> None:
    said = explain([Looked(0, [seen(SEND)], [])], [], [2], where, [1])
    assert "; rank 1 on node-2 is gone; rank 2 on node-3 does not answer" in said


def test_children_that_ended_alike_are_told_together_and_why() -> None:
    died = [Died(12, -9, 1.0), Died(13, -15, 1.0), Died(14, -9, 2.0)]
    text = explain([Looked(0, [seen(SEND)], died, "its memory ran out")], [], [], where)
    assert text.splitlines()[1:3] == [
        "2 children of rank 0 on node-1, processes 12, 14, ended by signal 9, SIGKILL: its memory ran out",
        "a child of rank 0 on node-1, process 13, ended by signal 15, SIGTERM",
    ]


def test_the_first_to_fail_is_who_made_the_others_fail() -> None:
    def end(rank: int, code: int, at: float) -> Ended:
        return Ended(rank, code, False, False, "", 9, 1.0, at, 0.5, 4096, [], [])

    lost, noticed_first = end(1, -11, 5.02), end(0, 14, 5.0)
    assert first_to_fail([noticed_first, lost]) is lost
    assert first_to_fail([end(0, 14, 4.0), lost]) == end(0, 14, 4.0)  # of something else, a second before
    assert first_to_fail([end(0, 3, 5.0), lost]) == end(0, 3, 5.0)
    assert first_to_fail([end(0, 3, 4.1), end(2, 1, 4.0)]) == end(2, 1, 4.0)
    assert first_to_fail([]) is None


def test_how_a_rank_ended() -> None:
    assert how(ended(3)) == "with exit code 3"
    assert how(ended(-11)) == "by signal 11, SIGSEGV"
    assert how(ended(-9, why="the node's memory ran out")) == "by signal 9, SIGKILL: the node's memory ran out"
    assert "without a word" in how(ended(0, goodbye=False))
