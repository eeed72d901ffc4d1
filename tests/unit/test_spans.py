"""Spans come back by every interface, and the case gets bare results."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from parlab.spans import Task, take_recorded

FORKSERVER = get_context("forkserver")
NUMBERS = range(6)
SQUARES = [0, 1, 4, 9, 16, 25]


def square(number: int) -> int:
    return number * number


@pytest.fixture(autouse=True)
def _none_recorded() -> Iterator[None]:
    take_recorded()
    yield
    take_recorded()


def pool_map(task: Task) -> list[int]:
    with FORKSERVER.Pool(2) as pool:
        return pool.map(task, NUMBERS, 2)


def pool_imap_unordered(task: Task) -> list[int]:
    with FORKSERVER.Pool(2) as pool:
        return sorted(pool.imap_unordered(task, NUMBERS))


def executor(kind: Callable[[], Executor]) -> Callable[[Task], list[int]]:
    def run(task: Task) -> list[int]:
        with kind() as pool:
            return list(pool.map(task, NUMBERS))

    return run


def plain_loop(task: Task) -> list[int]:
    return [task(number) for number in NUMBERS]


@pytest.mark.parametrize(
    "case",
    [
        plain_loop,
        pool_map,
        pool_imap_unordered,
        executor(lambda: ThreadPoolExecutor(2)),
        executor(lambda: ProcessPoolExecutor(2, FORKSERVER)),
    ],
    ids=["loop", "Pool.map", "imap_unordered", "ThreadPoolExecutor", "ProcessPoolExecutor"],
)
def test_every_task_leaves_one_span(case: Callable[[Task], list[int]]) -> None:
    assert case(Task(square)) == SQUARES
    spans = take_recorded()
    assert len(spans) == len(SQUARES)
    for span in spans:
        assert span.submitted <= span.started <= span.finished <= span.received
    assert take_recorded() == []


def test_a_span_tells_which_process_worked() -> None:
    plain_loop(Task(square))
    (here,) = {span.pid for span in take_recorded()}
    pool_map(Task(square))
    assert here not in {span.pid for span in take_recorded()}


def test_what_a_task_raises_arrives_as_it_is() -> None:
    with pytest.raises(TypeError), FORKSERVER.Pool(1) as pool:
        pool.map(Task(square), ["x"])
