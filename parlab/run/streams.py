"""A program's standard streams: output of its ranks goes out line by line, unmixed; typed input goes to rank 0."""

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

LOOK_SECONDS = 0.1
MOST_PENDING = 32 << 20  # bytes that wait to be written: with more, the sender waits
MOST_OF_A_LINE = 32 << 20  # bytes of one line that are kept until it ends: a longer line is shown in parts
PIECE = 1 << 16  # bytes of standard input at once
WINDOW = 1 << 20  # bytes of standard input that rank 0 has not taken yet
NO_RANK = -1  # a process without a number of its own
OUT = {"stdout": 1, "stderr": 2}
RESTORED = b"\x1b[0m\x1b[?25h"  # no colour, and a visible cursor


@dataclass
class _Line:
    """A rank's line: the part not shown yet, whether it pauses there, and whether an earlier part is shown.

    A `redrawn` line has begun at a carriage return, e.g. a progress bar.
    """

    rest: bytearray = field(default_factory=bytearray)
    paused: bool = False
    begun: bool = False
    redrawn: bool = False


@dataclass
class _Stream:
    """One of the two streams: its descriptor, whether it is a terminal, and the unfinished line of each rank."""

    fd: int
    is_terminal: bool
    lines: dict[int, _Line] = field(default_factory=dict)
    escapes: bool = False  # it may have another colour now, or no cursor


class Output:
    """Writes in a thread of its own: the reader may be slow, and deadlines are kept meanwhile.

    A line ends with a newline or a carriage return. A line that pauses, such as a prompt, is shown as it is, unless
    another rank is in the middle of a line: of the same stream, or on the same screen if both are terminals. If there
    is only one rank, everything passes as it comes.
    """

    def __init__(self, tag: Callable[[int], bytes] | None, *, alone: bool) -> None:
        self._tag, self._alone = tag, alone
        self.until = float("inf")  # monotonic seconds: until then, a fast sender waits; later, output may be lost
        self._streams = {name: _Stream(fd, is_terminal(fd)) for name, fd in OUT.items()}
        self._pieces: list[tuple[int, bytes]] = []
        self._pending, self._over = 0, False
        self._moved = time.monotonic()  # the time of the last write
        self._lock = threading.Condition()
        self.closed = False  # nobody takes the output any more
        self.failure = ""  # the reason, unless the reader has closed it
        self.lost = 0  # bytes
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def take(self, rank: int, name: str, data: bytes) -> None:
        """Take a rank's output."""
        stream = self._streams[name]
        with self._lock:
            while self._pending > MOST_PENDING and not self.closed:
                if (left := self.until - time.monotonic()) <= 0:
                    self.lost += len(data)
                    return
                self._lock.wait(min(1.0, left))
            stream.escapes = stream.escapes or (stream.is_terminal and b"\x1b" in data)
            if self._alone and self._tag is None:
                self._put(stream.fd, data)
            else:
                self._split(stream, rank, data)
            self._lock.notify_all()

    def pause(self, rank: int, name: str) -> None:
        """Note that a rank has not continued its line for a while."""
        stream = self._streams[name]
        with self._lock:
            if (line := stream.lines.get(rank)) is not None:
                line.paused = True
                self._show_paused(stream)
                self._lock.notify_all()

    def _split(self, stream: _Stream, rank: int, data: bytes) -> None:
        line = stream.lines.setdefault(rank, _Line())
        end = 1 + max(data.rfind(b"\n"), data.rfind(b"\r"))
        if end:
            redraws = line.redrawn if line.rest or line.begun else data.startswith(b"\r")
            self._end_line_of_others(stream, rank, redraws=redraws)
            self._show(stream, rank, line, data[:end])
            line.paused, line.begun, line.redrawn = False, False, data[end - 1 : end] == b"\r"
        if data[end:]:
            line.rest += data[end:]
            line.paused = False
        if len(line.rest) > MOST_OF_A_LINE:
            self._end_line_of_others(stream, rank)
            self._show(stream, rank, line)
            line.begun = True
        self._show_paused(stream)

    def _show(self, stream: _Stream, rank: int, line: _Line, end: bytes = b"") -> None:
        """Show the part of a line that is not shown yet, and its new part `end`."""
        self._put(stream.fd, self._tagged(rank, bytes(line.rest) + end, begun=line.begun))
        line.rest = bytearray()

    def _beside(self, stream: _Stream) -> list[_Stream]:
        """The streams that share their place with this one, including itself."""
        return [one for one in self._streams.values() if one is stream or (one.is_terminal and stream.is_terminal)]

    def _end_line_of_others(self, stream: _Stream, rank: int, *, redraws: bool = False) -> None:
        """If the start of another rank's line is shown, end that line: its continuation starts a new line.

        Progress bars are drawn one over the other, as usual.
        """
        for one in self._beside(stream):
            for other, line in one.lines.items():
                if other != rank and line.begun:
                    self._put(one.fd, b"\r" if redraws and line.redrawn else b"\n")
                    line.begun = False

    def _tagged(self, rank: int, lines: bytes, *, begun: bool) -> bytes:
        if self._tag is None:
            return lines
        tag = self._tag(rank)
        return b"".join(
            (b"" if line == b"\r" or (begun and number == 0) else tag) + line
            for number, line in enumerate(lines.splitlines(keepends=True))
        )

    def _put(self, fd: int, data: bytes) -> None:
        self._pieces.append((fd, data))
        self._pending += len(data)

    def _show_paused(self, stream: _Stream) -> None:
        """Show the starts of paused lines, unless another rank is in the middle of a line."""
        beside = self._beside(stream)
        in_the_middle = {rank for one in beside for rank, line in one.lines.items() if line.begun}
        for one in beside:
            for rank, line in one.lines.items():
                if line.rest and line.paused and in_the_middle <= {rank}:
                    self._show(one, rank, line)
                    line.begun = True
                    in_the_middle = {rank}

    def _write(self) -> None:
        while True:
            with self._lock:
                while not self._pieces and not self._over:
                    self._lock.wait()
                pieces, self._pieces = self._pieces, []
                if not pieces and self._over:
                    return
            for fd, data in pieces:
                self._write_all(fd, data)
                with self._lock:
                    self._pending -= len(data)
                    self._lock.notify_all()

    def _write_all(self, fd: int, data: bytes) -> None:
        if not _was_given(fd):
            return
        while data and not self.closed:
            try:
                data = data[os.write(fd, data) :]
                self._moved = time.monotonic()
            except BlockingIOError:  # a pipe that another user has made non-blocking
                select.select([], [fd], [], LOOK_SECONDS)
            except BrokenPipeError:  # e.g. by `| head`
                self.closed = True
            except OSError as error:
                self.failure, self.closed = f"{self._name(fd)} cannot be written: {error.strerror}", True

    def _name(self, fd: int) -> str:
        return next(name for name, stream in self._streams.items() if stream.fd == fd)

    def finish(self, seconds: float, *, restore: bool = False) -> bool:
        """Write everything, while the reader takes something every `seconds`; return whether everything was written.

        `restore` is for a program that was ended: it may have left a terminal in some colour, or without a cursor.
        """
        with self._lock:
            for stream in self._streams.values():
                for rank, line in stream.lines.items():
                    if line.rest:
                        self._show(stream, rank, line)
                stream.lines.clear()
                if restore and stream.escapes:
                    self._put(stream.fd, RESTORED)
            self._over = True
            self._lock.notify_all()
            self._moved = time.monotonic()
        while self._thread.is_alive() and time.monotonic() < self._moved + seconds:
            self._thread.join(LOOK_SECONDS)
        with self._lock:
            self.lost += self._pending if self._thread.is_alive() else 0
        return self.lost == 0


