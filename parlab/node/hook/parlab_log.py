"""The log of a program's tasks (`run --trace`): all processes of a rank write to its one file.

Each process appends blocks of zeros, maps them into its memory, and fills them with records. A record needs no system
call, so no thread releases the interpreter's lock for it; nothing is lost with a worker that is killed; and no
descriptor is left open, which a program might close. A block's space is allocated before it is mapped: otherwise a full
disk would end the program. All records of a page have the same length, so its first byte tells how to read it.

The process that hands out a task and the process that runs it write separate records. The host joins them by their key
(parlab/run/tasks.py): the library; the owner, i.e. the process that hands out the task; the owner's numbers for the job
and for its piece. For mpi4py, the owner is a rank, the job is the rank that runs the task, and the piece is the number
of the task between these two; if a thread of the owner runs it, the owner is its pid, below zero.

It intercepts the program's own calls, but that stays invisible: for the library, objects look as they did (`Instead`),
and a traceback has no line of ours (`hide`).
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
MOST_BYTES = 20 << 20  # of the file, which uses memory of its node: 100 000 tasks
PAGE = 4096
BLOCKS = (1, 16)  # units of mmap: a process's first block of a kind, small since most do little; the later ones
MOST_IN_CHUNK = 10_000  # tasks of one chunk that are logged one by one
LIBRARIES = (  # a record has the index of one
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
# The sizes of records divide a page.
PIECE = struct.Struct("=cBiqid6x")  # SUBMITTED or RECEIVED, library, owner, job, piece, at
# DONE, library, owner, job, piece, task of the piece, pid, thread, started, finished, CPU seconds, exception
TASK = struct.Struct("=cBiqiiiQddd70s")
TEXT = struct.Struct("=cB254s")  # NOTE, library, the text to report
HERE = os.path.dirname(os.path.abspath(__file__))


def hide(error: BaseException) -> None:
    """Remove our frames from the start of its traceback: it must be printed as it would be without us.

    Follow it by a bare `raise`, which adds none.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    BaseException.with_traceback(error, trace)  # a class may define its own way of setting attributes


class Instead:
    """Another object with some methods replaced: its type and its other attributes look the same."""

    def __init__(self, other: Any, **methods: Any) -> None:
        vars(self).update(methods, _other=other)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_other"], name)

    __class__ = property(lambda self: vars(self)["_other"].__class__)


class Block:
    """A part of the file, for a number of records of this process."""

    def __init__(self, memory: Any, records: int) -> None:
        self.memory, self.records, self.places = memory, records, count()  # threads take the next place without a lock


class Log:
    """Writes records until the file is full or cannot grow."""

    def __init__(self, folder: str) -> None:
        self._name = f"{folder}/{FILE}"
        self._blocks: dict[struct.Struct, Block] = {}
        self.closed = False
        os.register_at_fork(after_in_child=self._blocks.clear)  # those blocks belong to the parent

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
        """Add a block. Raises OSError or ValueError if there is no room for it."""
        import mmap

        size = units * mmap.ALLOCATIONGRANULARITY
        file = os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size > MOST_BYTES or os.write(file, bytes(size)) < size:
                raise ValueError("full")
            end = os.lseek(file, 0, os.SEEK_CUR)  # end of the part that this process has appended
            return Block(mmap.mmap(file, size, offset=end - size), size // form.size)
        finally:
            os.close(file)

    def note(self, library: int, text: str) -> None:
        """Report a line once the program has ended."""
        self.write(TEXT, NOTE, library, text.encode(errors="replace"))

    def piece(self, what: bytes, library: int, owner: int, job: int, piece: int, at: float | None = None) -> None:
        """Log that a piece of a job was submitted, or received: at the time `at`, or now."""
        self.write(PIECE, what, library, owner, job, piece, time.monotonic() if at is None else at)

    def noting(
        self,
        call: Callable[..., Any],
        before: Callable[..., None] | None = None,
        after: Callable[[Any], Any] | None = None,
        like: Callable[..., Any] | None = None,
    ) -> Callable[..., Any]:
        """Wrap a call: `before` runs before it, `after` gets its result; the wrapper looks like it, or like `like`.

        An error in `before` or `after` is not the program's: from then on nothing is logged.
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
        """Log nothing more in this process, and report the reason."""
        self.note(NO_LIBRARY, f"tracing stopped in one process: {type(error).__name__}: {error}")
        self.closed = True


class Doing:
    """A worker's current work: a piece of a job, i.e. one task or a chunk of several."""

    def __init__(self, log: Log, library: int, owner: int) -> None:
        self._log, self._library, self._owner = log, library, owner
        self._job = self._piece = 0
        self._stamps: list[tuple[float, float]] | None = None  # start of each task, which is the end of the one before

    def begin(self, job: int, piece: int) -> None:
        """The worker starts this piece."""
        self._job, self._piece, self._stamps = job, piece, [(time.monotonic(), time.thread_time())]

    def each(self, chunk: Iterable[Any]) -> Iterator[Any]:
        """The items of a chunk, whose tasks run one after another: a request for the next item ends the current task.

        So the program's function needs no wrapper, and its caller looks the same to it.
        """
        stamps = self._stamps = []
        for item in chunk:
            if len(stamps) <= MOST_IN_CHUNK:
                stamps.append((time.monotonic(), time.thread_time()))
            yield item

    def end(self, error: BaseException | None = None) -> None:
        """Log the end of the piece, before the result is sent: a pool that has all results may end all workers."""
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
