"""The tasks of mpi4py.futures, whose workers are ranks, or threads if there is only one rank.

Client and server both call methods of a communicator to send and to receive: they get one that counts. The n-th task
that a client has sent to a worker is the n-th that this worker has received from it: that joins their records, on any
nodes. A process that a program spawns is no rank of the same world: its tasks are not logged.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter

TYPE_CHECKING = False  # as in sitecustomize.py
if TYPE_CHECKING:
    from typing import Any

    from parlab.node.hook.parlab_log import Log


def watch(core: Any, library: int, log: Log, tools: Any) -> None:
    """Log the tasks of all executors. Raises an exception if the module is not as expected."""
    MPI, threads = core.MPI, sys.modules["parlab_trace"].load("parlab_threads")
    push, sync, hand_out = core.Pool.push, core.server_sync, core.client_exec
    for function, argument in ((push, "item"), (sync, "comm"), (hand_out, "comm")):
        if argument not in function.__code__.co_varnames[:2]:
            raise TypeError(function.__name__)
    of_ours = core.SharedPoolCtx._initialize_remote  # not one of the program's tasks
    how, here = (library, log, tools), threading.local()
    sent: Counter[int] = Counter()  # tasks, by the worker's rank
    came: Counter[int] = Counter()  # tasks, by the client's rank

    class Handed(threads.Followed):  # type: ignore[misc, name-defined]
        """A future whose task is sent to another rank, or run by a thread of this one."""

        __slots__ = ("key",)
        sign = -1  # if a thread runs it, the owner is a process; otherwise it is a rank

        def begins(self) -> None:
            super().begins()
            self.key, here.handed = None, self

        def ends(self, raised: BaseException | None) -> None:
            if self._doing is None or isinstance(raised, core.BrokenExecutor):
                return  # nobody has run it
            if self.key is None:
                super().ends(raised)
            elif self.key:
                log.piece(tools.RECEIVED, library, *self.key)

    def pushing(self: Any, item: Any) -> None:
        push(self, item if log.closed else (Handed(item[0], how), item[1]))

    def ranks_of(comm: Any) -> list[int]:
        """The world ranks of the other end's processes; below 0 for those of no world, or of another."""
        group, world = comm.Get_remote_group(), MPI.COMM_WORLD.Get_group()
        found = MPI.Group.Translate_ranks(group, list(range(group.Get_size())), world)
        group.Free()
        world.Free()
        return [-1 if rank == MPI.UNDEFINED else rank for rank in found]

    def handing_out(comm: Any, *args: Any, **kwargs: Any) -> Any:
        ranks: list[int] = []
        own = MPI.COMM_WORLD.Get_rank()

        def issend(task: Any, worker: int, tag: int) -> Any:
            handed, here.handed = getattr(here, "handed", None), None
            if handed is not None:
                handed.key = ()  # this thread does not run it: if it cannot be sent, nobody has run it
            request = comm.issend(task, worker, tag)
            if handed is not None and ranks and ranks[worker] >= 0:
                key = own, ranks[worker], sent[ranks[worker]]
                sent[ranks[worker]] += 1
                handed.key = key
                log.piece(tools.SUBMITTED, library, *key, handed._submitted)
            return request

        log.noting(lambda: None, before=lambda: ranks.extend(core.serialized(ranks_of)(comm)))()
        return hand_out(tools.Instead(comm, issend=log.noting(issend)), *args, **kwargs)

    def serving(comm_and_options: Any) -> Any:
        comm, options = comm_and_options
        (client,) = ranks_of(comm)
        doing, own = tools.Doing(log, library, client), MPI.COMM_WORLD.Get_rank()

        def began(task: Any) -> Any:
            if client < 0 or task is None or getattr(task[0], "__func__", None) is of_ours:
                return task
            function, args, kwargs = task
            doing.begin(own, came[client])
            came[client] += 1
            if getattr(function, "func", None) is getattr(
                sys.modules["mpi4py.futures.pool"], "_apply_chunks", function
            ):
                args = (doing.each(args[0]),)
            return function, args, kwargs

        def recv(*args: Any) -> Any:
            try:
                return comm.recv(*args)
            except Exception:  # it came but cannot be unpickled
                came[client] += 1
                raise

        def goes(message: Any, *_: Any) -> None:
            error = message[1]
            doing.end(error.args[0] if type(error) is core._ExceptionWrapper else error)

        ours = {"recv": log.noting(recv, after=began), "issend": log.noting(comm.issend, before=goes)}
        return tools.Instead(comm, **ours), options

    core.Pool.push = log.noting(pushing, like=push)
    core.client_exec = log.noting(handing_out, like=hand_out)
    core.server_sync = log.noting(sync, after=serving)
