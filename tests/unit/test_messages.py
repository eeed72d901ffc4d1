"""What host, launcher and ranks say: read as it was written, and from nobody else."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
import pytest

from parlab.model import messages
from parlab.model.case import Demand
from parlab.model.event import Event, RankEvent
from parlab.model.job_events import ANY, Died, Ended, Frame, Logged, Looked, MpiCall, Paused, Seen, Stack, Took, Wrote
from parlab.model.messages import (
    AllLooked,
    Answered,
    AnyCommand,
    AnyEvent,
    Ask,
    Burned,
    Checked,
    ClocksRead,
    CompareClocks,
    Done,
    Exit,
    Failed,
    Feed,
    Hello,
    Join,
    Launch,
    Listening,
    Look,
    Output,
    Plan,
    Probe,
    Probed,
    ProtocolError,
    Ready,
    Sampled,
    Say,
    Spans,
    Waiting,
    event_of,
    from_line,
    to_line,
)
from parlab.model.reading import Host, Process, RawReading
from parlab.model.span import Phase
from parlab.model.starting import Booted, InQueue
from tests.conftest import ROOT
from tests.unit.samples import span

RAW = RawReading(1.5, {"cpu.max": "25000 100000\n"}, Host(2, 1.0, 2.0, 0.0), {"7": Process("yes", 0.5)}, 0.001)
SEEN = Seen(
    7, "python x.py", 0.5, [Stack([Frame("x.py", 3, "f", "wait()", own=True)], MpiCall("Recv", 0, ANY, 2.5))], 0.25
)
DIED = Died(9, -9, 1.5)
EVENTS: list[AnyEvent] = [
    Wrote(1, "stdout", b"a line\n\xff\x00"),
    Paused(1, "stdout"),
    Took(0, 65536),
    Logged(1, bytes(range(256))),
    Looked(2, [SEEN], [DIED], "its memory", True),
    AllLooked({"node-1": "", "node-2": "no answer"}),
    Ended(1, -9, False, True, "its memory", 7, 1.0, 2.0, 0.5, 4096, ["sleep 9"], [DIED]),
    Waiting(),
    Listening("boot"),
    Output("stdout", 'a line\nof {"event": "done"}'),
    Exit(-9),
    InQueue(7, "PENDING", "Resources"),
    Probed({"node-1": "", "node-2": "no answer"}),
    ClocksRead({3: [(1.0, 2.0, 3.0)]}),
    Answered(None, "text\n", ["its", "last words"]),
    Hello(0, "node-1", "boot", [17]),
    Booted(3),
    Plan(0, [Demand(1.0, 0.5)], True, {"python": "3.13"}, "a CPU"),
    Ready(2),
    Checked(1, RAW),
    Burned(1, None),
    Sampled(1, RAW),
    Spans(1, [span(phases=(Phase("é", 1.0, 2.0),), run_delay_s=None)]),
    Done(0, "right", None, 1.0, 2.0, {"MB/s": 812.5}),
    Failed(0, "the case", "KeyError: 1", "Traceback", [Frame("mine.py", 9, "work", "found[1]", own=True)], ""),
]
COMMANDS: list[AnyCommand] = [
    Launch(["mpiexec", "-n", "2"], {"A": "b c"}),
    Say("start"),
    Feed(b"\x00\xff\n"),
    Probe(["node-1"], ["python", "--version"]),
    Look(["node-1"], ["python", "-m", "parlab.node.look"], {"A": "b c"}),
    CompareClocks([1, 2]),
    Ask(["python"], {"PARLAB_RUN": "1"}, "text", 60.0),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_read_as_it_was_written_in_one_line(event: AnyEvent) -> None:
    line = to_line(event)
    assert line.count(b"\n") == 1
    assert event_of(line) == event


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_is_read_as_it_was_written(command: AnyCommand) -> None:
    assert from_line(to_line(command), AnyCommand) == command


def test_every_kind_of_event_is_tried_here() -> None:
    leaves = {kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Event)}
    assert {type(event) for event in EVENTS} == leaves - {Event, RankEvent, messages.ClockTold}


@pytest.mark.parametrize(
    "line",
    [
        b"Traceback (most recent call last):\n",
        b"[]\n",
        b'{"rank": 0, "text": "event"}\n',
        b"\xff\n",
        b'{"event":"\xff"}\n',
        b"[" * 99_999,
    ],
)
def test_what_is_no_event_is_output(line: bytes) -> None:
    event = event_of(line)
    assert isinstance(event, Output)
    assert event.stream == "stderr"


@pytest.mark.parametrize(
    ("line", "sender"),
    [
        (b'{"event": "dance"}\n', "the launcher"),
        (b'{"event": "exit"}\n', "the launcher"),
        (b'{"event": 5}\n', "the launcher"),
        (b'{"event": "ready", "rank": "first"}\n', "the launcher"),
        (b'{"event": "done", "rank": 3}\n', "rank 3"),
        (to_line(messages.ClockTold(2, 1.5)), "rank 2"),
    ],
)
def test_an_event_of_another_shape_is_an_error_that_names_it_and_its_sender(line: bytes, sender: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        event_of(line)
    assert str(caught.value).startswith(f"{sender} sent a message of the wrong shape (")
    assert str(caught.value).endswith(line.decode().rstrip())
    assert caught.value.exit_code == 4


def test_of_a_long_message_its_beginning_is_told() -> None:
    with pytest.raises(ProtocolError) as caught:
        event_of(b'{"event": "dance", "to": "' + b"x" * 99_999 + b'"}')
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("line", [b'{"event": "exit"}', b'{"event": "exit", "code": "0"}', b"{}", b"1"])
def test_a_message_with_other_fields_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_line(line, AnyEvent)


# The launcher hears ranks alone.


@contextmanager
def launched() -> Iterator[tuple["subprocess.Popen[bytes]", str, int, str]]:
    """A launcher whose mpiexec does nothing but wait; where its ranks are to connect, and their token."""
    program = 'import os, time; print(os.environ["PARLAB_CONTROL"], flush=True); time.sleep(60)'
    command = [sys.executable, "-m", "parlab.node.launcher", "127.0.0.1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert isinstance(event_of(process.stdout.readline()), Listening)
        process.stdin.write(to_line(Launch([sys.executable, "-c", program], {})))
        process.stdin.flush()
        said = event_of(process.stdout.readline())
        assert isinstance(said, Output)
        host, port, token = said.text.split(":")
        yield process, host, int(port), token
        process.stdin.close()


@pytest.mark.timeout(60)
def test_nothing_is_passed_on_of_a_stranger_and_all_of_a_rank() -> None:
    with launched() as (process, host, port, token):
        garbage = [b"GET / HTTP/1.0\r\n\r\n", b"\xff\xfe\n", to_line(Hello(0, "x", "", []))]
        for first in [*garbage, to_line(Join("another", 0, "x", 1)), to_line(Join("é", 0, "x", 1))]:
            with socket.create_connection((host, port), timeout=20) as stranger:
                stranger.sendall(first + to_line(Exit(0)) + to_line(Hello(0, "x", "", [])))
                with suppress(ConnectionResetError):  # it hung up before it had read all
                    assert stranger.recv(1) == b"", "the launcher hangs up"
        with socket.create_connection((host, port), timeout=20) as rank:
            rank.sendall(to_line(Join(token, 3, "x", 1)) + to_line(Hello(3, "x", "", [])))
            assert process.stdout is not None
            assert event_of(process.stdout.readline()) == Hello(3, "x", "", [])
