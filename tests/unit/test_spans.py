"""Spans come back by every interface, and the case gets bare results."""

import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import multiprocess  # type: ignore[import-untyped]
import pytest
from pathos.multiprocessing import ProcessPool  # type: ignore[import-untyped]

from parlab.model.span import LOCK_HELD, LOCK_WAIT, OK, Phase, Span
from parlab.node.apart import apart
from parlab.task import delay, pace
from parlab.task.pace import Clocks, Scale, VirtualCore, burn, wait
from parlab.task.phases import holding, mark, phase
from parlab.task.recorder import Task, take_recorded

Interface = Callable[[Task, list[Any]], list[Any]]

FORKSERVER = get_context("forkserver")
DILL_FORKSERVER = multiprocess.get_context("forkserver")  # pathos' multiprocessing: pickles by dill
NUMBERS = list(range(6))
SQUARES = [0, 1, 4, 9, 16, 25]
on_linux = pytest.mark.skipif(not Path(delay.SCHEDSTAT).exists(), reason="this kernel does not tell of stalls")
TICK = 1e-3  # seconds; two CPU clocks are not read at the same instant


def square(number: int) -> int:
    return number * number


def lock_and_square(number: int) -> int:
    with phase(LOCK_WAIT):
        time.sleep(0.001)
    with phase(LOCK_HELD):
        return number * number


class OutOfPaperError(Exception):
    """Needs more than a message, as many a library's exceptions do."""

    def __init__(self, printer: str, sheets: int) -> None:
        super().__init__(printer, sheets)
        self.printer, self.sheets = printer, sheets


def run_out(sheets: int) -> None:
    raise OutOfPaperError("hall", sheets)


@pytest.fixture(autouse=True)
def _none_recorded() -> Iterator[None]:
    take_recorded()
    yield
    take_recorded()


def plain_loop(task: Task, items: list[Any]) -> list[Any]:
    return [task(item) for item in items]


def pool_map(task: Task, items: list[Any]) -> list[Any]:
    with FORKSERVER.Pool(2) as pool:
        return pool.map(task, items, 2)


def pool_imap_unordered(task: Task, items: list[Any]) -> list[Any]:
    with FORKSERVER.Pool(2) as pool:
        return sorted(pool.imap_unordered(task, items))


def executor(kind: Callable[[], Executor]) -> Interface:
    def run(task: Task, items: list[Any]) -> list[Any]:
        with kind() as pool:
            return list(pool.map(task, items))

    return run


def multiprocess_map(task: Task, items: list[Any]) -> list[Any]:
    with DILL_FORKSERVER.Pool(2) as pool:
        results: list[Any] = pool.map(task, items, 2)
        return results


def pathos(ask: Callable[[ProcessPool, Task, list[Any]], list[Any]]) -> Interface:
    def run(task: Task, items: list[Any]) -> list[Any]:
        pool = ProcessPool(2, context=DILL_FORKSERVER)
        try:
            return ask(pool, task, items)
        finally:
            pool.clear()

    return run


INTERFACES: dict[str, Interface] = {
    "loop": plain_loop,
    "Pool.map": pool_map,
    "imap_unordered": pool_imap_unordered,
    "ThreadPoolExecutor": executor(lambda: ThreadPoolExecutor(2)),
    "ProcessPoolExecutor": executor(lambda: ProcessPoolExecutor(2, FORKSERVER)),
    "multiprocess": multiprocess_map,
    "pathos map": pathos(lambda pool, task, items: pool.map(task, items)),
    "pathos amap": pathos(lambda pool, task, items: pool.amap(task, items).get()),
}
by_every_interface = pytest.mark.parametrize("run", INTERFACES.values(), ids=INTERFACES)


@by_every_interface
def test_every_task_leaves_one_span(run: Interface) -> None:
    assert run(Task(square), NUMBERS) == SQUARES
    recorded = take_recorded()
    assert len(recorded) == len(SQUARES)
    for span in recorded:
        assert span.submitted <= span.started <= span.finished <= span.received
        assert span.outcome == OK == "ok"
    assert take_recorded() == []


@by_every_interface
def test_a_task_that_raises_leaves_one_span_and_its_exception_arrives_as_it_is(run: Interface) -> None:
    with pytest.raises(OutOfPaperError, match="hall") as raised:
        run(Task(run_out), [7])
    assert type(raised.value) is OutOfPaperError
    assert (raised.value.printer, raised.value.sheets) == ("hall", 7)
    (span,) = take_recorded()
    assert span.outcome == "OutOfPaperError"
    assert span.submitted <= span.started <= span.finished <= span.received


@by_every_interface
def test_phases_come_back_in_order_and_within_their_span(run: Interface) -> None:
    assert run(Task(lock_and_square), NUMBERS) == SQUARES
    recorded = take_recorded()
    assert len(recorded) == len(SQUARES)
    for span in recorded:
        waiting, holding = span.phases
        assert (waiting.name, holding.name) == (LOCK_WAIT, LOCK_HELD)
        assert span.started <= waiting.started < waiting.finished <= holding.started
        assert holding.started <= holding.finished <= span.finished


