"""Why a program hangs, in words."""

from parlab.model.job_events import Died, Ended, Frame, Looked, Seen
from parlab.run.why import deaths, explain, how

SEND = Frame("ring.py", 7, "<module>", "comm.Send(data, right)", own=True)
LIBRARY = Frame("/usr/lib/python3/threading.py", 359, "wait", "waiter.acquire()", own=False)
RUNNER = Frame("/site-packages/mpi4py/run.py", 53, "main", "run_path()", own=False)


def seen(*stack: Frame, cpu: float = 0.0) -> Seen:
    return Seen(7, "python ring.py", cpu, [list(stack)])


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


def test_how_a_rank_ended() -> None:
    assert how(ended(3)) == "with exit code 3"
    assert how(ended(-11)) == "by signal 11, SIGSEGV"
    assert how(ended(-9, why="the node's memory ran out")) == "by signal 9, SIGKILL: the node's memory ran out"
    assert "without a word" in how(ended(0, goodbye=False))
