"""Where the time went: a delay that was put into hand-made spans is found where it was put, and nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.analysis.breakdown import Breakdown, breakdown, stretches
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Phase, Span
from parlab.model.workers import by_worker, in_order, last_to_finish, most_at_once, thread_numbers

SPEED = 1 / 8  # CPU seconds that a core which is never held back uses in a second


def span(
    submitted: float,
    started: float,
    finished: float,
    received: float,
    *,
    computing: float | None = None,
    others: float = 0.0,
    waited_s: float = 0.0,
    run_delay_s: float | None = 0.0,
    phases: tuple[Phase, ...] = (),
    pid: int = 1,
    thread: int = 1,
    node: str = "node-1",
) -> Span:
    """A task that computes for as long as it takes, or for `computing` seconds of it; so do `others` of its process."""
    cpu_s = (finished - started if computing is None else computing) * SPEED
    return Span(
        submitted,
        started,
        finished,
        received,
        cpu_s=cpu_s,
        process_cpu_s=cpu_s + others * SPEED,
        waited_s=waited_s,
        run_delay_s=run_delay_s,
        node=node,
        rank=1,
        pid=pid,
        thread=thread,
        phases=phases,
    )


def of_pid(pid: int, spans: list[Span]) -> Breakdown:
    return breakdown([own for own in spans if own.pid == pid], spans, SPEED)


def test_a_task_that_is_not_held_back_computes_all_the_time() -> None:
    assert of_pid(1, [span(0, 0, 2, 2), span(0, 2, 5, 5)]) == Breakdown(computing=5)


def test_no_more_is_computing_than_the_task_took() -> None:
    assert of_pid(1, [span(0, 0, 2, 2, computing=2.5)]) == Breakdown(computing=2)  # it made good a lag, say


def test_time_in_wait_is_waiting() -> None:
    assert of_pid(1, [span(0, 0, 5, 5, computing=2, waited_s=3)]) == Breakdown(computing=2, waiting=3)


def test_time_in_a_phase_lock_wait_is_waiting() -> None:
    phases = (Phase(LOCK_WAIT, 1, 2), Phase(LOCK_HELD, 2, 3), Phase(LOCK_WAIT, 3, 3.5))
    assert of_pid(1, [span(0, 0, 5, 5, computing=3.5, phases=phases)]) == Breakdown(computing=3.5, waiting=1.5)


def test_time_in_any_other_phase_is_not_waiting() -> None:
    phases = (Phase("printing", 1, 4),)
    assert of_pid(1, [span(0, 0, 5, 5, computing=2, phases=phases)]) == Breakdown(computing=2, unexplained=3)


def test_stalled_by_the_kernel_is_held_back() -> None:
    assert of_pid(1, [span(0, 0, 5, 5, computing=2, run_delay_s=3)]) == Breakdown(computing=2, contended=3)


def test_held_back_by_another_thread_of_the_process() -> None:
    spans = [span(0, 0, 4, 4, computing=2, others=2), span(0, 0, 4, 4, computing=2, others=2, thread=2)]
    for own in by_worker(spans).values():
        assert breakdown(own, spans, SPEED) == Breakdown(computing=2, contended=2)


def test_held_back_is_only_what_is_neither_computed_nor_waited() -> None:
    planted = span(0, 0, 5, 5, computing=2, waited_s=2, run_delay_s=4)
    assert of_pid(1, [planted]) == Breakdown(computing=2, waiting=2, contended=1)


@pytest.mark.parametrize("run_delay_s", [0.0, None])
def test_what_nothing_explains_is_unexplained(run_delay_s: float | None) -> None:
    planted = span(0, 0, 5, 5, computing=2, waited_s=1, run_delay_s=run_delay_s)
    assert of_pid(1, [planted]) == Breakdown(computing=2, waiting=1, unexplained=2)


def test_a_task_is_on_the_way_from_its_submission_to_its_start() -> None:
    assert of_pid(1, [span(0, 1, 3, 3), span(3, 4.5, 5, 5)]) == Breakdown(computing=2.5, transfer=2.5)


def test_a_result_is_on_the_way_until_its_receipt() -> None:
    spans = [span(0, 0, 2, 3), span(3, 3, 5, 7)]
    assert of_pid(1, spans) == Breakdown(computing=4, transfer=3)


def test_a_task_that_was_submitted_long_ago_hides_no_time_between_two() -> None:
    spans = [span(0, 0, 2, 2), span(0, 3, 5, 5)]
    assert of_pid(1, spans) == Breakdown(computing=4, transfer=1)


def test_a_worker_without_a_task_is_idle_while_work_is_queued() -> None:
    spans = [span(0, 0, 2, 2), span(6, 6, 8, 8), span(0, 0, 7, 7, pid=2), span(0, 7, 8, 8, pid=2)]
    assert of_pid(1, spans) == Breakdown(computing=4, idle_queued=4)
    assert of_pid(2, spans) == Breakdown(computing=8)


def test_a_worker_is_idle_before_its_first_task() -> None:
    spans = [span(0, 0, 8, 8, pid=2), span(3, 4, 8, 8)]
    assert of_pid(1, spans) == Breakdown(computing=4, transfer=1, idle_no_work=3)


def test_a_worker_is_idle_for_want_of_work_since_the_last_task_started() -> None:
    spans = [span(0, 0, 2, 2), span(0, 0, 3, 3, pid=2), span(3, 3, 10, 10, pid=2)]
    assert of_pid(1, spans) == Breakdown(computing=2, idle_queued=1, idle_no_work=7)
    assert of_pid(2, spans) == Breakdown(computing=10)


def test_every_delay_at_once_is_found_where_it_was_put() -> None:
    phases = (Phase(LOCK_WAIT, 4, 5),)
    first = span(0, 0.5, 2.5, 3, computing=1.25, waited_s=0.75)
    second = span(3.25, 4, 8, 8.125, computing=1, run_delay_s=0.5, others=1.25, phases=phases)
    spans = [first, second, span(0, 0, 8, 8, pid=2), span(8, 8.5, 9.5, 10, pid=2)]
    assert of_pid(1, spans) == Breakdown(
        computing=2.25,
        waiting=1.75,
        contended=1.75,
        transfer=0.5 + 0.5 + 0.75 + 0.125,
        idle_queued=0.25 + 0.375,
        idle_no_work=1.5,
        unexplained=0.25,
    )


def test_shares_are_of_the_whole() -> None:
    shares = Breakdown(computing=3, waiting=1).shares()
    assert (shares["computing"], shares["waiting"], shares["contended"]) == (0.75, 0.25, 0)
    assert sum(shares.values()) == 1


# Workers.


def test_a_worker_is_a_thread_of_a_process_on_a_node() -> None:
    others = [span(0, 0, 1, 1, pid=2), span(0, 0, 1, 1, thread=2), span(0, 0, 1, 1, node="node-2")]
    found = by_worker([span(0, 2, 3, 3), span(0, 1, 2, 2), *others])
    assert {worker: len(own) for worker, own in found.items()} == {
        ("node-1", 1, 1): 2,
        ("node-1", 2, 1): 1,
        ("node-1", 1, 2): 1,
        ("node-2", 1, 1): 1,
    }
    assert [own.started for own in found["node-1", 1, 1]] == [1, 2]


def test_the_worker_whose_last_task_finishes_last_decides() -> None:
    late = [span(0, 0, 1, 1, pid=2), span(1, 1, 9, 9, pid=2)]
    early = [span(0, 0, 3, 20), span(3, 3, 6, 21)]  # received later, but finished before
    assert last_to_finish([early[0], late[1], early[1], late[0]]) == late


# Any sequential spans at all.

seconds = st.floats(0, 10, allow_subnormal=False)
little = st.floats(0, 2, allow_subnormal=False)  # of a length: a task may seem to compute, stall and wait for more


@st.composite
def sequences(draw: st.DrawFn, pid: int) -> list[Span]:
    """The tasks of one worker: each starts when the one before has finished, or later."""
    found, now = [], draw(seconds)
    for _ in range(draw(st.integers(1, 4))):
        started = now + draw(seconds)
        now = finished = started + draw(seconds)
        length = finished - started
        phases = tuple(
            Phase(name, started, started + length * draw(st.floats(0, 1)))
            for name in draw(st.lists(st.sampled_from([LOCK_WAIT, LOCK_HELD]), max_size=2))
        )
        found.append(
            span(
                started - draw(seconds),
                started,
                finished,
                finished + draw(seconds),
                computing=length * draw(little),
                others=length * draw(little),
                waited_s=length * draw(little),
                run_delay_s=length * draw(little) if draw(st.booleans()) else None,
                phases=phases,
                pid=pid,
            )
        )
    return found


@given(st.integers(1, 4).flatmap(lambda workers: st.tuples(*(sequences(pid) for pid in range(workers)))))
def test_no_instant_is_lost_or_counted_twice(workers: tuple[list[Span], ...]) -> None:
    everyone = [span for own in workers for span in own]
    whole = max(span.received for span in everyone) - min(span.submitted for span in everyone)
    for own in by_worker(everyone).values():
        found = breakdown(own, everyone, SPEED)
        assert min(found.by_category().values()) >= 0
        assert found.total == pytest.approx(whole, abs=1e-6)
        lengths = dict.fromkeys(found.by_category(), 0.0)
        for state, began, ended in stretches(own, everyone, SPEED):
            lengths[state] += ended - began
        assert lengths == pytest.approx(found.by_category(), abs=1e-6)


def test_states_follow_each_other_and_a_wait_for_a_lock_is_where_it_was() -> None:
    own = [span(1, 2, 6, 7, computing=2, phases=(Phase(LOCK_WAIT, 3, 4),), run_delay_s=1.0), span(9, 9, 10, 10)]
    assert sorted(stretches(own, own, SPEED), key=lambda part: part.began) == [
        ("transfer", 1, 2),
        ("computing", 2, 3),
        ("waiting", 3, 4),
        ("computing", 4, 5),
        ("contended", 5, 6),
        ("transfer", 6, 7),
        ("idle_queued", 7, 9),
        ("computing", 9, 10),
    ]


def test_workers_are_counted_that_are_there_at_once_not_one_after_another() -> None:
    pairs = [span(turn, turn, turn + 1, turn + 1, pid=2 * turn + one) for turn in range(3) for one in range(2)]
    assert most_at_once(pairs) == 2
    assert most_at_once([*pairs, span(0.5, 0.5, 4.5, 4.5, pid=99)]) == 3
    assert most_at_once([]) == 0


def test_threads_are_numbered_within_their_process_by_their_first_task() -> None:
    own = [
        span(at, at, at + 1, at + 1, pid=pid, thread=thread) for at, pid, thread in ((0, 7, 90), (1, 7, 10), (2, 8, 5))
    ]
    assert thread_numbers(own) == {("node-1", 7, 90): 1, ("node-1", 7, 10): 2, ("node-1", 8, 5): 1}


def test_nodes_stand_in_the_order_of_their_numbers() -> None:
    assert in_order(["node-10", "head", "node-2"]) == ["head", "node-2", "node-10"]