def test_a_span_tells_which_process_worked() -> None:
    plain_loop(Task(square), NUMBERS)
    assert {span.pid for span in take_recorded()} == {os.getpid()}
    pool_map(Task(square), NUMBERS)
    assert os.getpid() not in {span.pid for span in take_recorded()}


def test_what_a_task_raises_arrives_as_it_is() -> None:
    with pytest.raises(TypeError), FORKSERVER.Pool(1) as pool:
        pool.map(Task(square), ["x"])


def test_an_exception_that_pickles_itself_brings_its_span_all_the_same() -> None:
    with pytest.raises(json.JSONDecodeError) as raised, FORKSERVER.Pool(1) as pool:
        pool.map(Task(json.loads), ["{"])
    assert (raised.value.pos, raised.value.doc) == (1, "{")
    (span,) = take_recorded()
    assert span.outcome == "JSONDecodeError"


def test_a_task_that_exits_leaves_no_open_phases_behind() -> None:
    with pytest.raises(SystemExit):
        Task(sys.exit)(3)
    with phase("outside"):
        pass
    assert [span.phases for span in take_recorded()] == [()]
    assert Task(len)("ab") == 2
    assert [span.phases for span in take_recorded()] == [()]


def test_the_other_tasks_of_a_pool_keep_their_spans_when_one_raises() -> None:
    with pytest.raises(TypeError), FORKSERVER.Pool(2) as pool:
        pool.map(Task(square), [1, "x", 3], 1)
    assert sorted(span.outcome for span in take_recorded()) == ["TypeError", OK, OK]


# Phases.


def test_a_phase_ends_where_its_task_raises() -> None:
    def raise_in_phase() -> None:
        with phase("printing"):
            run_out(1)

    with pytest.raises(OutOfPaperError):
        Task(raise_in_phase)()
    (span,) = take_recorded()
    assert [found.name for found in span.phases] == ["printing"]
    assert span.phases[0].finished <= span.finished


def test_a_mark_is_an_instant_of_its_task_and_gives_back_its_name() -> None:
    said = []
    Task(lambda: said.append(mark("reads 100")))()
    (span,) = take_recorded()
    (instant,) = span.phases
    assert said == [instant.name] == ["reads 100"]
    assert instant.instant
    assert span.started <= instant.started <= span.finished


def test_a_lock_is_waited_for_and_held_and_given_back_whatever_happens() -> None:
    lock = threading.Lock()
    with pytest.raises(OSError, match="in the middle"):
        Task(lambda: _fail_under(lock))()
    (span,) = take_recorded()
    assert [(phase.name, phase.instant) for phase in span.phases] == [(LOCK_WAIT, False), (LOCK_HELD, False)]
    assert span.phases[0].finished <= span.phases[1].started
    assert not lock.locked()


def _fail_under(lock: threading.Lock) -> None:
    with holding(lock):
        assert lock.locked()
        raise OSError("in the middle")


def test_a_phase_outside_of_a_task_belongs_to_none() -> None:
    def before_and_after() -> None:
        with phase(LOCK_WAIT):
            pass
        Task(square)(2)
        with phase(LOCK_HELD):
            pass
        Task(square)(3)

    with ThreadPoolExecutor(1) as pool:  # a thread that has run no task yet
        pool.submit(before_and_after).result()
    assert [span.phases for span in take_recorded()] == [(), ()]


def test_nested_tasks_keep_their_own_phases() -> None:
    def inner() -> None:
        with phase("inner"):
            pass

    def outer() -> None:
        with phase("before"):
            pass
        Task(inner)()
        with phase("after"):
            pass

    Task(outer)()
    names = [[found.name for found in span.phases] for span in take_recorded()]
    assert names == [["inner"], ["before", "after"]]  # the inner one was the first to end


def test_threads_keep_their_own_phases() -> None:
    both = threading.Barrier(2, timeout=30)

    def named(name: str) -> str:
        both.wait()
        with phase(name):
            both.wait()
        return name

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Task(named), ["a", "b"]))
    recorded = take_recorded()
    assert sorted(found.name for span in recorded for found in span.phases) == ["a", "b"]
    assert [len(span.phases) for span in recorded] == [1, 1]


# What travels.


@pytest.mark.parametrize("run_delay_s", [0.25, None])
def test_a_span_survives_the_control_channel(run_delay_s: float | None) -> None:
    phases = (Phase(LOCK_WAIT, 2.125, 2.5), Phase(LOCK_HELD, 2.5, 3.0))
    span = Span(1.0, 2.0, 3.0, 4.0, 0.1, 0.2, 0.3, run_delay_s, "node-1", 3, 41, 140, "TypeError", phases)
    assert msgspec.json.decode(msgspec.json.encode(span), type=Span) == span


def test_a_recorded_span_survives_the_control_channel() -> None:
    Task(lock_and_square)(3)
    (span,) = take_recorded()
    assert msgspec.json.decode(msgspec.json.encode(span), type=Span) == span


