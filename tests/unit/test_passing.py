"""What a rank writes is passed on as it comes; that its line pauses is told once it has left it as it is."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import msgspec
import pytest

from parlab.model.job_events import Paused, Wrote
from parlab.model.terminal import Terminal
from parlab.node import passing
from parlab.node.control import Control
from parlab.node.outlet import Outlet
from parlab.node.passing import Passing
from tests.conftest import within

ASKS = "import sys; sys.stdout.write('name? '); sys.stdout.flush(); sys.stdin.read(1); print('thanks')"


class Line:
    """Keeps what would be sent to the launcher."""

    rank = 0

    def __init__(self) -> None:
        self.sent: list[msgspec.Struct] = []

    def send(self, message: msgspec.Struct) -> None:
        self.sent.append(message)


@contextmanager
def passed_on(
    program: str, terminal: Terminal | None = None
) -> Iterator[tuple[Line, subprocess.Popen[bytes], threading.Thread]]:
    """A program whose streams are passed on; at the end its standard input is closed, and it has ended."""
    line, outlets = Line(), {name: Outlet(name, terminal) for name in ("stdout", "stderr")}
    stdout, stderr = (outlet.far for outlet in outlets.values())
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr) as process:
        for outlet in outlets.values():
            os.close(outlet.far)
        thread = threading.Thread(target=Passing(cast(Control, line), process.pid, outlets).run)
        thread.start()
        yield line, process, thread
        assert process.stdin is not None
        process.stdin.close()
        thread.join(20)
        assert not thread.is_alive()
    for outlet in outlets.values():
        os.close(outlet.fileno())


def pauses(line: Line) -> list[msgspec.Struct]:
    return [one for one in line.sent if isinstance(one, Paused)]


def test_a_prompt_pauses_and_a_whole_line_does_not() -> None:
    with passed_on(ASKS) as (line, _, _):
        within(10, lambda: Paused(0, "stdout") in line.sent)
    assert pauses(line) == [Paused(0, "stdout")]
    assert b"".join(one.data for one in line.sent if isinstance(one, Wrote)) == b"name? thanks\n"


def test_a_rank_that_has_no_cpu_has_not_left_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "state_of", lambda pid: "R")  # it would run, and never does
    monkeypatch.setattr(passing, "cpu_s", lambda pid: 1.0)
    with passed_on(ASKS) as (line, _, thread):
        within(10, lambda: line.sent != [])
        thread.join(5 * passing.PAUSE_SECONDS)
        assert pauses(line) == []


def test_a_line_that_the_end_leaves_open_is_told_of() -> None:
    with passed_on("import sys; sys.stderr.write('50 %')") as (line, _, thread):
        thread.join(20)
    assert line.sent == [Wrote(0, "stderr", b"50 %"), Paused(0, "stderr")]
