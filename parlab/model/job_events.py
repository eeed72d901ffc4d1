"""What is told of a program's rank, or of a lab's: what it wrote, what it is at, and how it ended."""

import msgspec

from parlab.model.event import RankEvent


class Frame(msgspec.Struct, frozen=True):
    """A line of Python that a thread is at; `text` is the source, `own` whether it is of the program's folder."""

    file: str
    line: int
    function: str
    text: str
    own: bool


NOBODY, ANY, ELSEWHERE = -1, -2, -3  # as in docker/waiting.c; ELSEWHERE is a rank of another MPI_COMM_WORLD


class MpiCall(msgspec.Struct, frozen=True):
    """A call of MPI in which a thread waits: for which rank of MPI_COMM_WORLD, with which tag, for how long.

    Of a collective, `peer` is its root; NOBODY, ANY and ELSEWHERE stand in for a rank, the first two for a tag, too.
    """

    name: str
    peer: int
    tag: int
    seconds: float


class Stack(msgspec.Struct, frozen=True):
    """What a thread is at, the innermost frame first; `waits` only where a rank waits as docker/waiting.c has it."""

    frames: list[Frame]
    waits: MpiCall | None = None


class Seen(msgspec.Struct, frozen=True):
    """A process of a rank, as it was found: `cpu` in host CPUs over the last second, the main thread's stack first.

    `held_back` is the share of the time in which its main thread was ready to run, and others ran, or its node's limit
    was spent.
    """

    pid: int
    command: str
    cpu: float
    stacks: list[Stack]
    held_back: float = 0.0


class Died(msgspec.Struct, frozen=True):
    """A child of a rank's processes that ended otherwise than with 0; `code` below 0 is a signal."""

    pid: int
    code: int
    at: float  # monotonic seconds of its node


class Wrote(RankEvent, tag="wrote", frozen=True):
    """A program's rank has written that, to `stdout` or `stderr`."""

    stream: str
    data: bytes


class Paused(RankEvent, tag="paused", frozen=True):
    """A program's rank has written no more, though its line on that stream has no end: as a prompt has none."""

    stream: str


class Took(RankEvent, tag="took", frozen=True):
    """Rank 0 of a program has read so many bytes of its standard input; whoever has no more to do reads all."""

    count: int


class Looked(RankEvent, tag="looked", frozen=True):
    """The answer to `look`: the processes of a rank, the rank's own first, and which of their children died.

    `why` is what the kernel knows of the reason: memory that ran out; '' where nothing is known. `goodbye` is whether
    the rank's Python has come to its end, and its process has not: MPI_Finalize, say, waits for all ranks.
    """

    processes: list[Seen]
    died: list[Died]
    why: str = ""
    goodbye: bool = False


class Logged(RankEvent, tag="logged", frozen=True):
    """A piece of the log that the processes of a rank have written of their tasks; the host makes sense of it."""

    data: bytes


class Ended(RankEvent, tag="ended", frozen=True):
    """A program's rank has ended, and all that it wrote was told; `code` below 0 is a signal.

    `goodbye` is whether its Python came to its end by itself, `stopped` whether we ended it. Times are monotonic
    seconds of its node, `cpu_s` and `peak` (bytes) of it and of the children that it waited for.
    """

    code: int
    goodbye: bool
    stopped: bool
    why: str  # memory or shared memory that ran out; '' where nothing is known
    pid: int
    began: float
    at: float
    cpu_s: float
    peak: int
    left: list[str]  # commands of the processes that it left behind, which were ended
    died: list[Died]
