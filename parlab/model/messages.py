"""Messages between host, launcher and ranks: each is defined once, for its senders and its receivers.

A message is a JSON object on a line of its own. Three conversations use them:

    host -> launcher    a Command, on the launcher's standard input
    launcher -> host    an Event, on its standard output; events of ranks are passed on unchanged
    rank -> launcher    Join first, then Events, over TCP; the launcher answers with words

Words to the ranks are lines of text. `check`, `burn` and `clock` are answered at once. Ranks that run the case wait
for `start` and `end`: one rank, or with plain MPI all. All wait for `boot` to start MPI, and for `go` to use it.
"""

from fractions import Fraction
from typing import Any, TypeVar

import msgspec

from parlab.errors import RunError
from parlab.model.case import Demand
from parlab.model.clocks import Exchange
from parlab.model.declaration import Declaration
from parlab.model.event import Command, Event, RankEvent
from parlab.model.job_events import Ended, Frame, Logged, Looked, Paused, Took, Wrote
from parlab.model.reading import RawReading
from parlab.model.span import Span
from parlab.model.starting import Booted, InQueue

BOOT, GO, CHECK, BURN, CLOCK, START, END = "boot", "go", "check", "burn", "clock", "start", "end"  # words
LOOK, STOP = "look", "stop"  # words to the supervisor of a program
FEED, SIZE = "feed", "size"  # words followed by data: standard input; columns and lines of the user's terminal


class Launch(Command, tag="launch", frozen=True):
    """Start mpiexec; the ranks' events follow."""

    argv: list[str]
    env: dict[str, str]


class Say(Command, tag="say", frozen=True):
    """Pass a word on to every rank."""

    word: str


class Feed(Command, tag="feed", frozen=True):
    """Send rank 0 more standard input; no data means end of file."""

    data: bytes


class Probe(Command, tag="probe", frozen=True):
    """Try a command on each node over ssh; answered by Probed."""

    nodes: list[str]
    argv: list[str]


class Ask(Command, tag="ask", frozen=True):
    """Run a program of this package with this text on its standard input and a time limit; answered by Answered."""

    argv: list[str]
    env: dict[str, str]  # with PARLAB_RUN, which identifies its processes
    text: str
    seconds: float


class Look(Command, tag="look", frozen=True):
    """Run this on these hosts of a launch: it sends a Looked for each rank there; AllLooked comes last."""

    hosts: list[str]
    argv: list[str]
    env: dict[str, str]


class CompareClocks(Command, tag="clocks", frozen=True):
    """Ask these ranks for the time, several times; answered by ClocksRead."""

    ranks: list[int]


class Waiting(Event, tag="waiting", frozen=True):
    """Another client holds the cluster; the launcher waits for its end."""


class Listening(Event, tag="listening", frozen=True):
    """The launcher is ready for commands; `boot` is its kernel's boot id."""

    boot: str


class Output(Event, tag="output", frozen=True):
    """Lines of mpiexec's standard output or error; one event may hold many."""

    stream: str
    text: str


class Exit(Event, tag="exit", frozen=True):
    """mpiexec ended; a code below 0 is a signal."""

    code: int


class Probed(Event, tag="probed", frozen=True):
    """Each node's wrong answer, by its name; '' for a right one."""

    complaints: dict[str, str]


class AllLooked(Event, tag="all looked", frozen=True):
    """Each host was looked at; by name the reason if that failed, else ''."""

    complaints: dict[str, str]


class Answered(Event, tag="answered", frozen=True):
    """A program's answer: exit code (below 0 a signal, None if it took too long), text, and its last messages."""

    code: int | None
    text: str
    said: list[str]
    stack: str = ""  # where it was shortly before its time was up, as faulthandler writes it


class ClocksRead(Event, tag="clocks", frozen=True):
    """By rank, several times: sent and received by the head's clock, and in between the rank's time."""

    exchanges: dict[int, list[Exchange]]


class Hello(RankEvent, tag="hello", frozen=True):
    """A rank lives on this host, under the kernel with this boot id; it has ended these processes of earlier runs."""

    host: str
    boot: str
    ended: list[int]


class Plan(RankEvent, tag="plan", frozen=True):
    """Rank 0 has run the serial solution: each task's demand, whether its Python has a GIL, and its environment."""

    tasks: list[Demand]
    gil: bool
    software: dict[str, str]
    cpu: str


class Ready(RankEvent, tag="ready", frozen=True):
    """A rank that runs the case is about to submit its first task."""


