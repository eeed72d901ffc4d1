"""What ranks write goes out unmixed, line by line, and all of it."""

import os
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

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


def test_a_line_whose_end_is_long_on_its_way_stays_whole(reading: Reading) -> None:
    """As on a busy host: nobody says that rank 0 has left its line as it is."""
    output = Output(None, alone=False)
    output.take(0, "stdout", b"first ")
    time.sleep(0.3)
    output.take(1, "stdout", b"another rank's\n")
    output.take(0, "stdout", b"half\n")
    assert all_of(reading, output) == b"another rank's\nfirst half\n"


def test_a_carriage_return_ends_a_piece(reading: Reading) -> None:
    output = Output(None, alone=False)
    output.take(0, "stderr", b"\r25 %\r50 %\r")
    comes(reading, b"\r25 %\r50 %\r")
    assert all_of(reading, output) == b""


def test_a_line_that_pauses_is_shown_and_a_second_one_waits_for_its_end(reading: Reading) -> None:
    output = Output(None, alone=False)
    output.take(0, "stdout", b"name? ")
    output.pause(0, "stdout")
    comes(reading, b"name? ")
    output.take(1, "stdout", b"half")
    output.pause(1, "stdout")
    time.sleep(0.1)
    assert reading() == b""
    output.take(0, "stdout", b"steel\n")
    comes(reading, b"steel\nhalf")
    assert all_of(reading, output) == b""


def test_a_tag_stands_before_each_line_and_once_before_one_that_came_in_pieces(reading: Reading) -> None:
    output = Output(lambda rank: b"[%d] " % rank, alone=True)
    output.take(0, "stdout", b"a\nb")
    output.pause(0, "stdout")
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


def test_a_slow_reader_gets_all_and_one_that_takes_nothing_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setattr(streams, "OUT", {"stdout": write_end, "stderr": write_end})
    slow, data = Output(None, alone=True), b"x" * (4 << 16)
    slow.take(0, "stdout", data)
    got = bytearray()

    def read() -> None:
        while len(got) < len(data):
            time.sleep(0.1)  # longer than nothing, shorter than a reader may take
            got.extend(os.read(read_end, 1 << 15))

    reader = threading.Thread(target=read)
    reader.start()
    assert slow.finish(2.0)
    reader.join()
    assert got == data
    stuck = Output(None, alone=True)
    stuck.take(0, "stdout", data)
    assert not stuck.finish(0.3)
    assert 0 < stuck.lost <= len(data)
    os.close(read_end)  # which ends the thread
    within(5, lambda: stuck.closed)
    os.close(write_end)


def test_whoever_brings_too_much_waits_until_the_deadline_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setattr(streams, "OUT", {"stdout": write_end, "stderr": write_end})
    monkeypatch.setattr(streams, "MOST_PENDING", 1 << 10)
    output = Output(None, alone=True)
    output.until = time.monotonic() + 0.3
    for _ in range(3):
        output.take(0, "stdout", b"x" * (1 << 17))
    assert time.monotonic() >= output.until
    assert output.lost >= 1 << 17
    os.close(read_end)
    within(5, lambda: output.closed)
    os.close(write_end)


def test_a_pipe_that_does_not_block_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    monkeypatch.setattr(streams, "OUT", {"stdout": write_end, "stderr": write_end})
    output, data = Output(None, alone=True), b"x" * (1 << 18)
    output.take(0, "stdout", data)
    got = b""
    while len(got) < len(data):
        got += os.read(read_end, 1 << 18)
    assert output.finish(5)
    assert not output.closed
    os.close(read_end)
    os.close(write_end)


def test_a_full_disk_is_no_reader_that_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(streams, "OUT", {"stdout": full.fileno(), "stderr": full.fileno()})
        output = Output(None, alone=True)
        output.take(0, "stdout", b"x")
        within(5, lambda: output.closed)
        output.finish(5)
    assert output.failure == "stdout cannot be written: No space left on device"


def test_a_line_that_comes_while_another_rank_is_in_the_middle_of_one_begins_anew(reading: Reading) -> None:
    output = Output(None, alone=False)
    output.take(0, "stdout", b"half")
    output.pause(0, "stdout")
    comes(reading, b"half")
    output.take(1, "stdout", b"whole\n")
    output.take(0, "stdout", b" and half\n")
    assert all_of(reading, output) == b"\nwhole\n and half\n"


def test_progress_bars_of_several_ranks_are_drawn_one_over_the_other(reading: Reading) -> None:
    output = Output(None, alone=False)
    for rank, bar in ((0, b"\r10 %"), (1, b"\r20 %"), (0, b"\r30 %")):
        output.take(rank, "stderr", bar)
        output.pause(rank, "stderr")
    assert all_of(reading, output) == b"\r10 %\r\r20 %\r\r30 %"
    output = Output(None, alone=False)
    for rank, bar in ((1, b"\r20 %"), (0, b"\r10 %"), (1, b"\r30 %")):  # of rank 1 the first is not shown yet
        output.take(rank, "stderr", bar)
        output.pause(0, "stderr")
    assert all_of(reading, output) == b"\r\r10 %\r20 %\r30 %"
    output = Output(None, alone=False)
    output.take(0, "stderr", b"name? ")
    output.pause(0, "stderr")
    output.take(1, "stderr", b"\r10 %")
    assert all_of(reading, output) == b"name? \n\r10 %", "what is no bar is not drawn over"


def test_a_tag_stands_before_a_bar_and_not_before_its_return(reading: Reading) -> None:
    output = Output(lambda rank: b"[%d] " % rank, alone=True)
    output.take(0, "stderr", b"\r10 %\r20 %")
    assert all_of(reading, output) == b"\r[0] 10 %\r[0] 20 %"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    """Both streams are one terminal; what is to be seen on it."""
    near, far = os.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    again = os.dup(far)
    monkeypatch.setattr(streams, "OUT", {"stdout": far, "stderr": again})
    yield lambda: os.read(near, 1 << 16)
    for fd in (near, far, again):
        os.close(fd)


def test_on_one_screen_no_line_of_one_stream_is_within_one_of_the_other(screen: Reading) -> None:
    output = Output(None, alone=False)
    output.take(0, "stdout", b"name? ")
    output.pause(0, "stdout")
    output.take(1, "stderr", b"Traceback\n")
    assert all_of(screen, output) == b"name? \nTraceback\n"


def test_a_program_that_was_ended_leaves_a_screen_with_its_own_colour_and_a_cursor(screen: Reading) -> None:
    for restore, left in ((True, b"\x1b[0m\x1b[?25h"), (False, b"")):
        output = Output(None, alone=True)
        output.take(0, "stdout", b"\x1b[?25l\x1b[31mred")
        assert output.finish(10, restore=restore)
        assert screen() == b"\x1b[?25l\x1b[31mred" + left


def test_a_pipe_is_not_restored(reading: Reading) -> None:
    output = Output(None, alone=True)
    output.take(0, "stdout", b"\x1b[31mred")
    assert output.finish(10, restore=True)
    assert reading() == b"\x1b[31mred"


def test_a_line_without_an_end_is_not_kept_for_ever(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_OF_A_LINE", 1000)
    output = Output(None, alone=False)
    for _ in range(11):
        output.take(0, "stdout", b"x" * 100)
    comes(reading, b"x" * 1100)
    output.take(0, "stdout", b"its end\n")
    assert all_of(reading, output) == b"its end\n"
