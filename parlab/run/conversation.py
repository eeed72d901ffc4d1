"""The conversation with the launcher about one launch: words out, events in, in order; each step has a deadline."""

import linecache
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from parlab.backend.session import Session
from parlab.errors import RunError
from parlab.formatting import at_line
from parlab.host.questions import Questions
from parlab.model.advice import sentences
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
from parlab.model.starting import Booted
from parlab.node.traces import last_in, own_lines
from parlab.run.last_words import first_end, last_words, of_the_program
from parlab.run.looking import Found, Looking

Kind = TypeVar("Kind", bound=Event)
KEPT_LINES = 200  # of mpiexec's output, for an error
LOOK_SECONDS = 14.0  # for all hosts to be looked at: 1.5, and longer if a node has little CPU
LONGER = "It was ended. --timeout SECONDS gives a launch longer."
SERIAL = "In it only burn() and wait() take no time: make the rest shorter, or give it more, --timeout SECONDS."
MOST_PLACES = 3  # of a learner's lines that an exception has passed, innermost first
LOOK_UP_SECONDS = 0.5  # between two checks for questions


class Conversation:
    """Waits for the events of a launch, keeps other events that come meanwhile, and explains missing ones.

    `hear` gets every event of a rank as it comes, `say` each line that the lab prints. `diagnose` names a node that is
    to blame, `node_of` a rank's node. `looking` has ranks looked at, after a deadline or when `questions` has one.
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
        starter: str = "mpiexec",
        looking: Looking | None = None,
        questions: Questions | None = None,
    ) -> None:
        self._session, self._what, self._hear, self._say, self._diagnose = session, what, hear, say, diagnose
        self._node_of, self._remedy, self._starter = node_of, remedy, starter
        self._looking, self._questions = looking, questions
        self._come: dict[type[Event], list[Any]] = defaultdict(list)
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._unshown: list[str] | None = []  # standard output until the lab runs: it may be a complaint of Open MPI
        self._over = False  # the case is over: then standard error is about the end of its processes

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
        """The next `count` events of one kind. Raises RunError if they have not come in `seconds`, or cannot come.

        Messages name `asked` instead of `seconds`, if given: the user's limit for all steps together.
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
                    waited = f"{asked or seconds:g} s"
                    late = (
                        f"the serial solution still runs after {waited}"
                        if kind is Plan
                        else f"{progress} after {waited}"
                    )
                    raise self._out_of_time(late, SERIAL if kind is Plan else LONGER) from None
            except EOFError:
                raise self.failed("the launcher on the head is gone") from None
            except ProtocolError as error:
                raise self.failed(f"{progress} when {error}") from error
            if kind is not Exit and (exits := self._come[Exit]):
                end = exits[0]
                raise self.failed(f"{progress} when {self._starter} ended with exit code {end.code}{_hint(end, kind)}")
        return self._come.pop(kind)

    def _answer_questions(self) -> None:
        if self._questions is not None and (reply := self._questions.next()) is not None:
            reply(self._look().in_full or "no rank has started yet")

    def _out_of_time(self, reason: str, cure: str) -> RunError:
        """The error for a step that has not ended; it shows the current activities of its processes."""
        found = Found()
        if self._looking is not None and self._looking.ranks:
            self._looking.release()  # processes that wait for CPU must answer, too
            with suppress(EOFError, ProtocolError):
                found = self._look()
        return self.failed(reason, found, cure)

    def _look(self) -> Found:
        """The current activities of the ranks and their processes. Raises EOFError, ProtocolError, RunError."""
        if self._looking is None or not self._looking.ranks:
            return Found()
        for kind in (Looked, AllLooked):  # late answers to an earlier question
            self._come.pop(kind, None)
        self.send(self._looking.command())
        until = time.monotonic() + LOOK_SECONDS
        with suppress(TimeoutError):
            while not self._come[AllLooked] and not self._come[Exit]:
                self._take(self._session.next_event(until))
        return self._looking.found(self._come.pop(Looked, []), self._come.pop(AllLooked, []))

    def show_output(self) -> None:
        """The lab runs: from here on, all standard output is its own."""
        for text in self._unshown or ():
            self._say(text)
        self._unshown = None

    def failed(self, reason: str, found: Found | None = None, cure: str = LONGER) -> RunError:
        """The error to raise for a launch that cannot go on: the reason, the place, the last lines, and the remedy.

        `found` has its processes' last activities, if it missed its own deadline; `cure` is the remedy for that.
        """
        found = found or Found()
        parts = [f"{self._what}: {reason}."]
        try:
            diagnosis = self._diagnose()
        except ProtocolError as error:  # while the first error is being reported
            diagnosis = str(error)
        if diagnosis:
            parts.append(diagnosis)
        if end := first_end(self._last_lines):
            parts.insert(1, f"{self._where(end.rank)} ended {end.how}.")
        if found.said:
            parts.append(found.said)
        words = "\n  ".join(last_words(self._last_lines))
        words = f"The last lines of its output:\n  {words}" if words else ""
        if words and not found.stacks:
            parts.append(words)
        parts.append(cure if found.said and not diagnosis else self._remedy)
        details = "\n".join(filter(None, (found.stacks, words))) if found.stacks else ""
        return RunError("\n".join(filter(None, (found.line or self._last_line(), *parts))), details)

    def _last_line(self) -> str:
        """The learner's line of the traceback at the end of the output, e.g. of a fatal signal; '' if there is none."""
        text = "\n".join(of_the_program(self._last_lines))
        own = own_lines(last_in(text), Path(self._session.folder))
        if not own:
            return ""
        source = own[0].text or linecache.getline(f"{self._session.folder}/{own[0].file}", own[0].line).strip()
        return at_line(own[0].file, own[0].line, source)

    def _raised(self, event: Failed) -> RunError:
        """The error for an exception of a rank's own code; it begins with the line that raised."""
        places = [at_line(at.file, at.line, at.text) for at in event.own]
        error, *_ = event.error.splitlines() or [""]
        if not event.stage:
            said, cure = error, event.advice
        else:
            said = f"{self._what}: {event.stage} raised {error} ({self._where(event.rank)})"
            cure = event.advice or "Correct it"
            if not event.advice and event.stage == "the case":
                cure += f", or declare that the case is to raise it: outcome={_kind(error)}"
        through = [f"called at {place}" for place in places[1:MOST_PLACES]]
        return RunError("\n".join([*places[:1], said, *through, sentences(cure)]), event.trace.rstrip())

    def _where(self, rank: int) -> str:
        return f"rank {rank}" + (f" on {node}" if (node := self._node_of(rank)) else "")

    def _take(self, event: AnyEvent) -> None:
        if isinstance(event, Output):
            self._take_output(event)
            return
        if isinstance(event, Failed):
            raise self._raised(event)
        self._hear(event)
        if not isinstance(event, Spans | Sampled):  # nobody waits for these, and there are many
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


def _kind(error: str) -> str:
    """The name of an exception's class, from Python's message."""
    return error.partition(":")[0].rpartition(".")[2]


def _hint(event: Exit, awaited: type[Event]) -> str:
    """A hint about the lab, from the way in which mpiexec ended; '' if there is none."""
    if event.code > 128 and awaited not in (Hello, Booted):  # before them, no line of the lab has run
        return f": signal {event.code - 128}. If the lab's own code ended its process, look there first"
    silent = event.code == 0 and awaited is Plan
    return ": does the lab end with a main guard and `lab.main()`?" if silent else ""
