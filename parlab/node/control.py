"""A rank's connection to the launcher: messages (model/messages.py) on a TCP connection of its own.

A lab's `print` cannot disturb it, and a thread that waits on it uses no CPU, unlike a thread that waits in MPI.
"""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import msgspec

from parlab.model import messages
from parlab.model.messages import Burned, Checked, ClockTold, Join, Sampled
from parlab.model.reading import NodeReading
from parlab.node.meter import Meter
from parlab.task.pace import count_measuring

CONNECT_SECONDS = 10
SAMPLE_SECONDS = 0.4  # at least twice a second, even if a sample is late
SAMPLE_SHARE = 0.01  # of the node's CPU, at most: a node with 1/64 core is read less often


def sample_pause(cost_s: float, limit: float | None) -> float:
    """Seconds between two samples; one costs `cost_s` CPU seconds, and `limit` is the node's in host CPUs, or None."""
    return SAMPLE_SECONDS if limit is None else max(SAMPLE_SECONDS, cost_s / (SAMPLE_SHARE * limit))


class Control:
    """The connection of one rank; `PARLAB_CONTROL` in its environment has the address: host:port:token.

    The first rank of each node speaks for the node: it alone reads the node's limit and usage, and burns.
    """

    def __init__(self) -> None:
        get = os.environ.get
        host, port, token = os.environ["PARLAB_CONTROL"].split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS)
        self._socket.settimeout(None)  # from here on the launcher sets the deadlines
        self._sending = threading.Lock()
        self._words: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._measured = threading.Event()
        self._sampler: threading.Thread | None = None
        self.failed: BaseException | None = None  # the exception that was reported to the host
        self.rank = int(get("OMPI_COMM_WORLD_RANK", "0"))
        self.speaks = get("OMPI_COMM_WORLD_LOCAL_RANK", "0") == "0"
        self._meter = Meter(get("PARLAB_RUN", ""), own_node="PARLAB_OWN_NODE" in os.environ, host=self.rank == 0)
        self.each_sample: Callable[[], None] = lambda: None
        self.hung_up: Callable[[], None] = lambda: None  # called when the launcher has hung up: this process ends
        self.send(Join(token, self.rank, socket.gethostname(), os.getpid()))

    def send(self, message: msgspec.Struct) -> None:
        """Send the launcher a message of this rank."""
        with self._sending:
            self._socket.sendall(messages.to_line(message))

    def listen(self) -> None:
        """Answer the launcher's words in a thread, from here on. If the launcher is gone, the rank ends."""
        threading.Thread(target=self._answer, daemon=True).start()

    def next_word(self) -> str:
        """The launcher's next word with its data, including words that were answered at once."""
        return self._words.get()

    def await_word(self, word: str) -> None:
        """Wait until the launcher says `word`; it must not be one that is answered at once."""
        while self._words.get() != word:
            pass

    def _answer(self) -> None:
        with suppress(OSError):
            for line in self._socket.makefile("r", encoding="utf-8"):
                match word := line.strip():
                    case messages.CLOCK:
                        self.send(ClockTold(self.rank, time.monotonic()))
                    case messages.CHECK if self.speaks:
                        self._stop_sampling()
                        self.send(Checked(self.rank, self._meter.read(in_full=True)))
                    case messages.BURN if self.speaks:
                        self.send(Burned(self.rank, self._meter.burn()))
                    case messages.START if self.speaks:
                        self._sampler = threading.Thread(target=self._sample, daemon=True)
                        self._sampler.start()
                self._words.put(word)
        self.hung_up()
        os._exit(1)

    def _sample(self) -> None:
        due, count, limit = time.monotonic(), 0, None
        with suppress(OSError):
            while not self._measured.wait(max(0.0, due - time.monotonic())):
                raw = self._meter.read()
                self.send(Sampled(self.rank, raw))
                self.each_sample()
                limit = NodeReading.from_node(raw).limit if count == 0 else limit
                count += 1
                cost_s = time.thread_time()
                count_measuring(cost_s)
                due = max(due + sample_pause(cost_s / count, limit), time.monotonic())

    def _stop_sampling(self) -> None:
        """Stop before the check after the case: that check is the last reading, and the limits are lifted next."""
        if self._sampler is not None:
            self._measured.set()
            self._sampler.join()


@cache
def control() -> Control:
    """This rank's connection, made at first use."""
    return Control()