# What is measured in the worker.


def test_only_time_in_wait_counts_as_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    core = VirtualCore(Scale(unit=0.5), clocks=Clocks(now=lambda: now[0], sleep=sleep))
    monkeypatch.setattr(pace, "_core", core)

    def wait_and_do_else(units: float) -> None:
        wait(units)
        now[0] += 7  # as any other sleep of the task's own
        wait(units)

    wait(3)  # before the first task
    plain_loop(Task(wait_and_do_else), [2, 0, 4])
    assert [span.waited_s for span in take_recorded()] == [pytest.approx(seconds) for seconds in (2, 0, 4)]


@pytest.mark.measures
def test_what_a_burn_did_ahead_counts_for_the_next_task(monkeypatch: pytest.MonkeyPatch) -> None:
    unit_s, still_s = 0.02, 0.01
    nearly_over = time.thread_time() + 0.9 * unit_s

    def charged_s() -> float:
        return still_s * (time.thread_time() > nearly_over)

    clocks = Clocks(
        process_time=lambda: time.process_time() + charged_s(), thread_time=lambda: time.thread_time() + charged_s()
    )
    monkeypatch.setattr(pace, "_core", VirtualCore(Scale(unit=unit_s), clocks=clocks))
    plain_loop(Task(burn), [1, 1, 1])
    spans = take_recorded()
    assert [span.cpu_s for span in spans] == [pytest.approx(unit_s, rel=0.05)] * 3
    assert [span.process_cpu_s for span in spans] == [pytest.approx(unit_s, rel=0.05)] * 3


def test_a_thread_does_not_count_the_waiting_of_another() -> None:
    both = threading.Barrier(2, timeout=30)

    def meet(waits: bool) -> None:
        both.wait()
        if waits:
            wait(0.02)
        both.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Task(meet), [True, False]))
    idle, waiting = sorted(span.waited_s for span in take_recorded())
    assert idle == 0 < waiting


def test_a_thread_uses_no_more_cpu_than_its_process() -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Task(burn), [0.05] * 4))
    for span in take_recorded():
        assert 0 < span.cpu_s <= span.process_cpu_s + TICK


@on_linux
def test_stalls_are_told_by_the_kernel() -> None:
    plain_loop(Task(square), NUMBERS)
    pool_map(Task(square), NUMBERS)
    for span in take_recorded():
        assert isinstance(span.run_delay_s, float)
        assert span.run_delay_s >= 0


def test_stalls_are_unknown_where_the_kernel_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(delay, "SCHEDSTAT", str(tmp_path / "missing"))
    with ThreadPoolExecutor(1) as pool:  # a thread that has not opened its own yet
        list(pool.map(Task(square), NUMBERS))
    assert [span.run_delay_s for span in take_recorded()] == [None] * len(NUMBERS)


def stalled_by_now() -> float:
    """Seconds that this thread has been ready and not run, read afresh."""
    return int(Path(delay.SCHEDSTAT).read_text().split()[1]) / 1e9


@on_linux
def test_a_forked_child_reads_the_stalls_of_its_own_thread() -> None:
    assert delay.run_delay_s() is not None  # the parent's file is open
    pid = os.fork()
    if pid == 0:
        own = False
        try:
            before, found, after = stalled_by_now(), delay.run_delay_s(), stalled_by_now()
            own = found is not None and before <= found <= after
        finally:
            os._exit(0 if own else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_forked_child_tells_its_own_pid() -> None:
    Task(square)(2)
    with get_context("fork").Pool(1) as pool:
        assert pool.map(Task(square), NUMBERS) == SQUARES
    here, *there = take_recorded()
    assert here.pid == os.getpid()
    assert os.getpid() not in {span.pid for span in there}


def submissions_in_a_child(*steps: str) -> list[float]:
    """What a forked process stamps its tasks' submissions with, in seconds from its start, 0.2 s after that."""

    def stamps() -> list[float]:
        began = time.monotonic()
        time.sleep(0.2)
        found, task = [], Task(square)
        for step in steps:
            if step == "handed on":
                found.append(pickle.loads(pickle.dumps(task)).submitted - began)
            else:
                taken = Task(square, submitted=began) if step == "taken" else task
                taken(1) if step == "called" else pickle.loads(pickle.dumps(taken(1)))
                found.append(take_recorded()[-1].submitted - began)
        return found

    return apart(stamps)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("steps", "late"),
    [
        (["called"], [False]),  # forked to run it
        (["called", "called"], [False, True]),
        (["handed on"], [True]),  # a worker with a pool of its own
        (["handed on", "called"], [True, True]),
        (["taken", "called"], [False, True]),  # a worker that runs a task within another
    ],
)
def test_only_a_process_that_was_forked_for_a_task_submitted_it_at_its_fork(steps: list[str], late: list[bool]) -> None:
    assert [after > 0.1 for after in submissions_in_a_child(*steps)] == late
