"""What is a run at? Asked from its own terminal by SIGQUIT (Ctrl-\\), or from another by `why`, over a socket.

The socket lies in the folder of this user's locks, and nobody else may use it. A run answers when it has time to.
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

ANSWER_SECONDS = 15.0  # to wait for an answer: looking at all ranks takes up to 4
ENDING = ".socket"
Reply = Callable[[str], None]


class Questions:
    """Those that wait for an answer; each is a function to give it to."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Reply] = queue.SimpleQueue()  # which a signal's handler may put into

    def put(self, reply: Reply) -> None:
        """Have a question answered by that function."""
        self._waiting.put(reply)

    def next(self) -> Reply | None:
        """The next that waits; None where there is none."""
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None


def _folder() -> Path:
    return STATE / "runs"


@contextmanager
def heard(cluster: str, tell: Reply) -> Iterator[Questions]:
    """Within the block, questions are heard; `tell` answers those from this run's own terminal.

    Where there is no place for a socket, as in a home that cannot be written to, they are heard from there alone.
    """
    questions = Questions()
    path = _folder() / f"{cluster}-{os.getpid()}{ENDING}"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # of a process that had this number before
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
    """A name for a socket's file: the kernel takes some hundred bytes, and a folder may be deep. Raises OSError."""
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
    with asker, suppress(OSError):  # whoever asked has gone
        asker.settimeout(1.0)
        asker.sendall(text.encode())


def ask(cluster: str) -> dict[int, str]:
    """Ask every run of that name of a cluster, by its process; '' is no answer in time."""
    found = {}
    for path in sorted(_folder().glob(f"{cluster}-*{ENDING}")):
        number = path.name.removeprefix(f"{cluster}-").removesuffix(ENDING)
        if number.isdecimal() and (answer := _ask(path)) is not None:
            found[int(number)] = answer
    return found


def _ask(path: Path) -> str | None:
    """What a run says; None of one that is there no more."""
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
