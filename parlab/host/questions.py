"""Questions about a run's state: by SIGQUIT (Ctrl-\\) from its terminal, or by `why` from another, over a socket.

The socket is in the folder of this user's locks, and only this user can use it. A run answers when it has time.
"""

import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from parlab.host.places import STATE

ANSWER_SECONDS = 15.0  # to wait for an answer: looking at all ranks takes up to 4 s
ENDING = ".socket"
Reply = Callable[[str], None]


class Questions:
    """The questions without an answer yet; each is a function that takes the answer."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Reply] = queue.SimpleQueue()  # a signal handler may put into this kind

    def put(self, reply: Reply) -> None:
        """Add a question; the function takes its answer."""
        self._waiting.put(reply)

    def next(self) -> Reply | None:
        """The next question; None if there is none."""
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None


def _folder() -> Path:
    return STATE / "runs"


@contextmanager
def heard(cluster: str, tell: Reply) -> Iterator[Questions]:
    """Within the block, questions are received; `tell` takes answers to those from this run's own terminal.

    If no socket can be made, e.g. in a home that is not writable, only that terminal can ask.
    """
    questions = Questions()
    path = _folder() / f"{cluster}-{os.getpid()}{ENDING}"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # of an earlier process with this number
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with suppress(OSError):
            with _short(path) as address:
                listener.bind(address)
            path.chmod(0o600)
            listener.listen()
            threading.Thread(target=_listen, args=(listener, questions), daemon=True).start()
        before = signal.signal(signal.SIGQUIT, lambda _number, _frame: questions.put(tell))
        try:
            yield questions
        finally:
            signal.signal(signal.SIGQUIT, before)
            with suppress(OSError):
                path.unlink(missing_ok=True)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for a socket's file: the kernel takes some hundred bytes, but a folder may be deep. Raises OSError."""
    if not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _listen(listener: socket.socket, questions: Questions) -> None:
    with suppress(OSError):  # closed, at the end of the run
        while True:
            asker, _ = listener.accept()
            questions.put(partial(_answer, asker))


def _answer(asker: socket.socket, text: str) -> None:
    with asker, suppress(OSError):  # the asker has gone
        asker.settimeout(1.0)
        asker.sendall(text.encode())


def ask(cluster: str) -> dict[int, str]:
    """Ask every run on the cluster of that name; answers by process id; '' means no answer in time."""
    found = {}
    for path in sorted(_folder().glob(f"{cluster}-*{ENDING}")):
        number = path.name.removeprefix(f"{cluster}-").removesuffix(ENDING)
        if number.isdecimal() and (answer := _ask(path)) is not None:
            found[int(number)] = answer
    return found


def _ask(path: Path) -> str | None:
    """A run's answer; None if the run has ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(ANSWER_SECONDS)
        try:
            with _short(path) as address:
                asking.connect(address)
        except OSError:
            path.unlink(missing_ok=True)
            return None
        pieces = []
        with suppress(OSError):
            while piece := asking.recv(1 << 16):
                pieces.append(piece)
        return b"".join(pieces).decode(errors="replace")
