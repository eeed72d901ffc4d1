"""A function in a child of its own: what comes back, and what is left."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from parlab.node.apart import ApartError, apart

state: list[int] = []


def test_what_it_returns_comes_back_and_what_it_changes_does_not() -> None:
    def change() -> list[int]:
        state.append(1)
        return [*state, 2]

    assert apart(change) == [1, 2]
    assert state == []


def test_a_result_of_many_megabytes_comes_back() -> None:
    assert apart(lambda: b"x" * 5_000_000) == b"x" * 5_000_000


def test_what_it_prints_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    def talk() -> None:
        print("by Python", flush=True)
        os.write(1, b"by the system")

    apart(talk)
    assert capfd.readouterr().out == ""


def raises() -> None:
    raise LookupError("no such thing")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (raises, "LookupError: no such thing"),
        (lambda: exit("no data"), "SystemExit: no data"),
        (lambda: os._exit(3), "ChildProcessError: its process ended with exit code 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ChildProcessError: its process was ended by SIGKILL"),
        (lambda: lambda: None, "TypeError: what it returns cannot be handed to another process"),
    ],
)
def test_why_it_gave_nothing_is_said(function: Callable[[], Any], said: str) -> None:
    with pytest.raises(ApartError) as raised:
        apart(function)
    assert raised.value.said.startswith(said)
    assert said in raised.value.trace


def test_what_it_leaves_running_is_not_waited_for() -> None:
    """A process that it forked has the pipe open, too."""

    def leave() -> int:
        reading, _ = os.pipe()
        if (child := os.fork()) == 0:
            os.read(reading, 1)
        return child

    child = apart(leave)
    os.kill(child, signal.SIGKILL)


def test_no_zombie_is_left() -> None:
    apart(int)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
