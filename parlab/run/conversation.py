"""The conversation with the launcher about one launch: words out, events in, in order, each step with its deadline."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, TypeVar

from parlab.backend.session import Session
from parlab.errors import RunError
from parlab.model.event import Event
from parlab.model.messages import (
    END,
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

Kind = TypeVar("Kind", bound=Event)
KEPT_LINES = 200  # of mpiexec's output, for an error


class Conversation:
    """Waits for the events of a launch, keeps those that come meanwhile, and explains what did not come.

    `hear` gets every event of a rank as it comes, `say` what the lab prints; `diagnose` names a node that is to
    blame, `node_of` that of a rank.
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
    ) -> None:
        self._session, self._what, self._hear, self._say, self._diagnose = session, what, hear, say, diagnose
        self._node_of, self._remedy = node_of, remedy
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

    def gather(self, kind: type[Kind], count: int, seconds: float, doing: str) -> list[Kind]:
        """The next `count` events of one kind. Raises RunError when they have not come in `seconds`, or cannot come."""
        until, found = time.monotonic() + seconds, self._come[kind]
        while len(found) < count:
            progress = f"{doing}: {len(found)} of {count} done"
            try:
                event = self._session.next_event(until)
            except TimeoutError:
                raise self.failed(f"{progress} after {seconds:g} s") from None
            except EOFError:
                raise self.failed("the launcher on the head is gone") from None
            except ProtocolError as error:
                raise self.failed(f"{progress} when {error}") from error
            if isinstance(event, Exit) and kind is not Exit:
                raise self.failed(f"{progress} when mpiexec ended with exit code {event.code}{_hint(event, kind)}")
            self._take(event)
        return self._come.pop(kind)

    def show_output(self) -> None:
        """The lab runs: from here on, what comes on standard output is its own."""
        for text in self._unshown or ():
            self._say(text)
        self._unshown = None

    def failed(self, reason: str) -> RunError:
        """The error to raise for a launch that cannot go on: what, where, the last lines, and what to do."""
        parts = [f"{self._what}: {reason}."]
        try:
            diagnosis = self._diagnose()
        except ProtocolError as error:  # while the first error is being told
            diagnosis = str(error)
        if diagnosis:
            parts.append(diagnosis)
        if end := first_end(self._last_lines):
            parts.insert(1, f"{self._where(end.rank)} ended {end.how}.")
        if words := last_words(self._last_lines):
            parts.append("The last lines of its output:\n  " + "\n  ".join(words))
        parts.append(self._remedy)
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
