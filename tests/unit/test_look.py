"""A look at a launch's processes: each is told by itself, whatever it does, and none is disturbed."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parlab.node.hook import sitecustomize
from parlab.node.look import look
from parlab.task import stacks
from tests.conftest import ROOT, within

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="without /proc nobody looks")
Start = Callable[..., "subprocess.Popen[bytes]"]

FAMILY = """
import itertools, os, signal, sys, time
from parlab.task.stacks import let_be_seen
let_be_seen()
killed = os.fork()
if killed == 0:
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(killed, 0)
if os.fork() == 0:
    os._exit(3)  # and nobody waits for it
if os.fork() == 0:
    time.sleep(1000)  # in a child
if os.fork() == 0:
    sum(itertools.repeat(0))  # in C
import subprocess
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], env={})
os.write(2, b"there")
time.sleep(1000)  # in the rank
"""


@pytest.fixture
def mark() -> str:
    """The id of a launch that nobody else has."""
    return f"tests-{secrets.token_hex(8)}"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program as a rank of a launch, and wait until it says so."""
    started = []

    def run(mark: str, rank: int, code: str) -> "subprocess.Popen[bytes]":
        file = tmp_path / f"{rank}.py"
        file.write_text(code)
        own = {"PARLAB_RUN": mark, "PARLAB_CASE": "{}", "OMPI_COMM_WORLD_RANK": str(rank), "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(
            [sys.executable, str(file)], env=os.environ | own, stderr=subprocess.PIPE, start_new_session=True
        )
        started.append(child)
        assert child.stderr is not None
        assert child.stderr.read(5) == b"there"
        return child

    yield run
    for child in started:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def test_each_process_of_a_rank_is_told_by_its_own_stack(mark: str, start: Start, tmp_path: Path) -> None:
    rank = start(mark, 3, FAMILY)
    within(10, lambda: len(look(mark, tmp_path)[0].processes) == 4)
    (looked,) = look(mark, tmp_path)
    assert looked.rank == 3
    own, *others = looked.processes
    assert own.pid == rank.pid
    at = [one.stacks[0].frames[0].text if one.stacks else "no Python stack" for one in (own, *others)]
    assert at[0] == "time.sleep(1000)  # in the rank"
    assert sorted(at[1:]) == ["no Python stack", "sum(itertools.repeat(0))  # in C", "time.sleep(1000)  # in a child"]
    assert all(frame.own and frame.file == "3.py" for one in (own, *others) for s in one.stacks for frame in s.frames)
    busy = [one.cpu + one.held_back > 0.5 for one in (own, *others)]
    assert busy == [text.endswith("in C") for text in at]
    assert sorted(died.code for died in looked.died) == [-9, 3]
    assert rank.poll() is None, "who looks does not disturb"
    assert [one.pid for one in look(mark, tmp_path)[0].processes] == [one.pid for one in looked.processes]


def test_ranks_are_told_apart_and_other_launches_are_left_alone(mark: str, start: Start, tmp_path: Path) -> None:
    waits = "import os, time; os.write(2, b'there'); time.sleep(1000)"
    ranks = {number: start(mark, number, waits) for number in (0, 1)}
    start(f"{mark}-other", 2, waits)
    found = {looked.rank: [one.pid for one in looked.processes] for looked in look(mark, tmp_path)}
    assert found == {number: [rank.pid] for number, rank in ranks.items()}
    assert [rank.poll() for rank in ranks.values()] == [None, None], "one that knows no such signal gets none"


def test_where_no_launch_runs_nothing_is_told(mark: str, tmp_path: Path) -> None:
    assert look(mark, tmp_path) == []


def test_programs_and_labs_are_asked_by_one_signal() -> None:
    assert stacks.LOOK == sitecustomize.LOOK


def test_outside_of_a_launch_nothing_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(stacks.LAUNCH, raising=False)
    wait = os.waitpid
    stacks.let_be_seen()
    assert os.waitpid is wait
    assert stacks.memory_of(os.getpid(), stacks.STACKS) is None
