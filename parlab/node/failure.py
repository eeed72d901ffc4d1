"""A rank's report of the exception that ends it. Its standard error may be lost: Open MPI can abort before that."""

import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from parlab.model.advice import advice
from parlab.model.messages import Failed
from parlab.node.apart import ApartError
from parlab.node.control import Control
from parlab.node.mistakes import MistakeError
from parlab.node.traces import lines_of, own_lines


def report(line: Control, lab: str, stage: str, error: BaseException) -> None:
    """Tell the host the exception that `stage` raised; if a later stage raises it again, report nothing more."""
    if line.failed is error:
        return
    line.failed = error
    if isinstance(error, MistakeError):
        stage, said, trace, lines, cure = "", error.said, "", error.lines, error.advice
    elif isinstance(error, ApartError):
        said, trace, lines, cure = error.said, error.trace, error.lines, advice(error.said)
    else:
        said = traceback.format_exception_only(error)[-1].strip()
        trace = "".join(traceback.format_exception(type(error), error, _from_the_lab(error.__traceback__, lab)))
        lines, cure = lines_of(error), advice(said)
    own = own_lines(lines, Path(lab).parent)
    with suppress(OSError):  # the launcher is gone: nobody can receive the report
        line.send(Failed(line.rank, stage, plain(said), plain(trace), own, cure))


def _from_the_lab(trace: TracebackType | None, lab: str) -> TracebackType | None:
    """The traceback from the lab's file on: the frames before it explain nothing. All of it if it has no such frame."""
    frame = trace
    while frame is not None and frame.tb_frame.f_code.co_filename != lab:
        frame = frame.tb_next
    return frame or trace


def is_success(error: BaseException) -> bool:
    """Whether the exception is a program's normal end: `sys.exit()` or `sys.exit(0)`."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


def plain(text: str) -> str:
    """Text that can be sent: characters that represent bytes outside UTF-8 are escaped."""
    return text.encode(errors="backslashreplace").decode()
