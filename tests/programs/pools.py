"""What programs do with pools and executors, and what of it can be seen: `python pools.py SCENARIO METHOD`.

Nothing that it prints depends on time, on addresses, or on who of several is the first.
"""

import concurrent.futures as futures
import inspect
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.pool import Pool, ThreadPool
from typing import Any

GIVE_UP_SECONDS = 1.0  # on a task that is lost, as it is meant to be
told = print


def square(number: int) -> int:
    return number * number


def fail(number: int) -> int:
    raise ValueError(f"no {number}")


def depth(_: int) -> int:
    """How many frames are below a task: a hook that stands around it would be one."""
    return len(inspect.stack())


def recurse(number: int) -> int:
    return recurse(number + 1)


def interrupt_oneself(_: int) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)


def close_all(number: int) -> int:
    """As a program does that makes a daemon of itself; what is opened next has the numbers of what was closed."""
    for descriptor in range(200, 300):
        try:
            os.close(descriptor)
        except OSError:
            continue
        mine = os.open(os.devnull, os.O_RDWR)
        os.dup2(mine, descriptor)
        os.close(mine)
    return number


class Unreadable:
    """Can be pickled, and not unpickled."""

    def __reduce__(self) -> Any:
        return fail, (7,)


class OddError(Exception):
    """Has an attribute that a pool's own wrapping has, too."""

    exc = "odd"


def odd(_: int) -> None:
    raise OddError("odd")


def lock_of(_: int) -> Any:
    return threading.Lock()


def told_error(call: Callable[[], Any]) -> None:
    """Print what a call gives, or raises, with all that its traceback says."""
    try:
        told(call())
    except BaseException:
        told(traceback.format_exc())


def settled(future: futures.Future[Any]) -> Callable[[], Any]:
    """What asks for its result, once that is there: the line at which it waits differs."""
    futures.wait([future])
    return future.result


def maps(context: Any) -> None:
    with context.Pool(2) as pool:
        told(pool.map(square, range(11)), pool.map(square, range(11), chunksize=3), pool.map(square, []))
        told(pool.starmap(pow, [(2, 3), (3, 2)]), pool.apply(square, (3,)), pool.apply(int, ("7",), {"base": 8}))
        told(list(pool.imap(square, range(5))), sorted(pool.imap_unordered(square, range(5), chunksize=2)))
        told(pool.map_async(square, range(3)).get(), pool.starmap_async(pow, [(2, 2)]).get())


def errors(context: Any) -> None:
    with context.Pool(1) as pool:
        told_error(lambda: pool.map(fail, [1]))
        told_error(lambda: pool.map(fail, range(6), chunksize=3))
        told_error(lambda: pool.starmap(pow, [(1, "x")]))
        told_error(lambda: pool.apply(fail, (1,)))
        told_error(lambda: pool.apply(odd, (1,)))
        told_error(lambda: pool.apply(recurse, (1,)))
        told_error(lambda: list(pool.imap(fail, [1, 2])))
        told_error(lambda: pool.map(lambda x: x, [1]))
        told_error(lambda: pool.apply(lock_of, (1,)))
        told_error(lambda: list(pool.imap(square, numbers_that_fail())))
        told_error(lambda: pool.apply_async(square, (1,), {"nope": 1}).get())
    told_error(lambda: pool.map(square, [1]))
    told_error(lambda: context.Pool(0))


def numbers_that_fail() -> Iterator[int]:
    yield 1
    raise KeyError("of the iterable")


def lazy(context: Any) -> None:
    """imap asks for no more than it is to be given, one by one."""
    asked = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        told("asked", asked.wait(10))
        yield 2

    with context.Pool(1) as pool:
        found = pool.imap(square, numbers())
        told(next(found))
        asked.set()
        told(next(found), next(found, "no more"))


def callbacks(context: Any) -> None:
    with context.Pool(1) as pool:
        pool.apply_async(square, (2,), callback=told).wait()
        pool.map_async(square, [1, 2], callback=told).wait()
        pool.apply_async(fail, (2,), error_callback=lambda error: told(repr(error))).wait()
        pool.apply_async(square, (2,), callback=fail).wait(GIVE_UP_SECONDS)  # ends the pool's thread, with a traceback


started_with: list[int] = []


def append(value: int) -> None:
    started_with.append(value)


def get_started_with(_: int) -> int:
    (value,) = started_with
    return value


def lives(context: Any) -> None:
    with context.Pool(2, append, (3,), maxtasksperchild=1) as pool:
        told(pool.map(get_started_with, range(6), chunksize=2))
    pool = context.Pool(1)
    found = pool.map_async(square, range(4))
    pool.close()
    pool.join()
    told(found.get())
    with futures.ProcessPoolExecutor(1, context, append, (4,)) as executor:
        told(list(executor.map(get_started_with, range(3), chunksize=2)))


