"""An engine that stops answering: a socket in front of the real one, which lets only some requests through."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docker.context import ContextAPI


def real_socket() -> Path:
    """The socket of these tests' engine."""
    host = os.environ.get("DOCKER_HOST") or ContextAPI.get_current_context().Host
    return Path(host.removeprefix("unix://"))


class Engine:
    """Passes requests on; one whose first line, e.g. `POST /v1.44/containers/x/update`, matches `hang` waits.

    If a request matches `stall`, its answer stops after the head. `hung` is set when the first request waits. Every
    request has its own connection, so each is seen.
    """

    def __init__(self, folder: Path) -> None:
        self.socket, self.hung = folder / "engine.sock", threading.Event()
        self.hang = self.stall = "(?!)"
        self._over = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """The socket as a value of DOCKER_HOST."""
        return f"unix://{self.socket}"

    def close(self) -> None:
        """End every connection."""
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.socket(socket.AF_UNIX) as engine:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(65536)
                if not piece:
                    return
                head += piece
            first, _, rest = head.partition(b"\r\n")
            if re.search(self.hang, first.decode()):
                self.hung.set()
                self._over.wait()
                return
            engine.connect(str(real_socket()))
            upgrades = b"upgrade:" in rest.lower()
            engine.sendall(first + b"\r\n" + (b"" if upgrades else b"Connection: close\r\n") + rest)
            if re.search(self.stall, first.decode()):
                client.sendall(engine.recv(65536).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
                self.hung.set()
                self._over.wait()
                return
            back = threading.Thread(target=_pump, args=(engine, client), daemon=True)
            back.start()
            _pump(client, engine)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def hanging_engine(folder: Path) -> Iterator[Engine]:
    """Such an engine for the duration of the block."""
    engine = Engine(folder)
    try:
        yield engine
    finally:
        engine.close()
