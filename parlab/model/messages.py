"""What host, launcher and ranks tell each other: one definition of each message, for those who write and who read.

A message is a JSON object on a line of its own. Three conversations use them:

    host -> launcher    a Command, on the launcher's standard input
    launcher -> host    an Event, on its standard output; those of ranks are passed on as they came
    rank -> launcher    Join first, then Events, over TCP; the launcher answers with words

Words to the ranks are lines of text: `check`, `burn` and `clock` are answered at once, `start` and `end` are what ranks
that run the case wait for: one, or with plain MPI all of them. All ranks wait for `boot` before they start MPI.
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

BOOT, CHECK, BURN, CLOCK, START, END = "boot", "check", "burn", "clock", "start", "end"  # words
LOOK, STOP = "look", "stop"  # words to the supervisor of a program
FEED, SIZE = "feed", "size"  # words with data behind them: standard input; columns and lines of the user's terminal


class Launch(Command, tag="launch", frozen=True):
    """Start mpiexec; the ranks' events follow."""

    argv: list[str]
    env: dict[str, str]


class Say(Command, tag="say", frozen=True):
    """Pass a word on to every rank."""

    word: str


class Feed(Command, tag="feed", frozen=True):
    """Give rank 0 more standard input; no data is its end."""

    data: bytes


class Probe(Command, tag="probe", frozen=True):
    """Try a command on each node over ssh; answered by Probed."""

    nodes: list[str]
    argv: list[str]


class Ask(Command, tag="ask", frozen=True):
    """Run a program of this package with that text on its standard input, for so long; answered by Answered."""

    argv: list[str]
    env: dict[str, str]  # with PARLAB_RUN, by which its processes are known
    text: str
    seconds: float


class Look(Command, tag="look", frozen=True):
    """Run this on these hosts of a launch: it tells a Looked for each rank there; at last comes AllLooked."""

    hosts: list[str]
    argv: list[str]
    env: dict[str, str]


class CompareClocks(Command, tag="clocks", frozen=True):
    """Ask these ranks for the time, over and over; answered by ClocksRead."""

    ranks: list[int]


class Waiting(Event, tag="waiting", frozen=True):
    """Another client holds the cluster; the launcher waits for its end."""


class Listening(Event, tag="listening", frozen=True):
    """The launcher is ready for commands; it is under the kernel of that boot."""

    boot: str


class Output(Event, tag="output", frozen=True):
    """Lines of mpiexec's standard output or error, as many as there were."""

    stream: str
    text: str


class Exit(Event, tag="exit", frozen=True):
    """mpiexec ended; below 0 is a signal."""

    code: int


class Probed(Event, tag="probed", frozen=True):
    """What each node answered wrongly, by its name; '' where it did not."""

    complaints: dict[str, str]


class AllLooked(Event, tag="all looked", frozen=True):
    """Each host was looked at; why it could not be, by its name, '' where it could."""

    complaints: dict[str, str]


class Answered(Event, tag="answered", frozen=True):
    """What a program answered: exit code (below 0 a signal, None if it took too long), text, and its last words."""

    code: int | None
    text: str
    said: list[str]


class ClocksRead(Event, tag="clocks", frozen=True):
    """By rank: sent and received by the head's clock, and in between the rank's time; several times."""

    exchanges: dict[int, list[Exchange]]


class Hello(RankEvent, tag="hello", frozen=True):
    """A rank lives, on this host, under the kernel of that boot; it has ended these processes of earlier runs."""

    host: str
    boot: str
    ended: list[int]


class Plan(RankEvent, tag="plan", frozen=True):
    """Rank 0 has run the serial solution: what each task asks for; whether its Python has a GIL; what it runs on."""

    tasks: list[Demand]
    gil: bool
    software: dict[str, str]
    cpu: str


class Ready(RankEvent, tag="ready", frozen=True):
    """A rank that runs the case: its first task is about to go out."""


class Checked(RankEvent, tag="checked", frozen=True):
    """The answer to `check` of the first rank of a node."""

    reading: RawReading


