"""Events of a program's or a lab's rank: its output, its current calls, and its end."""

import msgspec

from parlab.model.event import RankEvent


class Frame(msgspec.Struct, frozen=True):
    """A line of Python that a thread executes; `text` is the source, `own` whether it is in the program's folder."""

    file: str
    line: int
    function: str
    text: str
    own: bool


NOBODY, ANY, ELSEWHERE = -1, -2, -3  # as in docker/waiting.c; ELSEWHERE is a rank of another MPI_COMM_WORLD


class MpiCall(msgspec.Struct, frozen=True):
    """A call of MPI in which a thread waits: for a rank of MPI_COMM_WORLD, for a tag, and for how long.

    For a collective, `peer` is its root. NOBODY, ANY and ELSEWHERE replace a rank, the first two also a tag.
    """

    name: str
    peer: int
    tag: int
    seconds: float


class Stack(msgspec.Struct, frozen=True):
    """A thread's stack, the innermost frame first; `waits` is set only for a rank that docker/waiting.c reports."""

    frames: list[Frame]
    waits: MpiCall | None = None


class Seen(msgspec.Struct, frozen=True):
    """A process of a rank at one instant: `cpu` in host CPUs over the last second, the main thread's stack first.

    `held_back` is the share of the time in which its main thread was ready to run, but others ran, or its node's limit
    was used up.
    """

    pid: int
    command: str
    cpu: float
    stacks: list[Stack]
    held_back: float = 0.0


class Died(msgspec.Struct, frozen=True):
    """A child of a rank's processes that ended with another code than 0; `code` below 0 is a signal."""

    pid: int
    code: int
    at: float  # monotonic seconds of its node


class Wrote(RankEvent, tag="wrote", frozen=True):
    """A program's rank wrote this text to `stdout` or `stderr`."""

    stream: str
    data: bytes


class Paused(RankEvent, tag="paused", frozen=True):
    """A program's rank stopped writing in the middle of a line, as after a prompt."""

    stream: str


class Took(RankEvent, tag="took", frozen=True):
    """Rank 0 of a program has read this many bytes of its standard input; a rank that ends reads all."""

    count: int


class Looked(RankEvent, tag="looked", frozen=True):
    """The answer to `look`: a rank's processes, its own first, and the children of theirs that died.

    `why` is the reason if the kernel knows one, e.g. memory ran out; else ''. `goodbye` is whether the rank's Python
    has come to its end although its process has not: MPI_Finalize, for example, waits for all ranks.
    """

    processes: list[Seen]
    died: list[Died]
    why: str = ""
    goodbye: bool = False


class Logged(RankEvent, tag="logged", frozen=True):
    """A piece of the task log of a rank's processes; the host interprets it."""

    data: bytes


PEAK = "MB of memory at the peak of "  # and the node: a metric of a launch, from `Ended.peak`


class Ended(RankEvent, tag="ended", frozen=True):
    """A program's rank has ended, and all its output was sent; `code` below 0 is a signal.

    `goodbye` is whether its Python came to its end by itself, `stopped` whether we ended it. Times are monotonic
    seconds of its node; `cpu_s` and `peak` (bytes) include the children that it waited for.
    """

    code: int
    goodbye: bool
    stopped: bool
    why: str  # memory or shared memory that ran out; '' if unknown
    pid: int
    began: float
    at: float
    cpu_s: float
    peak: int
    left: list[str]  # commands of the processes that it left behind; they were ended
    died: list[Died]
