"""A conversation with a launcher (parlab/node/launcher.py), in any place. Every read has a deadline."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from parlab.errors import RunError
from parlab.formatting import Show, at_most
from parlab.host.places import shown
from parlab.model.messages import (
    Answered,
    AnyCommand,
    AnyEvent,
    Failed,
    Listening,
    Output,
    Probe,
    Probed,
    ProtocolError,
    Waiting,
    event_of,
    to_line,
)
from parlab.model.node import HEAD, node_name

OPEN_SECONDS = 20
HELD_SECONDS = 120
PROBE_SECONDS = 15
MOST_EVENTS = 500  # that wait to be taken: a sender of more waits, and so do the ranks behind it


class Transport(Protocol):
    """Bytes to and from a launcher; `hang_up` ends it and everything it started."""

    def write(self, data: bytes) -> None: ...

    def lines(self) -> Iterator[bytes]: ...

    def hang_up(self, deadline: float) -> None: ...


class Session:
    """Commands out, events in; `labs` is the lab's folder as the ranks see it, a copy of the user's `folder`.

    Messages about a file there name the user's file instead: that is the file to open and correct.
    """

    def __init__(self, transport: Transport, labs: str, folder: Path | None = None) -> None:
        self._transport, self.labs = transport, labs
        # Bytes of a folder's name that are not UTF-8 are escaped.
        self._folder = None if folder is None else shown(folder).encode(errors="backslashreplace").decode()
        self.folder = self._folder or labs  # the folder's name in messages
        self.boot = ""  # boot id of the launcher's kernel, once the launcher listens
        self._events: queue.Queue[AnyEvent | ProtocolError | None] = queue.Queue(MOST_EVENTS)
        self._garbled = self._over = self._closing = False
        self._sending = threading.Lock()  # standard input comes from another thread
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            with suppress(OSError, ValueError):  # we hung up while it read: the socket, or the file, is closed
                for line in self._transport.lines():
                    self._hear(line)
        finally:  # however this thread ended, nobody must wait for it
            self._put(None)

    def _hear(self, line: bytes) -> None:
        try:
            self._put(self._in_own_words(event_of(line)))
        except ProtocolError as error:  # ends the launch; one of them is enough
            if not self._garbled:
                self._put(error)
            self._garbled = True

    def _put(self, event: AnyEvent | ProtocolError | None) -> None:
        """Queue an event. After `close` nobody takes events, and the launcher must not wait for that."""
        while not self._closing:
            try:
                self._events.put(event, timeout=0.1)
            except queue.Full:
                continue
            return

    def _in_own_words(self, event: AnyEvent) -> AnyEvent:
        """The event with the user's own folder in texts for the user; data for parlab stays unchanged."""
        match event:
            case Output():
                return replace(event, text=self._own(event.text))
            case Failed():
                return replace(event, error=self._own(event.error), trace=self._own(event.trace))
            case Answered():
                return replace(event, said=list(map(self._own, event.said)), stack=self._own(event.stack))
        return event

    def _own(self, text: str) -> str:
        return text if self._folder is None else text.replace(f"{self.labs}/", f"{self._folder}/")

    def await_launcher(self, show: Show, held_seconds: float = HELD_SECONDS) -> None:
        """Wait until the launcher listens; tell the user if another client holds the cluster.

        Raises RunError when it does not start in OPEN_SECONDS, when it does not get the cluster in `held_seconds`,
        when it dies, or when its messages cannot be understood.
        """
        until, why, said = time.monotonic() + OPEN_SECONDS, f"it did not start in {OPEN_SECONDS} s", ""
        try:
            while not isinstance(event := self.next_event(until), Listening):
                if isinstance(event, Waiting):
                    show(f"another user or machine is running on this cluster: waiting up to {at_most(held_seconds)}")
                    until = time.monotonic() + held_seconds
                    why = "the cluster is still in use; --cluster NAME gives another"
                if isinstance(event, Output):
                    said = event.text
            self.boot = event.boot
        except TimeoutError:
            raise RunError(f"no launcher on the head: {why}") from None
        except EOFError:
            raise RunError(f"no launcher on the head: {said or 'it ended without output'}") from None
        except ProtocolError as error:
            raise RunError(f"no launcher on the head: {error}") from error

    def send(self, command: AnyCommand) -> None:
        """Send a command. The next read, not this call, notices that a launcher is gone."""
        try:
            with self._sending:
                self._transport.write(to_line(command))
        except OSError:
            with suppress(queue.Full):  # if full, the reads end by themselves
                self._events.put_nowait(None)

    def next_event(self, until: float) -> AnyEvent:
        """The next event; raises TimeoutError at `until` (monotonic seconds), EOFError when the launcher is gone.

        Raises ProtocolError, once, for a message of the wrong shape.
        """
        if self._over:
            raise EOFError
        try:
            event = self._events.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None
        if event is None:
            self._over = True
            raise EOFError
        if isinstance(event, ProtocolError):
            raise event
        return event

    def probe(self, nodes: list[str], argv: list[str]) -> dict[str, str]:
        """Each node's wrong answer to a command over ssh from the head, '' for a right one; waits PROBE_SECONDS."""
        self.send(Probe(nodes, argv))
        until = time.monotonic() + PROBE_SECONDS
        try:
            while not isinstance(event := self.next_event(until), Probed):
                pass
        except (TimeoutError, EOFError):
            return {node_name(HEAD): "does not answer"}
        return event.complaints

    def close(self, deadline: float = 10.0) -> None:
        """Hang up, which ends the launcher and its ranks, and wait up to `deadline` seconds for their end."""
        self._closing = True
        self._transport.hang_up(deadline)
