"""A rank's line to the launcher: JSON objects, one a line, on a TCP connection of its own.

A lab's `print` cannot disturb it, and a rank that waits on it uses no CPU, as it would in an MPI call.
"""

import json
import os
import socket
from contextlib import suppress
from functools import cache
from typing import Any

from parlab.node.cgroup import read_limit

CONNECT_SECONDS = 10


class Control:
    """The connection of one rank; `PARLAB_CONTROL` in its environment says where to: host:port:token."""

    def __init__(self) -> None:
        host, port, self._token = os.environ["PARLAB_CONTROL"].split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS)
        self._socket.settimeout(None)  # from here on the launcher decides how long is too long
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self.rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", "0"))

    def send(self, event: str, **facts: Any) -> None:
        """Report an event of this rank."""
        message = {"event": event, "rank": self.rank, "token": self._token, **facts}
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def await_word(self, word: str) -> None:
        """Wait until the launcher says `word`. Raises SystemExit when it says anything else, or hangs up."""
        line = self._lines.readline()
        if line.strip() != word:
            raise SystemExit(f"rank {self.rank}: the launcher said {line.strip() or 'nothing more'!r}, not {word!r}")

    def answer_check(self) -> None:
        """Wait to be asked, then tell the limit that this node's kernel enforces."""
        self.await_word("check")
        self._tell_limit()

    def answer_checks(self) -> None:
        """Tell the limit whenever asked; a thread that waits here uses no CPU. A rank without a launcher ends."""
        with suppress(OSError):
            for line in self._lines:
                if line.strip() == "check":
                    self._tell_limit()
        os._exit(1)

    def _tell_limit(self) -> None:
        self.send("limit", cpus=read_limit())


@cache
def control() -> Control:
    """This rank's connection, made at first use."""
    return Control()
