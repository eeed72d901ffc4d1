"""The log of a program's tasks (`run --trace`): what its processes write to one file of their rank.

Each process appends blocks of zeros, maps them into its memory, and fills them with records. That takes no call of the
kernel for a record, so no thread lets go of the interpreter for it; nothing is lost with a worker that is killed; and
no descriptor is left open, which a program might close. A block's space is there before it is mapped: else a full disk
would end the program. A page has records of one length, so a page tells by its first byte how it is read.

Who hands a task out and who does it write records of their own; their key joins them on the host (parlab/run/tasks.py):
the library; its owner, the process that hands it out; and the owner's number for the job, and for the piece of it. Of
mpi4py the owner is a rank, the job is the rank that does it, and the piece is the number of the task between these two;
where a thread of the owner's does it, the owner is its process's number below zero.

It stands in the way of the program's own calls, and none of that shows: what it looks like to the library stays as it
is (`Instead`), and a traceback has no line of ours (`hide`).
"""

from __future__ import annotations

import os
import struct
import time
from _thread import get_ident
from itertools import count

TYPE_CHECKING = False  # as in sitecustomize.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

FILE = "tasks"  # in the folder PARLAB_STACKS
MOST_BYTES = 20 << 20  # of the file, which takes memory of its node: 100 000 tasks
PAGE = 4096
BLOCKS = (1, 16)  # in units of what can be mapped: a process's first block of a kind, as most do little, and its others
MOST_IN_CHUNK = 10_000  # tasks of one chunk that are told one by one
LIBRARIES = (  # a record has the number of one
    "multiprocessing.pool",
    "multiprocess.pool",
    "concurrent.futures.process",
    "concurrent.futures.thread",
    "mpi4py.futures._core",
    "loky.process_executor",
    "joblib.externals.loky.process_executor",
)
NO_LIBRARY = 255  # in a note about the trace itself
SUBMITTED, RECEIVED, DONE, NOTE = b"S", b"R", b"D", b"N"
# Their sizes divide a page.
PIECE = struct.Struct("=cBiqid6x")  # SUBMITTED or RECEIVED, library, owner, job, piece, at
# DONE, library, owner, job, piece, task of the piece, pid, thread, started, finished, CPU seconds, exception
TASK = struct.Struct("=cBiqiiiQddd70s")
TEXT = struct.Struct("=cB254s")  # NOTE, library, what is to be told
HERE = os.path.dirname(os.path.abspath(__file__))


