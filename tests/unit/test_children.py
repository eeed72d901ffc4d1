"""Spans of processes that a case starts itself: each task leaves one, whether its result comes back or not."""

import atexit
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parlab.model.span import OK, Span
from parlab.task import recorder as spans
from parlab.task.recorder import SHARED, Envelope, Task, share_spans, take_recorded
from tests.conftest import ROOT

Context = ForkContext | SpawnContext

FORK, SPAWN = get_context("fork"), get_context("spawn")
NUMBERS = [1, 2, 3]
SQUARES = [1, 4, 9]
by_fork_and_spawn = pytest.mark.parametrize("context", [FORK, SPAWN], ids=["fork", "spawn"])


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    raise LookupError(number)


def each(task: Task, numbers: Sequence[int]) -> None:
    for number in numbers:
        task(number)


def put(task: Task, number: int, results: "SimpleQueue[int]") -> None:
    results.put(task(number))


def run(context: Context, target: Callable[..., object], *arguments: Any) -> tuple[int | None, float, float]:
    """Run a process to its end: its pid, and between which moments it was started."""
    child = context.Process(target=target, args=arguments)
    before = time.monotonic()
    child.start()
    after = time.monotonic()
    child.join()
    return child.pid, before, after


def travelled(function: Callable[..., Any]) -> Task:
    """A task as it arrives in another process."""
    task: Task = pickle.loads(pickle.dumps(Task(function)))
    return task


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file in which children leave their spans, as the harness has it made for a case."""
    monkeypatch.setenv(SHARED, "")  # such that it is forgotten afterwards
    monkeypatch.setattr(spans, "_shared", None)
    take_recorded()
    share_spans()
    made = spans._shared
    assert made is not None
    yield Path(made.name)
    take_recorded()
    made.remove()
    made._file.close()
    atexit.unregister(made.remove)


# Processes.


@by_fork_and_spawn
def test_a_process_leaves_exactly_one_span(context: Context) -> None:
    children = [context.Process(target=Task(square), args=(number,)) for number in NUMBERS]
    for child in children:
        child.start()
    for child in children:
        child.join()
    recorded = take_recorded()
    assert sorted(span.pid for span in recorded) == sorted(child.pid or 0 for child in children)
    for span in recorded:
        assert span.submitted <= span.started <= span.finished <= span.received
        assert span.outcome == OK
    assert take_recorded() == []


@by_fork_and_spawn
def test_a_process_was_submitted_as_it_was_started(context: Context) -> None:
    _, before, after = run(context, Task(square), 3)
    (span,) = take_recorded()
    assert before <= span.submitted <= after
    assert span.submitted < span.started


@by_fork_and_spawn
def test_every_task_of_a_process_leaves_a_span(context: Context) -> None:
    pid, *_ = run(context, each, Task(square), NUMBERS)
    assert [span.pid for span in take_recorded()] == [pid] * len(NUMBERS)


def test_only_the_first_task_of_a_forked_process_was_submitted_at_the_fork() -> None:
    _, before, after = run(FORK, each, Task(square), NUMBERS)
    first, *others = take_recorded()
    assert before <= first.submitted <= after
    assert first.submitted < first.started
    ended = first.finished
    for span in others:
        assert ended <= span.submitted <= span.started
        ended = span.finished


def test_what_the_parent_runs_is_not_submitted_at_the_fork_of_a_child() -> None:
    run(FORK, Task(square), 3)
    forked = time.monotonic()
    Task(square)(3)
    here, there = take_recorded()
    assert (here.pid, there.pid != here.pid) == (os.getpid(), True)
    assert here.submitted >= forked


def test_a_forked_process_that_raises_leaves_its_span(capfd: pytest.CaptureFixture[str]) -> None:
    run(FORK, Task(refuse), 3)
    (span,) = take_recorded()
    assert span.outcome == "LookupError"
    assert "LookupError: 3" in capfd.readouterr().err


@by_fork_and_spawn
def test_a_result_that_comes_back_through_a_queue_comes_bare_and_with_one_span(context: Context) -> None:
    results: SimpleQueue[int] = context.SimpleQueue()
    child = context.Process(target=put, args=(Task(square), 3, results))
    child.start()
    assert results.get() == 9
    child.join()
    assert [(span.pid, span.outcome) for span in take_recorded()] == [(child.pid, OK)]


def test_a_process_of_a_process_leaves_its_span_with_the_first() -> None:
    run(FORK, run, FORK, Task(square), 3)
    (span,) = take_recorded()
    assert span.pid != os.getpid()


def test_spans_not_yet_taken_are_not_left_again_by_a_forked_process() -> None:
    Task(square)(2)
    pid, *_ = run(FORK, Task(square), 3)
    assert [span.pid for span in take_recorded()] == [os.getpid(), pid]


# Pools, whose results come back.


@by_fork_and_spawn
def test_the_results_of_a_pool_are_not_recorded_twice(context: Context, shared: Path) -> None:
    with context.Pool(2) as pool:
        assert pool.map(Task(square), NUMBERS, 1) == SQUARES
        pool.close()
        pool.join()  # else its workers are ended before they drop what they have sent
    assert len(take_recorded()) == len(NUMBERS)
    assert shared.read_bytes() == b""


def test_the_results_of_an_executor_are_not_recorded_twice(shared: Path) -> None:
    with ProcessPoolExecutor(2, FORK) as pool:
        assert list(pool.map(Task(square), NUMBERS)) == SQUARES
    assert len(take_recorded()) == len(NUMBERS)
    assert shared.read_bytes() == b""


def test_an_exception_that_comes_back_is_not_recorded_twice(shared: Path) -> None:
    with pytest.raises(LookupError), FORK.Pool(1) as pool:
        pool.map(Task(refuse), [3])
    assert [span.outcome for span in take_recorded()] == ["LookupError"]
    assert shared.read_bytes() == b""


# Envelopes.


def test_an_envelope_that_is_dropped_leaves_its_span() -> None:
    envelope = travelled(square)(3)
    assert type(envelope) is Envelope
    assert envelope.result == 9
    assert take_recorded() == []
    del envelope
    (span,) = take_recorded()
    assert span.submitted <= span.started <= span.finished == span.received


def test_an_envelope_that_is_sent_leaves_its_span_where_it_is_opened() -> None:
    envelope = travelled(square)(3)
    sent = pickle.dumps(envelope)
    del envelope
    assert take_recorded() == []
    assert pickle.loads(sent) == 9
    (span,) = take_recorded()
    assert span.finished < span.received


# The file.


def of_two_children() -> tuple[bytes, list[Span]]:
    """What two children leave in the file, and the spans that it says."""
    made = [Span(1.0, 2.0, 3.0, 3.0, 0.1, 0.2, 0.3, None, "node-1", 0, pid, 140) for pid in (41, 42)]
    return b"".join(msgspec.json.encode(span) + b"\n" for span in made), made


@pytest.mark.parametrize("cut", [0, 1, 100, -200, -2, -1])
def test_a_span_that_is_only_half_there_is_taken_when_it_is_whole(cut: int, shared: Path) -> None:
    data, expected = of_two_children()
    taken = []
    for part in (data[:cut], data[cut:]):
        with shared.open("ab") as file:
            file.write(part)
        taken += take_recorded()
    assert taken == expected
    assert take_recorded() == []


def test_a_child_takes_nothing_from_the_file(shared: Path) -> None:
    shared.write_bytes(of_two_children()[0])
    pid = os.fork()
    if pid == 0:
        nothing = False
        with suppress(BaseException):
            nothing = take_recorded() == []
        os._exit(0 if nothing else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert take_recorded() == of_two_children()[1]


def test_the_file_goes_with_the_process_that_made_it_and_not_with_a_child() -> None:
    code = (
        "import os, sys\nfrom parlab.task import recorder as spans\n"
        "spans.share_spans()\nname = os.environ[spans.SHARED]\n"
        "pid = os.fork()\nif pid == 0: sys.exit(3)\n"
        "print(name, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.path.exists(name))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    name, *rest = done.stdout.split()
    assert rest == ["3", "True"]
    assert not Path(name).exists()
    assert done.stderr == ""
