"""What the supervisor of a program's rank tells: what it wrote, what it is at, and how it ended."""

import msgspec

from parlab.model.event import RankEvent


class Frame(msgspec.Struct, frozen=True):
    """A line of Python that a thread is at; `text` is the source, `own` whether it is of the program's folder."""

    file: str
    line: int
    function: str
    text: str
    own: bool


class Seen(msgspec.Struct, frozen=True):
    """A process of a rank, as it was found: `cpu` in host CPUs over the last second, a stack of each thread.

    The first stack is that of the main thread, and of each stack the first frame is the innermost.
    """

    pid: int
    command: str
    cpu: float
    stacks: list[list[Frame]]


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
    """The answer to `look`: the processes of a rank, the rank's own first, and which of their children died."""

    processes: list[Seen]
    died: list[Died]


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