def hide(error: BaseException) -> None:
    """Take our frames off the beginning of its traceback: whoever prints it is to print what it would without us.

    To be followed by a bare `raise`, which adds none.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    BaseException.with_traceback(error, trace)  # a class may have made its own of setting attributes


class Instead:
    """Another object, but for some of its methods: neither what it is nor what else it has looks different."""

    def __init__(self, other: Any, **methods: Any) -> None:
        vars(self).update(methods, _other=other)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_other"], name)

    __class__ = property(lambda self: vars(self)["_other"].__class__)


class Block:
    """A part of the file for so many records of this process."""

    def __init__(self, memory: Any, records: int) -> None:
        self.memory, self.records, self.places = memory, records, count()  # which threads count without a lock


class Log:
    """Writes records, until the file is full or cannot grow."""

    def __init__(self, folder: str) -> None:
        self._name = f"{folder}/{FILE}"
        self._blocks: dict[struct.Struct, Block] = {}
        self.closed = False
        os.register_at_fork(after_in_child=self._blocks.clear)  # they are the parent's

    def write(self, form: struct.Struct, *fields: Any) -> None:
        """Write a record."""
        while not self.closed:
            block = self._blocks.get(form)
            if block is not None and (place := next(block.places)) < block.records:
                form.pack_into(block.memory, place * form.size, *fields)
                return
            try:
                self._blocks[form] = self._add(form, BLOCKS[0 if block is None else 1])
            except (OSError, ValueError):
                self.closed = True

    def _add(self, form: struct.Struct, units: int) -> Block:
        """Another block. Raises OSError or ValueError where there is no room for it."""
        import mmap

        size = units * mmap.ALLOCATIONGRANULARITY
        file = os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size > MOST_BYTES or os.write(file, bytes(size)) < size:
                raise ValueError("full")
            end = os.lseek(file, 0, os.SEEK_CUR)  # of what this process has appended
            return Block(mmap.mmap(file, size, offset=end - size), size // form.size)
        finally:
            os.close(file)

    def note(self, library: int, text: str) -> None:
        """Have a line told once the program has ended."""
        self.write(TEXT, NOTE, library, text.encode(errors="replace"))

    def piece(self, what: bytes, library: int, owner: int, job: int, piece: int, at: float | None = None) -> None:
        """Tell that a piece of a job was submitted, or received: at that time, or now."""
        self.write(PIECE, what, library, owner, job, piece, time.monotonic() if at is None else at)

    def noting(
        self,
        call: Callable[..., Any],
        before: Callable[..., None] | None = None,
        after: Callable[[Any], Any] | None = None,
        like: Callable[..., Any] | None = None,
    ) -> Callable[..., Any]:
        """It, with something done before it is called, or to what it returns; it looks as before, or as `like`.

        What goes wrong in these is not the program's: from then on nothing is logged.
        """

        def noted(*args: Any, **kwargs: Any) -> Any:
            try:
                if before is not None and not self.closed:
                    try:
                        before(*args, **kwargs)
                    except Exception as error:
                        self.fail(error)
                found = call(*args, **kwargs)
                if after is not None and not self.closed:
                    try:
                        return after(found)
                    except Exception as error:
                        self.fail(error)
                return found
            except BaseException as error:
                hide(error)
                raise

        shown = call if like is None else like
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(shown, name):
                setattr(noted, name, getattr(shown, name))
        noted.__wrapped__ = shown  # type: ignore[attr-defined]
        return noted

    def fail(self, error: Exception) -> None:
        """Log nothing more in this process, and have it told why."""
        self.note(NO_LIBRARY, f"tracing stopped in one process: {type(error).__name__}: {error}")
        self.closed = True


class Doing:
    """What a worker is at: a piece of a job, that is one task, or a chunk of several."""

    def __init__(self, log: Log, library: int, owner: int) -> None:
        self._log, self._library, self._owner = log, library, owner
        self._job = self._piece = 0
        self._stamps: list[tuple[float, float]] | None = None  # of each task's start: it is the end of the one before

    def begin(self, job: int, piece: int) -> None:
        """From here on it does that."""
        self._job, self._piece, self._stamps = job, piece, [(time.monotonic(), time.thread_time())]

    def each(self, chunk: Iterable[Any]) -> Iterator[Any]:
        """The items of a chunk, whose tasks come one after another: whoever asks for the next is done with one.

        That is why nothing is around the program's function: it is called by whom it was, and so it looks to it.
        """
        stamps = self._stamps = []
        for item in chunk:
            if len(stamps) <= MOST_IN_CHUNK:
                stamps.append((time.monotonic(), time.thread_time()))
            yield item

    def end(self, error: BaseException | None = None) -> None:
        """Tell that it is done: before the result is sent, since whoever has all results may end all workers."""
        if self._stamps is None:
            return
        stamps, self._stamps = self._stamps, None
        stamps.append((time.monotonic(), time.thread_time()))
        raised = b"" if error is None else type(error).__name__.encode(errors="replace")
        key, who = (self._library, self._owner, self._job, self._piece), (os.getpid(), get_ident())
        last = len(stamps) - 2
        (began, cpu), *ends = stamps
        for number, (ended, ended_cpu) in enumerate(ends[:MOST_IN_CHUNK]):
            raising = raised if number == last else b""
            self._log.write(TASK, DONE, *key, number, *who, began, ended, ended_cpu - cpu, raising)
            began, cpu = ended, ended_cpu
