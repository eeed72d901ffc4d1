"""The tasks of concurrent.futures.ProcessPoolExecutor, and of loky's, which was modelled on it.

A worker is a process that calls `_process_worker(call_queue, result_queue, ...)`: it gets queues that observe all
incoming and outgoing items. Each executor numbers its own submissions as it puts them into `_work_ids`.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from zlib import crc32

TYPE_CHECKING = False  # as in sitecustomize.py
if TYPE_CHECKING:
    from typing import Any

    from parlab.node.hook.parlab_log import Log


def watch(process: Any, library: int, log: Log, tools: Any) -> None:
    """Log the tasks of all executors. Raises an exception if the module is not as expected."""
    worker, in_chunks, wrapped = process._process_worker, process._process_chunk, process._ExceptionWithTraceback
    known = ("call_queue", "result_queue")
    if worker.__code__.co_varnames[:2] != known or not {"get", "put"} <= set(worker.__code__.co_names):
        raise TypeError("_process_worker")
    executors = count()
    make, take = process.ProcessPoolExecutor.__init__, process._ExecutorManagerThread.process_result_item

    def with_our_queues(one: Any) -> None:
        """Give our queues to a worker that is about to start; leave anything else as it is."""
        if one._target is not worker or log.closed:
            return
        call_queue, result_queue, *rest = one._args
        doing, number = tools.Doing(log, library, one._parent_pid), number_of(call_queue)

        def came(item: Any) -> Any:
            if item is not None:
                doing.begin(number, item.work_id)
                if getattr(item.fn, "func", None) is in_chunks:
                    item.args = (doing.each(item.args[0]), *item.args[1:])
            return item

        def goes(item: Any) -> None:
            if hasattr(item, "work_id"):
                error = item.exception
                doing.end(error.exc if type(error) is wrapped else error)

        get, put = log.noting(call_queue.get, after=came), log.noting(result_queue.put, before=goes)
        one._args = (tools.Instead(call_queue, get=get), tools.Instead(result_queue, put=put), *rest)

    def received(manager: Any, item: Any) -> None:
        if hasattr(item, "work_id"):
            log.piece(tools.RECEIVED, library, os.getpid(), number_of(manager.call_queue), item.work_id)

    def making(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        prepare(self)

    def prepared(self: Any) -> None:
        self._call_queue.parlab_number = next(executors)
        number = number_of(self._call_queue)
        self._work_ids.put = log.noting(
            self._work_ids.put,
            before=lambda work_id: log.piece(tools.SUBMITTED, library, os.getpid(), number, work_id),
        )

    prepare = log.noting(lambda _: None, before=prepared)
    guarded = log.noting(lambda _: None, before=with_our_queues)
    sys.modules["parlab_trace"].load("parlab_pools").on_start(process, guarded, log)
    process.ProcessPoolExecutor.__init__ = log.noting(making, like=make)
    process._ExecutorManagerThread.process_result_item = log.noting(take, before=received)


def number_of(queue: Any) -> int:
    """A number for an executor's queue, the same on both sides.

    A spawned process knows the queue's semaphore by its name, which is sent with the queue. A forked process has a copy
    of the queue, whose semaphore needs no name.
    """
    name = queue._rlock._semlock.name
    return int(queue.parlab_number) if name is None else crc32(name.encode())
