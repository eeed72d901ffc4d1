"""The conversation with the launcher about one launch: words out, events in, in order, each step with its deadline."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from parlab.backend.session import Session
from parlab.errors import RunError
from parlab.host.questions import Questions
from parlab.model.event import Event
from parlab.model.job_events import Looked
from parlab.model.messages import (
    END,
    AllLooked,
    AnyCommand,
    AnyEvent,
    Exit,
    Failed,
    Hello,
    Output,
    Plan,
    ProtocolError,
    Sampled,
    Say,
    Spans,
)
from parlab.run.last_words import first_end, last_words
from parlab.run.looking import Looking

Kind = TypeVar("Kind", bound=Event)
KEPT_LINES = 200  # of mpiexec's output, for an error
LOOK_SECONDS = 14.0  # for all hosts to be looked at: 1.5, and longer where a node has little CPU
LOOK_UP_SECONDS = 0.5  # from one time to the next, to see whether somebody asks


class Conversation:
    """Waits for the events of a launch, keeps those that come meanwhile, and explains what did not come.

    `hear` gets every event of a rank as it comes, `say` what the lab prints; `diagnose` names a node that is to
    blame, `node_of` that of a rank. `looking` has ranks looked at, past a deadline or where `questions` asks.
    """

    def __init__(
        self,
        session: Session,
        what: str,
        hear: Callable[[AnyEvent], None],
        say: Callable[[str], None],
        diagnose: Callable[[], str],
        node_of: Callable[[int], str | None],
        remedy: str,
        looking: Looking | None = None,
        questions: Questions | None = None,
    ) -> None:
        self._session, self._what, self._hear, self._say, self._diagnose = session, what, hear, say, diagnose
        self._node_of, self._remedy = node_of, remedy
        self._looking, self._questions = looking, questions
        self._come: dict[type[Event], list[Any]] = defaultdict(list)
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._unshown: list[str] | None = []  # standard output until the lab runs: it may be Open MPI complaining
        self._over = False  # the case: what is said on standard error then is about its processes' end

    def send(self, command: AnyCommand) -> None:
        """Send the launcher a command."""
        self._session.send(command)

    def say(self, word: str) -> None:
        """Pass a word on to every rank."""
        self._over = self._over or word == END
        self.send(Say(word))

    def gather(
        self, kind: type[Kind], count: int, seconds: float, doing: str, asked: float | None = None
    ) -> list[Kind]:
        """The next `count` events of one kind. Raises RunError when they have not come in `seconds`, or cannot come.

        `asked` is told in their place: what the user gave all steps together.
        """
        until, found = time.monotonic() + seconds, self._come[kind]
        while len(found) < count:
            progress = f"{doing}: {len(found)} of {count} done"
            try:
                self._answer_questions()
                pause = until if self._questions is None else min(until, time.monotonic() + LOOK_UP_SECONDS)
                self._take(self._session.next_event(pause))
            except TimeoutError:
                if time.monotonic() >= until:
                    raise self._out_of_time(f"{progress} after {asked or seconds:g} s") from None
            except EOFError:
                raise self.failed("the launcher on the head is gone") from None
            except ProtocolError as error:
                raise self.failed(f"{progress} when {error}") from error
            if kind is not Exit and (exits := self._come[Exit]):
                end = exits[0]
                raise self.failed(f"{progress} when mpiexec ended with exit code {end.code}{_hint(end, kind)}")
        return self._come.pop(kind)

    def _answer_questions(self) -> None:
        if self._questions is not None and (reply := self._questions.next()) is not None:
            reply(self._look())

    def _out_of_time(self, reason: str) -> RunError:
        """The error for a step that has not ended: with what its processes are at."""
        at = ""
        if self._looking is not None and self._looking.ranks:
            self._looking.release()  # who waits for CPU shall answer, too
            with suppress(EOFError, ProtocolError):
                at = self._look()
        return self.failed(reason, at)

    def _look(self) -> str:
        """What the ranks and their processes are at, in words. Raises EOFError, ProtocolError, RunError."""
        if self._looking is None or not self._looking.ranks:
            return "no rank has started yet"
        for kind in (Looked, AllLooked):  # late answers to an earlier question
            self._come.pop(kind, None)
        self.send(self._looking.command())
        until = time.monotonic() + LOOK_SECONDS
        with suppress(TimeoutError):
            while not self._come[AllLooked] and not self._come[Exit]:
                self._take(self._session.next_event(until))
        return self._looking.in_words(self._come.pop(Looked, []), self._come.pop(AllLooked, []))

    def show_output(self) -> None:
        """The lab runs: from here on, what comes on standard output is its own."""
        for text in self._unshown or ():
            self._say(text)
        self._unshown = None

    def failed(self, reason: str, at: str = "") -> RunError:
        """The error to raise for a launch that cannot go on: what, where, the last lines, and what to do.

        `at` is what its processes were at, where it was its own deadline that it did not keep.
        """
        parts = [f"{self._what}: {reason}."]
        try:
            diagnosis = self._diagnose()
        except ProtocolError as error:  # while the first error is being told
            diagnosis = str(error)
        if diagnosis:
            parts.append(diagnosis)
        if end := first_end(self._last_lines):
            parts.insert(1, f"{self._where(end.rank)} ended {end.how}.")
        if at:
            parts.append(at)
        if words := last_words(self._last_lines):
            parts.append("The last lines of its output:\n  " + "\n  ".join(words))
        parts.append("It was ended. --timeout SECONDS gives a launch longer." if at and not diagnosis else self._remedy)
        return RunError("\n".join(parts))

    def _where(self, rank: int) -> str:
        return f"rank {rank}" + (f" on {node}" if (node := self._node_of(rank)) else "")

    def _take(self, event: AnyEvent) -> None:
        if isinstance(event, Output):
            self._take_output(event)
            return
        if isinstance(event, Failed):
            said = f"{event.stage} raised {event.error} ({self._where(event.rank)})"
            raise RunError(f"{self._what}: {said}\n{event.trace.rstrip()}")
        self._hear(event)
        if not isinstance(event, Spans | Sampled):  # nobody waits for these, and they are many
            self._come[type(event)].append(event)

    def _take_output(self, event: Output) -> None:
        for text in event.text.split("\n"):
            self._take_line(event.stream, text)

    def _take_line(self, stream: str, text: str) -> None:
        self._last_lines.append(text)
        if self._unshown is None and not (self._over and stream == "stderr"):
            self._say(text)
        elif self._unshown is not None and stream == "stdout":
            self._unshown.append(text)


def _hint(event: Exit, awaited: type[Event]) -> str:
    """What the way in which mpiexec ended says of the lab."""
    if event.code > 128 and awaited is not Hello:
        return f": signal {event.code - 128}. If the lab's own code ended its process, look there first"
    silent = event.code == 0 and awaited is Plan
    return ": does the lab end with a main guard and `lab.main()`?" if silent else ""