def depths(context: Any) -> None:
    with context.Pool(1) as pool, ThreadPool(1) as threads:
        told(pool.apply(depth, (1,)), pool.map(depth, [1]), list(pool.imap(depth, [1])))
        told(threads.apply(depth, (1,)), threads.map(depth, [1]))
    with futures.ProcessPoolExecutor(1, context) as executor, futures.ThreadPoolExecutor(1) as more:
        told(executor.submit(depth, 1).result(), list(executor.map(depth, [1])))
        told(*more.map(depth, [1]), more.submit(depth, 1).result())
    for made in (Pool, ThreadPool, futures.ProcessPoolExecutor, futures.ThreadPoolExecutor, Pool.map):
        told(made, inspect.signature(made))


def threads(context: Any) -> None:
    with ThreadPool(2) as pool:
        told(pool.map(square, range(5)), list(pool.imap(square, range(5), chunksize=2)))
        told_error(lambda: pool.apply(fail, (1,)))
        told_error(lambda: pool.map(fail, [1]))
    with futures.ThreadPoolExecutor(1) as executor:
        told(list(executor.map(square, range(5))))
        told_error(settled(executor.submit(fail, 1)))
        gate = threading.Event()
        first, second = executor.submit(gate.wait, 10), executor.submit(square, 1)
        told(second.cancel(), second.cancelled(), first.running(), first.cancel())
        gate.set()
        first.add_done_callback(lambda future: told(future.result()))
        executor.submit(time.sleep, 0.2).add_done_callback(fail)  # type: ignore[arg-type]  # is logged
    told_error(lambda: executor.submit(square, 1))
    with futures.ThreadPoolExecutor(1, initializer=fail, initargs=(1,)) as executor:
        told_error(settled(executor.submit(square, 1)))


def executors(context: Any) -> None:
    with futures.ProcessPoolExecutor(1, context) as executor:
        told(list(executor.map(square, range(7), chunksize=3)), executor.submit(square, 3).result())
        told_error(settled(executor.submit(fail, 1)))
        told_error(settled(executor.submit(odd, 1)))
        told_error(settled(executor.submit(lock_of, 1)))
        told_error(settled(executor.submit(lambda: 1)))
        told_error(settled(executor.submit(recurse, 1)))
        told_error(settled(executor.submit(sys.exit, 3)))
        executor.submit(time.sleep, 0.2).add_done_callback(fail)  # type: ignore[arg-type]  # is logged
    with futures.ProcessPoolExecutor(1, context) as executor:
        told_error(settled(executor.submit(os._exit, 3)))
        told_error(lambda: executor.submit(square, 1))
    with futures.ProcessPoolExecutor(1, context) as executor:
        running = [executor.submit(time.sleep, 0.2) for _ in range(9)]
        executor.shutdown(wait=False, cancel_futures=True)
        told(running[-1].cancelled(), running[0].result())
    told_error(lambda: futures.ProcessPoolExecutor(0))
    told_error(lambda: executor.submit(square, 1))
    with futures.ProcessPoolExecutor(1, context, initializer=fail, initargs=(1,)) as executor:
        told_error(settled(executor.submit(square, 1)))


def within(number: int) -> list[int]:
    """A task that has a pool of its own."""
    with ThreadPool(2) as pool, futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as executor:
        return [*pool.map(square, range(number)), *executor.map(square, range(number))]


def nested(context: Any) -> None:
    with futures.ProcessPoolExecutor(1, context) as executor:
        told(list(executor.map(within, [2, 3])))
    with futures.ThreadPoolExecutor(1) as executor, context.Pool(1) as pool:
        told(executor.submit(pool.map, square, [1, 2]).result())
    if (child := os.fork()) == 0:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            told(pool.map(square, [5, 6]), flush=True)
        os._exit(0)
    told(os.waitpid(child, 0)[1])


def lost(context: Any) -> None:
    """Tasks that take their worker with them; and an interrupt of one that waits, whose traceback is its own."""
    with context.Pool(1) as pool:
        calls: list[tuple[Any, Any]] = [(interrupt_oneself, 1), (square, Unreadable()), (sys.exit, 1)]
        for function, argument in calls:
            found = pool.apply_async(function, (argument,))
            told_error(partial(found.get, GIVE_UP_SECONDS))
        told(pool.apply(square, (2,)))
        time.sleep(GIVE_UP_SECONDS)
        os.kill(pool._pool[0].pid, signal.SIGINT)
        time.sleep(GIVE_UP_SECONDS)
        told(pool.map(close_all, [1, 2]), pool.map(square, [3]))


def main() -> None:
    logging.basicConfig(format="%(levelname)s %(message)s")
    _, name, method = sys.argv
    globals()[name](multiprocessing.get_context(method))


if __name__ == "__main__":
    main()