class Checked(RankEvent, tag="checked", frozen=True):
    """The answer to `check` from the first rank of a node."""

    reading: RawReading


class Burned(RankEvent, tag="burned", frozen=True):
    """The answer to `burn` from the same rank: the host CPUs that it got; None if its node has no limit."""

    cpus: float | None


class Sampled(RankEvent, tag="sampled", frozen=True):
    """A reading by the same rank, from `start` to `check`, at the interval of parlab/node/control.py."""

    reading: RawReading


class Spans(RankEvent, tag="spans", frozen=True):
    """Tasks whose results came in since the last such event, from a rank that runs the case."""

    spans: list[Span]


class Done(RankEvent, tag="done", frozen=True):
    """A rank has run the case. Rank 0's outcome, complaint and metrics count; None means no complaint.

    `opened` is the time of the first submission, `returned` that of the case's return, by the rank's clock.
    """

    outcome: str
    complaint: str | None
    opened: float
    returned: float
    metrics: dict[str, float]


class Failed(RankEvent, tag="failed", frozen=True):
    """The serial solution, the case or the comparison raised an undeclared exception; or `stage` is '': a mistake."""

    stage: str
    error: str
    trace: str
    own: list[Frame]  # the exception's lines in the lab's folder, the innermost first
    advice: str


class Join(msgspec.Struct, frozen=True):
    """The first line of a rank's connection: it proves knowledge of the launch's token. Not passed on."""

    token: str
    rank: int
    host: str
    pid: int


class ClockTold(RankEvent, tag="clock", frozen=True):
    """The answer to `clock`: the rank's time. Not passed on."""

    at: float


class Read(msgspec.Struct, frozen=True):
    """The answer of parlab/node/declare.py: a lab's declaration, or the reason why its file cannot be read."""

    declaration: Declaration | None = None
    refusal: str = ""


AnyCommand = Launch | Say | Feed | Probe | Look | CompareClocks | Ask
OfPrograms = Wrote | Paused | Took | Looked | Logged | Ended
FromRank = Hello | Booted | Plan | Ready | Checked | Burned | Sampled | Spans | Done | Failed | OfPrograms
AnyEvent = Waiting | Listening | Output | Exit | InQueue | Probed | AllLooked | ClocksRead | Answered | FromRank

Message = TypeVar("Message")
SHOWN = 200  # characters of a message, in an error


class ProtocolError(RunError):
    """A message names a known event but has another shape: the receiver would wait for that event in vain."""


class _Kind(msgspec.Struct):
    event: str


class _Claim(msgspec.Struct):
    """The part that every event has, whatever its shape."""

    event: msgspec.Raw
    rank: Any = None


def _encode(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"no message holds a {type(value).__name__}")


def _decode(kind: type, value: Any) -> Any:
    if kind is Fraction:
        return Fraction(value)
    raise TypeError(f"no message holds a {kind.__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_encode)


def to_line(message: Any) -> bytes:
    """Encode the message as a line."""
    return _encoder.encode(message) + b"\n"


def from_line(line: bytes | str, kind: Any) -> Any:
    """Decode a message of that kind or union. Raises msgspec.DecodeError for anything else."""
    return msgspec.json.decode(line, type=kind, dec_hook=_decode)


def is_clock(line: bytes) -> bool:
    """Whether a rank's line is for the launcher itself; reads nothing else of the line.

    Raises msgspec.DecodeError for a line that is not an event.
    """
    return bool(msgspec.json.decode(line, type=_Kind).event == CLOCK)


def event_of(line: bytes) -> AnyEvent:
    """Decode a line of the launcher. A line without an `event` is plain output, e.g. a traceback or a shell's message.

    Raises ProtocolError for an unknown event, and for one with other fields.
    """
    try:
        event: AnyEvent = msgspec.json.decode(line, type=AnyEvent)
    except (ValueError, RecursionError) as error:  # from msgspec, or from a line that is not UTF-8
        text = line.decode(errors="replace").rstrip()
        if (sender := _sender(line)) is None:
            return Output("stderr", text)
        raise ProtocolError(f"{sender} sent a message of the wrong shape ({error}): {text:.{SHOWN}}") from error
    return event


def _sender(line: bytes) -> str | None:
    """The sender of an event; None for a line that is not an event."""
    try:
        claim = msgspec.json.decode(line.decode(), type=_Claim)
    except (ValueError, RecursionError):
        return None
    return f"rank {claim.rank}" if isinstance(claim.rank, int) else "the launcher"