class Burned(RankEvent, tag="burned", frozen=True):
    """The answer to `burn` of the same: host CPUs that it got; None where its node has no limit."""

    cpus: float | None


class Sampled(RankEvent, tag="sampled", frozen=True):
    """A reading of the same, from `start` to `check`, as often as parlab/node/control.py says."""

    reading: RawReading


class Spans(RankEvent, tag="spans", frozen=True):
    """Tasks whose results came in since the last time, of a rank that runs the case."""

    spans: list[Span]


class Done(RankEvent, tag="done", frozen=True):
    """A rank has run the case. Rank 0's outcome, complaint and metrics count; None is no complaint.

    `opened` is when the first task went out, `returned` when the case returned, by the rank's clock.
    """

    outcome: str
    complaint: str | None
    opened: float
    returned: float
    metrics: dict[str, float]


class Failed(RankEvent, tag="failed", frozen=True):
    """The serial solution, the case or the comparison raised what was not declared; or `stage` is '': a mistake."""

    stage: str
    error: str
    trace: str
    own: list[Frame]  # the lines of the lab's folder that the exception has passed, the innermost first
    advice: str


class Join(msgspec.Struct, frozen=True):
    """The first line of a rank's connection: it knows the launch's token. Not passed on."""

    token: str
    rank: int
    host: str
    pid: int


class ClockTold(RankEvent, tag="clock", frozen=True):
    """The answer to `clock`: the rank's time. Not passed on."""

    at: float


class Read(msgspec.Struct, frozen=True):
    """The answer of parlab/node/declare.py: what a lab declares, or why its file cannot be read."""

    declaration: Declaration | None = None
    refusal: str = ""


AnyCommand = Launch | Say | Feed | Probe | Look | CompareClocks | Ask
OfPrograms = Wrote | Paused | Took | Looked | Logged | Ended
FromRank = Hello | Plan | Ready | Checked | Burned | Sampled | Spans | Done | Failed | OfPrograms
AnyEvent = Waiting | Listening | Output | Exit | Probed | AllLooked | ClocksRead | Answered | FromRank

Message = TypeVar("Message")
SHOWN = 200  # characters of a message, in an error


class ProtocolError(RunError):
    """A message that names an event and has another shape: whoever waits for that event would wait in vain."""


class _Kind(msgspec.Struct):
    event: str


class _Claim(msgspec.Struct):
    """What any event has, of whatever shape."""

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
    """The message as it travels."""
    return _encoder.encode(message) + b"\n"


def from_line(line: bytes | str, kind: Any) -> Any:
    """The message of that kind, or one of a union's. Raises msgspec.DecodeError for what is none."""
    return msgspec.json.decode(line, type=kind, dec_hook=_decode)


def is_clock(line: bytes) -> bool:
    """Whether a rank's line is for the launcher itself; nothing else of the line is read.

    Raises msgspec.DecodeError for what is no event.
    """
    return bool(msgspec.json.decode(line, type=_Kind).event == CLOCK)


def event_of(line: bytes) -> AnyEvent:
    """A line of the launcher. One that is no object with an `event` is said by what cannot speak: a traceback, a shell.

    Raises ProtocolError for an event that there is not, and for one with other fields.
    """
    try:
        event: AnyEvent = msgspec.json.decode(line, type=AnyEvent)
    except (ValueError, RecursionError) as error:  # of msgspec, or of a line that is no UTF-8
        text = line.decode(errors="replace").rstrip()
        if (sender := _sender(line)) is None:
            return Output("stderr", text)
        raise ProtocolError(f"{sender} sent a message of the wrong shape ({error}): {text:.{SHOWN}}") from error
    return event


def _sender(line: bytes) -> str | None:
    """Who sent an event; None for a line that is none."""
    try:
        claim = msgspec.json.decode(line.decode(), type=_Claim)
    except (ValueError, RecursionError):
        return None
    return f"rank {claim.rank}" if isinstance(claim.rank, int) else "the launcher"
