"""The tasks of multiprocessing.pool, and of multiprocess.pool, which is the same with another pickle.

A worker is a process, or a thread of a ThreadPool, that calls `worker(inqueue, outqueue, ...)`: it gets queues that
observe all incoming and outgoing messages. The pool sends pieces by `_quick_put`, and gets results by `_quick_get`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in sitecustomize.py
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from parlab.node.hook.parlab_log import Log


def watch(pool: Any, library: int, log: Log, tools: Any) -> None:
    """Log the tasks of all pools. Raises an exception if the module is not as expected."""
    worker, mappers = pool.worker, (pool.mapstar, pool.starmapstar)
    wrapped = pool.ExceptionWithTraceback
    of_the_iterable = pool._helper_reraises_exception  # no task: the program's iterable has raised
    known = ("inqueue", "outqueue")
    if worker.__code__.co_varnames[:2] != known or not {"get", "put"} <= set(worker.__code__.co_names):
        raise TypeError("worker")
    setups = [(kind, kind._setup_queues) for kind in (pool.Pool, pool.ThreadPool)]
    make_thread = pool.ThreadPool.Process

    def is_task(message: Any) -> bool:
        return message is not None and message[2] is not of_the_iterable

    def with_our_queues(one: Any, owner: int) -> None:
        """Give our queues to a worker that is about to start; leave anything else as it is."""
        if one._target is not worker or log.closed:
            return
        inqueue, outqueue, *rest = one._args
        doing = tools.Doing(log, library, owner)

        def came(message: Any) -> Any:
            if not is_task(message):
                return message
            job, piece, function, args, kwargs = message
            doing.begin(job, piece)
            if any(function is mapper for mapper in mappers):
                ((own, chunk),) = args
                args = ((own, doing.each(chunk)),)
            return job, piece, function, args, kwargs

        def goes(message: Any) -> None:
            well, result = message[2]
            doing.end(None if well else result.exc if type(result) is wrapped else result)

        get, put = log.noting(inqueue.get, after=came), log.noting(outqueue.put, before=goes)
        one._args = (tools.Instead(inqueue, get=get), tools.Instead(outqueue, put=put), *rest)

    def in_a_thread(*args: Any, **kwargs: Any) -> Any:
        made = make_thread(*args, **kwargs)
        guarded(made, os.getpid())
        return made

    guarded = log.noting(lambda *_: None, before=with_our_queues)
    on_start(pool, lambda process: guarded(process, process._parent_pid), log)
    pool.ThreadPool.Process = staticmethod(log.noting(in_a_thread, like=make_thread))

    def submitted(message: Any) -> None:
        if is_task(message):
            log.piece(tools.SUBMITTED, library, os.getpid(), message[0], message[1])

    def received(message: Any) -> Any:
        if message is not None:
            log.piece(tools.RECEIVED, library, os.getpid(), message[0], message[1])
        return message

    def watching(setup: Any) -> Any:
        def set_up(self: Any) -> None:
            setup(self)
            self._quick_put = log.noting(self._quick_put, before=submitted)
            self._quick_get = log.noting(self._quick_get, after=received)

        return log.noting(set_up, like=setup)

    for kind, setup in setups:
        kind._setup_queues = watching(setup)


_kept: list[object] = []


def on_start(user: ModuleType, do: Any, log: Log) -> None:
    """Call `do` with each process that the module's package starts: in the process itself, before it runs.

    The package has hooks for that, so pickled objects do not change: `register_after_fork`, and for a spawned process a
    method that does nothing.
    """

    class Sign:
        """An object for register_after_fork: it must live as long as the registration."""

    package = "multiprocess" if user.__name__.startswith("multiprocess.") else "multiprocessing"
    current, context = sys.modules[f"{package}.process"].current_process, sys.modules[f"{package}.context"]
    _kept.append(sign := Sign())
    sys.modules[f"{package}.util"].register_after_fork(sign, lambda _: do(current()))
    kind = context.SpawnProcess
    kind._after_fork = staticmethod(log.noting(vars(kind)["_after_fork"].__func__, before=lambda: do(current())))
