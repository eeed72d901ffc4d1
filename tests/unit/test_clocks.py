"""One clock for all spans: what the exchanges say of an offset, and what the launcher asks of a rank."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.model.clocks import Clock, by_the_heads_clock, estimate
from parlab.model.span import Phase, Span

ROOT = Path(__file__).resolve().parents[2]
AHEAD = 1000.0  # seconds; no two clocks of one test are as far apart by chance


def test_the_quickest_exchange_counts() -> None:
    slow, quick, slower = (0.0, 57.0, 10.0), (20.0, 71.0, 21.0), (30.0, 99.0, 60.0)
    assert estimate([slow, quick, slower]) == Clock(offset_s=50.5, uncertainty_s=0.5)


def test_without_an_exchange_there_is_no_estimate() -> None:
    with pytest.raises(ValueError, match="empty"):
        estimate([])


delays = st.floats(0, 60)  # seconds; on the way there, on the way back


@given(st.floats(-1e6, 1e6), st.lists(st.tuples(st.floats(0, 1e6), delays, delays), min_size=1, max_size=20))
def test_the_true_offset_is_always_within_the_uncertainty(
    offset: float, exchanges: list[tuple[float, float, float]]
) -> None:
    clock = estimate((sent, sent + there + offset, sent + there + back) for sent, there, back in exchanges)
    assert abs(clock.offset_s - offset) <= clock.uncertainty_s + 1e-6
    assert clock.uncertainty_s == pytest.approx(min(there + back for _, there, back in exchanges) / 2, abs=1e-6)


def test_only_stamps_of_the_worker_are_set_back() -> None:
    phases = (Phase("lock wait", 1000.5, 1001.0), Phase("lock held", 1001.0, 1001.5))
    span = Span(0.0, 1000.25, 1002.0, 2.5, 0.125, 0.25, 0.5, 0.75, "node-1", 1, 41, 140, "TypeError", phases)
    assert by_the_heads_clock(span, Clock(AHEAD, 0.5)) == replace(
        span, started=0.25, finished=2.0, phases=(Phase("lock wait", 0.5, 1.0), Phase("lock held", 1.0, 1.5))
    )


def test_an_uncertain_clock_moves_no_task_before_its_submission_or_after_its_receipt() -> None:
    span = Span(10.0, 9.99, 11.0, 10.995, 0.125, 0.125, 0.0, 0.0, "node-1", 1, 41, 140)
    mended = by_the_heads_clock(span, Clock(0.0, 0.02))
    assert (mended.started, mended.finished) == (10.0, 10.995)
    inside = replace(span, started=10.25, finished=10.5)
    assert by_the_heads_clock(inside, Clock()) == inside


# The real launcher, and a script in the place of mpiexec: two ranks, each with a clock of its own.

RANKS = """
import json, os, socket, sys, threading, time

host, port, token = os.environ["PARLAB_CONTROL"].split(":")

def rank(number, ahead):
    line = socket.create_connection((host, int(port))).makefile("rw")

    def send(**message):
        print(json.dumps({"rank": number, **message}), file=line, flush=True)

    send(token=token, host=socket.gethostname(), pid=os.getpid())
    send(event="hello", host=socket.gethostname(), boot="", ended=[])
    for word in line:
        if word == "clock\\n":
            send(event="clock", at=time.monotonic() + ahead)

for number, ahead in enumerate(map(float, sys.argv[1:])):
    threading.Thread(target=rank, args=(number, ahead)).start()
"""


class Host:
    """What the host is to a launcher: it writes commands and reads events."""

    def __init__(self, launcher: "subprocess.Popen[str]") -> None:
        self._launcher = launcher

    def send(self, do: str, **facts: Any) -> None:
        assert self._launcher.stdin is not None
        self._launcher.stdin.write(json.dumps({"do": do, **facts}) + "\n")
        self._launcher.stdin.flush()

    def event(self, wanted: str) -> dict[str, Any]:
        """The next event, which has to be of that kind."""
        assert self._launcher.stdout is not None
        found: dict[str, Any] = json.loads(self._launcher.stdout.readline())
        assert found["event"] == wanted, found
        return found


@contextmanager
def launcher() -> Iterator[Host]:
    command = [sys.executable, "-m", "parlab.node.launcher", "127.0.0.1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stdin=pipe, stdout=pipe, text=True) as process:
        host = Host(process)
        host.event("listening")
        yield host


@pytest.mark.timeout(60)
def test_the_launcher_finds_how_far_a_ranks_clock_is_ahead() -> None:
    with launcher() as host:
        host.send("launch", argv=[sys.executable, "-c", RANKS, "0", str(AHEAD), str(-AHEAD)], env={})
        assert {host.event("hello")["rank"] for _ in range(3)} == {0, 1, 2}
        host.send("clocks", ranks=[1])
        exchanges = host.event("clocks")["exchanges"]
    assert list(exchanges) == ["1"]
    assert all(sent <= at - AHEAD <= received for sent, at, received in exchanges["1"])
    clock = estimate(exchanges["1"])
    assert abs(clock.offset_s - AHEAD) <= clock.uncertainty_s < 1


@pytest.mark.timeout(60)
def test_the_launcher_asks_one_rank_after_another() -> None:
    with launcher() as host:
        host.send("launch", argv=[sys.executable, "-c", RANKS, "0", str(AHEAD), str(-AHEAD)], env={})
        for _ in range(3):
            host.event("hello")
        host.send("clocks", ranks=[1, 2])
        exchanges = host.event("clocks")["exchanges"]
    found = {int(rank): estimate(own) for rank, own in exchanges.items()}
    assert found.keys() == {1, 2}
    assert abs(found[1].offset_s - AHEAD) <= found[1].uncertainty_s
    assert abs(found[2].offset_s + AHEAD) <= found[2].uncertainty_s
