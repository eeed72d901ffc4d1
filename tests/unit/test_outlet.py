"""A rank's stream is a terminal where the user's is one: raw, of its size, and read to the end."""

import os
import termios

import pytest

from parlab.model.terminal import Terminal
from parlab.node.outlet import PIECE, Outlet

TERMINAL = Terminal(["stdout"], 132, 50)


def all_of(outlet: Outlet) -> bytes:
    data = b""
    while piece := outlet.read():
        data += piece
    assert piece == b"", "not the end: somebody may still write"
    os.close(outlet.fileno())
    return data


def test_only_the_stream_that_is_one_is_a_terminal() -> None:
    for name, wanted in (("stdout", True), ("stderr", False)):
        outlet = Outlet(name, TERMINAL)
        assert os.isatty(outlet.far) == outlet.is_terminal == wanted
        if wanted:
            assert os.get_terminal_size(outlet.far) == (132, 50)
            outlet.resize(80, 24)
            assert os.get_terminal_size(outlet.far) == (80, 24)
        os.close(outlet.far)
        os.close(outlet.fileno())


@pytest.mark.parametrize("terminal", [TERMINAL, None], ids=["a terminal", "a pipe"])
def test_bytes_pass_as_they_are_and_what_comes_before_the_end_is_read(terminal: Terminal | None) -> None:
    outlet = Outlet("stdout", terminal)
    assert outlet.read() is None
    data = bytes(range(256)) + b"\n\r\n\x04\x03"
    os.write(outlet.far, data)
    os.close(outlet.far)
    assert all_of(outlet) == data


def test_a_terminal_echoes_nothing_and_sends_no_signal() -> None:
    outlet = Outlet("stdout", TERMINAL)
    flags = termios.tcgetattr(outlet.far)
    assert flags[1] & termios.OPOST == 0
    assert flags[3] & (termios.ECHO | termios.ISIG | termios.ICANON | termios.TOSTOP) == 0
    os.close(outlet.far)
    os.close(outlet.fileno())


def test_a_pipe_holds_a_megabyte_and_gives_it_piece_by_piece() -> None:
    outlet = Outlet("stderr", None)
    os.set_blocking(outlet.far, False)
    written = os.write(outlet.far, bytes(1 << 20))
    os.close(outlet.far)
    assert written > PIECE
    first = outlet.read()
    assert first is not None
    assert len(first) == PIECE
    assert outlet.is_much(first)
    assert len(first) + len(all_of(outlet)) == written


def test_where_there_is_no_terminal_left_it_is_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> tuple[int, int]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "openpty", none_left)
    outlet = Outlet("stdout", TERMINAL)
    assert not outlet.is_terminal
    outlet.resize(80, 24)
    os.write(outlet.far, b"x")
    os.close(outlet.far)
    assert all_of(outlet) == b"x"
