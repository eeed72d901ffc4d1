"""The conversation with the supervisors of a program's ranks: words out, events in, output and input passed on."""

import time
from collections import defaultdict
from contextlib import suppress
from typing import Any, TypeVar

from parlab.backend.base import Backend
from parlab.backend.session import Session
from parlab.errors import RunError
from parlab.model.case import Case
from parlab.model.event import Event
from parlab.model.job_events import Ended, Logged, Paused, Took, Wrote
from parlab.model.messages import AnyCommand, AnyEvent, Exit, Feed, Output, ProtocolError, Sampled, Say
from parlab.model.spec import Spec
from parlab.run import streams
from parlab.run.collector import Collector
from parlab.run.last_words import NOTICES
from parlab.run.observer import Observer

Kind = TypeVar("Kind", bound=Event)
KEPT_LINES = 12  # of mpiexec's own, for an error


class JobTalk:
    """Takes events as they come: writes the ranks' output, keeps the ranks' ends, and keeps events that are awaited."""

    def __init__(self, backend: Backend, session: Session, spec: Spec, case: Case, observer: Observer) -> None:
        self._backend, self._session, self._spec, self._case = backend, session, spec, case
        self.ranks = case.ranks(spec.virtual_cores)
        self.starter = backend.placement(spec.nodes).starter
        self.collected = Collector(backend, spec, case, observer)
        self.ended: dict[int, Ended] = {}  # by rank
        self.logs: dict[int, bytes] = defaultdict(bytes)  # of tasks, by rank
        self.exit: int | None = None  # of mpiexec
        self._come: dict[type[Event], list[Any]] = defaultdict(list)
        self._mpiexec: list[str] = []  # its messages
        self._input: streams.Input | None = None
        self.output: streams.Output | None = None  # None: there is no output yet

    def node(self, rank: int) -> str:
        """The node of a rank; '' before it has said hello."""
        return self.collected.node_of.get(rank, "")

    def listen(self) -> None:
        """Pass on standard input from here on."""
        self._input = streams.Input(lambda data: self.send(Feed(data)))

    def send(self, command: AnyCommand) -> None:
        """Send the launcher a command."""
        self._session.send(command)

    def say(self, word: str) -> None:
        """Pass a word on to every rank's supervisor."""
        self.send(Say(word))

    def gather(self, kind: type[Kind], count: int, seconds: float, doing: str) -> list[Kind]:
        """The next `count` events of one kind. Raises RunError if they have not come in `seconds`."""
        found = self.gather_or_go_on(kind, count, seconds)
        if len(found) < count:
            over = f"when {self.starter} had ended" if self.exit is not None else f"after {seconds:g} s"
            raise self.failed(f"{doing}: {len(found)} of {count} done {over}")
        return found

    def gather_or_go_on(self, kind: type[Kind], count: int, seconds: float) -> list[Kind]:
        """Like `gather`, but returns the events that have come by then."""
        until = time.monotonic() + seconds
        while len(self._come[kind]) < count and self.exit is None:
            if self.next_event(until) is None:
                break
        return self._come.pop(kind, [])

    def forget(self, kind: type[Kind]) -> None:
        """Drop the events of one kind that have come but have not been gathered."""
        self._come.pop(kind, None)

    def await_ends(self, seconds: float) -> None:
        """Wait until all ranks have ended, or the time is over."""
        until = time.monotonic() + seconds
        while len(self.ended) < self.ranks and self.next_event(until) is not None:
            pass

    def next_event(self, until: float) -> AnyEvent | None:
        """Take the next event; None if there is none by then. Raises RunError if the launcher is gone."""
        try:
            event = self._session.next_event(until)
        except TimeoutError:
            return None
        except EOFError:
            raise self.failed("the launcher on the head is gone") from None
        match event:
            case Wrote(rank, stream, data):
                self._pass_on(rank, stream, data)
            case Paused(rank, stream):
                if self.output is not None:
                    self.output.pause(rank, stream)
            case Took(_, count):
                if self._input is not None:
                    self._input.took(count)
            case Logged(rank, data):
                self.logs[rank] += data
            case Ended():
                self.ended[event.rank] = event
            case Output():
                self._hear_mpiexec(event)
            case Exit(code):
                self.exit = code
            case _:
                self.collected.hear(event)
                if not isinstance(event, Sampled):
                    self._come[type(event)].append(event)
        return event

    def failed(self, reason: str) -> RunError:
        """The error to raise for a run that cannot go on because of parlab or the cluster."""
        parts = [f"{self._case.name}: {reason}."]
        with suppress(ProtocolError):
            parts.append(self.collected.queued or self._backend.diagnosis(self._session, self._spec))
        if said := [line for line in self._mpiexec if line.strip()]:
            parts.append(f"The last lines of {self.starter}:\n  " + "\n  ".join(said[-KEPT_LINES:]))
        return RunError("\n".join(filter(None, (*parts, self._backend.remedy()))))

    def _pass_on(self, rank: int, stream: str, data: bytes) -> None:
        if self.output is not None:
            self.output.take(rank, stream, data)

    def _hear_mpiexec(self, event: Output) -> None:
        """Output of ranks that a program spawns comes through mpiexec, which writes its own messages to stderr."""
        if event.stream == "stdout":
            self._pass_on(streams.NO_RANK, event.stream, event.text.encode(errors="replace") + b"\n")
        else:
            lines = [line for line in event.text.splitlines() if not NOTICES.search(line)]
            self._mpiexec = [*self._mpiexec, *lines][-10 * KEPT_LINES :]
