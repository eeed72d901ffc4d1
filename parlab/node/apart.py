"""Runs a function in a forked child: it sees this process's whole state, and leaves nothing behind here."""

import os
import pickle
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from parlab.formatting import ending
from parlab.model.job_events import Frame
from parlab.node.traces import lines_of

LENGTH_BYTES = 8


class ApartError(Exception):
    """The function raised, or ended its process: the error's last line, its full text, and the lines that it passed."""

    def __init__(self, said: str, trace: str, lines: Sequence[Frame] = ()) -> None:
        super().__init__(said)
        self.said, self.trace, self.lines = said, trace, list(lines)


def apart(function: Callable[[], Any]) -> Any:
    """Return the function's result, passed back by pickle. Text that the function prints is not shown.

    Raises ApartError if it raises, ends its process, or returns a value that cannot be pickled.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.stdout = os.fdopen(1, "w")
            answer = _answer(function)
            _write(writing, len(answer).to_bytes(LENGTH_BYTES))
            _write(writing, answer)
        finally:
            os._exit(0)  # always: there must be no second rank, and nothing may be cleaned up twice
    os.close(writing)
    try:
        # Read by length: processes that the function has started and not ended keep the pipe open.
        length = int.from_bytes(_read(reading, LENGTH_BYTES))
        answer = _read(reading, length)
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if not length or len(answer) < length:
        code = os.waitstatus_to_exitcode(status)
        how = f"ChildProcessError: its process {'was ' if code < 0 else ''}ended {ending(code)}"
        raise ApartError(how, how)
    returned, value = pickle.loads(answer)
    if not returned:
        raise ApartError(*value)
    return value


def _answer(function: Callable[[], Any]) -> bytes:
    try:
        value = function()
        try:
            return pickle.dumps((True, value))
        except Exception as error:
            raise TypeError(
                f"what it returns cannot be handed to another process, so the cases cannot be compared with it: {error}"
            ) from error
    except BaseException as error:
        said = traceback.format_exception_only(error)[-1].strip()
        return pickle.dumps((False, (said, traceback.format_exc(), lines_of(error))))


def _read(file: int, length: int) -> bytes:
    found = bytearray()
    while len(found) < length and (piece := os.read(file, min(length - len(found), 1 << 20))):
        found += piece
    return bytes(found)


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
