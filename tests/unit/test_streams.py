"""What ranks write goes out unmixed, line by line, and all of it."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from parlab.run import streams
from parlab.run.streams import Output
from tests.conftest import within

Reading = Callable[[], bytes]


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    """Standard output is a pipe; what has come through it by now."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    monkeypatch.setattr(streams, "OUT", {"stdout": write_end, "stderr": write_end})

    def read() -> bytes:
        try:
            return os.read(read_end, 1 << 20)
        except BlockingIOError:
            return b""

    yield read
    os.close(read_end)
    os.close(write_end)


def all_of(reading: Reading, output: Output) -> bytes:
    assert output.finish(10)
    return reading()


def comes(reading: Reading, wanted: bytes) -> None:
    """Wait until just that has come."""
    seen = bytearray()

    def is_there() -> bool:
        seen.extend(reading())
        return seen == wanted

    within(5, is_there)


def test_lines_of_ranks_that_write_in_pieces_stay_whole(reading: Reading) -> None:
    output = Output(None, alone=False)
    for piece in (b"one ", b"and ", b"two\n"):
        output.take(0, "stdout", piece)
        output.take(1, "stdout", piece.upper())
    assert sorted(all_of(reading, output).splitlines()) == [b"ONE AND TWO", b"one and two"]


def test_a_carriage_return_ends_a_piece(reading: Reading) -> None:
    output = Output(None, alone=False)
    output.take(0, "stderr", b"\r25 %\r50 %\r")
    comes(reading, b"\r25 %\r50 %\r")
    assert all_of(reading, output) == b""


def test_a_prompt_is_shown_after_a_while_and_a_second_one_waits_for_its_end(reading: Reading) -> None:
    output = Output(None, alone=False)
    output.take(0, "stdout", b"name? ")
    comes(reading, b"name? ")
    output.take(1, "stdout", b"half")
    time.sleep(3 * streams.PARTIAL_SECONDS)
    assert reading() == b""
    output.take(0, "stdout", b"steel\n")
    comes(reading, b"steel\nhalf")
    assert all_of(reading, output) == b""


def test_a_tag_stands_before_each_line_and_once_before_one_that_came_in_pieces(reading: Reading) -> None:
    output = Output(lambda rank: b"[%d] " % rank, alone=True)
    output.take(0, "stdout", b"a\nb")
    time.sleep(3 * streams.PARTIAL_SECONDS)
    output.take(0, "stdout", b"c\nd")
    assert all_of(reading, output) == b"[0] a\n[0] bc\n[0] d"


def test_of_one_rank_alone_any_bytes_pass(reading: Reading) -> None:
    data = bytes(range(256)) * 100
    output = Output(None, alone=True)
    output.take(0, "stdout", data)
    assert all_of(reading, output) == data


def test_a_reader_that_has_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    monkeypatch.setattr(streams, "OUT", {"stdout": write_end, "stderr": write_end})
    output = Output(None, alone=True)
    output.take(0, "stdout", b"x")
    within(5, lambda: output.closed)
    assert output.finish(10)
    os.close(write_end)