class Input:
    """Sends standard input to rank 0, at the pace at which rank 0 takes it, in a thread of its own."""

    def __init__(self, feed: Callable[[bytes], None]) -> None:
        self._feed = feed
        self._room, self._come = WINDOW, threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def took(self, count: int) -> None:
        """Note that rank 0 has taken `count` bytes."""
        with self._come:
            self._room += count
            self._come.notify()

    def _read(self) -> None:
        if not _was_given(0):
            self._feed(b"")
            return
        with suppress(OSError):  # standard input is closed, or a folder: there is no input
            while _is_ours() and (data := os.read(0, PIECE)):
                with self._come:
                    self._room -= len(data)
                    self._feed(data)
                    while self._room < PIECE:
                        self._come.wait()
        self._feed(b"")


def is_terminal(fd: int) -> bool:
    """Whether a stream of ours is a terminal."""
    return _was_given(fd) and os.isatty(fd)


def _was_given(fd: int) -> bool:
    """Whether a stream was open when we were started: otherwise its number may belong to another file by now."""
    return {0: sys.__stdin__, 1: sys.__stdout__, 2: sys.__stderr__}.get(fd, sys) is not None


def _is_ours() -> bool:
    """Whether standard input can be read: a program in the background of its terminal would be stopped if it did."""
    return not os.isatty(0) or os.tcgetpgrp(0) == os.getpgrp()
