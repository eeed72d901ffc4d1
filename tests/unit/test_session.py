"""Reading a launcher: whatever it sends, and however the reading ends, nobody waits for what cannot come."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from parlab.backend.session import Session
from parlab.errors import RunError
from parlab.host.questions import Questions
from parlab.model.messages import AnyEvent, Done, Exit, Listening, Output, ProtocolError, to_line
from parlab.run.conversation import Conversation

FAR = 600.0  # seconds; nobody waits for them
pytestmark = pytest.mark.timeout(30)


class Script:
    """A launcher that says these lines, and then is silent until one hangs up, or ends as told."""

    def __init__(self, *lines: bytes, end: BaseException | None = None) -> None:
        self.said, self.end, self.hung_up = lines, end, threading.Event()

    def write(self, data: bytes) -> None: ...

    def lines(self) -> Iterator[bytes]:
        yield from self.said
        if self.end is not None:
            raise self.end
        self.hung_up.wait()

    def hang_up(self, deadline: float) -> None:
        self.hung_up.set()


def conversation(script: Script, diagnosis: str = "node-2 is paused.") -> tuple[Conversation, list[AnyEvent]]:
    heard: list[AnyEvent] = []
    session = Session(script, "labs")
    node_of = {3: "node-2"}.get
    return Conversation(
        session, "pool on 2 nodes", heard.append, lambda _: None, lambda: diagnosis, node_of, "Retry."
    ), heard


def test_a_message_of_the_wrong_shape_ends_the_launch_and_is_named_with_its_rank() -> None:
    script = Script(to_line(Output("stderr", "a warning")), b'{"event": "done", "rank": 3, "outcome": 1}\n')
    talk, _ = conversation(script)
    with pytest.raises(RunError) as caught:
        talk.gather(Done, 1, FAR, "running the case")
    script.hang_up(0)
    said = str(caught.value)
    assert said.startswith("pool on 2 nodes: running the case: 0 of 1 done when rank 3 sent a message of the wrong sh")
    assert '{"event": "done", "rank": 3, "outcome": 1}' in said
    assert "node-2 is paused." in said
    assert "a warning" in said


@pytest.mark.parametrize(
    ("own", "told"), [('a "quoted" bär', 'a "quoted" bär'), (os.fsdecode(b"b\xe4r"), r"b\udce4r")], ids=["UTF-8", "not"]
)
def test_what_is_said_of_the_copy_of_a_lab_is_told_of_the_users_own(tmp_path: Path, own: str, told: str) -> None:
    copy = Output("stderr", '  File "/cluster/run/labs/data/x.py", line 3, in work')
    session = Session(Script(to_line(copy)), "/cluster/run/labs", tmp_path / own)
    expected = Output("stderr", f'  File "{tmp_path / told}/data/x.py", line 3, in work')
    assert session.next_event(time.monotonic() + FAR) == expected


def test_a_launcher_that_cannot_be_understood_did_not_start() -> None:
    script = Script(b'{"event": "greetings"}\n')
    with pytest.raises(RunError, match=r"no launcher on the head: the launcher sent .*greetings"):
        Session(script, "labs").await_launcher(print)
    script.hang_up(0)


def test_one_message_of_the_wrong_shape_is_told_and_what_follows_is_still_read() -> None:
    script = Script(b'{"event": "dance"}\n', b'{"event": "dance"}\n', to_line(Exit(3)))
    session, until = Session(script, "labs"), time.monotonic() + FAR
    with pytest.raises(ProtocolError):
        session.next_event(until)
    assert session.next_event(until) == Exit(3)
    script.hang_up(0)
    with pytest.raises(EOFError):
        session.next_event(until)


@pytest.mark.parametrize("end", [OSError("closed"), ValueError("I/O on a closed file")])
def test_a_connection_that_we_closed_ends_like_a_launcher_that_is_gone(end: Exception) -> None:
    session, until = Session(Script(to_line(Listening("boot")), end=end), "labs"), time.monotonic() + FAR
    assert session.next_event(until) == Listening("boot")
    with pytest.raises(EOFError):
        session.next_event(until)


def test_no_exception_while_reading_leaves_anybody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    told: SimpleQueue[type[BaseException]] = SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda hook: told.put(hook.exc_type))
    session = Session(Script(end=MemoryError()), "labs")
    with pytest.raises(EOFError):
        session.next_event(time.monotonic() + FAR)
    assert told.get(timeout=10) is MemoryError


def test_who_asks_while_no_rank_has_started_is_told_so() -> None:
    script, questions, heard = Script(to_line(Exit(0))), Questions(), list[str]()
    questions.put(heard.append)
    session = Session(script, "labs")
    talk = Conversation(session, "pool", lambda _: None, print, lambda: "", lambda _: None, "", questions=questions)
    (end,) = talk.gather(Exit, 1, FAR, "ending mpiexec")
    script.hang_up(0)
    assert end.code == 0
    assert heard == ["no rank has started yet"]
