"""The tasks of concurrent.futures.ThreadPoolExecutor.

The thread that runs a task first asks its future for permission, then calls the program's function, then gives the
future the outcome. So it gets a future that notes the times. The program has the plain one.
"""

from __future__ import annotations

import os
import time
from itertools import count

TYPE_CHECKING = False  # as in sitecustomize.py
if TYPE_CHECKING:
    from typing import Any

    from parlab.node.hook.parlab_log import Log

_jobs = count()


class Followed:
    """A future whose task is logged by the process that has submitted it."""

    __slots__ = ("_doing", "_future", "_how", "_job", "_submitted")
    sign = 1  # of the owner that it logs

    def __init__(self, future: Any, how: tuple[int, Log, Any]) -> None:
        self._future, self._how = future, how
        self._doing: Any = None
        self._job, self._submitted = next(_jobs), time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._future, name)

    def set_running_or_notify_cancel(self) -> bool:
        """Like the future's own method; from here on the task runs."""
        _, log, tools = self._how
        try:
            may: bool = self._future.set_running_or_notify_cancel()
            if may:
                try:
                    self.begins()
                except Exception as error:
                    log.fail(error)
            return may
        except BaseException as error:
            tools.hide(error)
            raise

    def set_result(self, result: Any) -> None:
        """Like the future's own method: the task is done."""
        self._set(self._future.set_result, result, None)

    def set_exception(self, exception: Any) -> None:
        """Like the future's own method: the task has failed."""
        self._set(self._future.set_exception, exception, exception)

    def _set(self, call: Any, value: Any, raised: Any) -> None:
        _, log, tools = self._how
        try:
            try:
                self.ends(raised)
            except Exception as error:
                log.fail(error)
            call(value)
        except BaseException as error:
            tools.hide(error)
            raise

    def begins(self) -> None:
        """This thread is about to run the task."""
        library, log, tools = self._how
        self._doing = tools.Doing(log, library, self.sign * os.getpid())
        self._doing.begin(self._job, 0)

    def ends(self, raised: BaseException | None) -> None:
        """This thread has run the task, if it has begun it."""
        library, log, tools = self._how
        if self._doing is not None:
            key = (library, self.sign * os.getpid(), self._job, 0)
            log.piece(tools.SUBMITTED, *key, self._submitted)
            self._doing.end(raised)
            log.piece(tools.RECEIVED, *key)


def watch(thread: Any, library: int, log: Log, tools: Any) -> None:
    """Log the tasks of all executors. Raises an exception if the module is not as expected."""
    make = thread._WorkItem.__init__
    used = set(thread._WorkItem.run.__code__.co_names)
    if "future" not in make.__code__.co_varnames or not {"set_running_or_notify_cancel", "set_result"} <= used:
        raise TypeError("_WorkItem")
    how = (library, log, tools)

    def follow(item: Any) -> None:
        item.future = Followed(item.future, how)

    followed = log.noting(lambda _: None, before=follow)

    def making(item: Any, *args: Any, **kwargs: Any) -> None:
        make(item, *args, **kwargs)
        followed(item)

    thread._WorkItem.__init__ = log.noting(making, like=make)
