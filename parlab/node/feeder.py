"""A rank's standard input: text typed on the host, at the pace at which the rank takes it."""

import queue
import threading
from contextlib import suppress
from typing import IO

from parlab.model.job_events import Took
from parlab.node.control import Control


class Feeder:
    """Writes data to a rank's standard input, in a thread: a rank may read late, or never."""

    def __init__(self, line: Control, pipe: IO[bytes] | None) -> None:
        self._line, self._pipe = line, pipe
        self._data: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        if pipe is not None:
            threading.Thread(target=self._write, daemon=True).start()

    def more(self, data: bytes) -> None:
        """Take more data; empty data is the end of the input."""
        self._data.put(data)

    def _write(self) -> None:
        assert self._pipe is not None
        closed = False
        while data := self._data.get():
            if not closed:
                try:
                    self._pipe.write(data)
                    self._pipe.flush()
                except OSError:  # the program reads no more; the sender must not wait for it
                    closed = True
            with suppress(OSError):
                self._line.send(Took(self._line.rank, len(data)))
        with suppress(OSError):
            self._pipe.close()
