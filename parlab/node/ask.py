"""Asks a program of this package about a lab's file, beside the launches; ends the program if it takes too long."""

import asyncio
import faulthandler
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryDirectory, TemporaryFile

from msgspec.structs import replace

from parlab.model.messages import Answered, Ask
from parlab.node.processes import end_processes

ANSWER_BYTES = 64 * 1024 * 1024
SAID_BYTES = 16 * 1024  # of the end of its standard error
NOT_STARTED = 127  # a shell's exit code for that
LOOK_SECONDS = 0.01
STACK = "PARLAB_STACK"  # in the program's environment: a file descriptor, and after how many seconds it is written to
WARNED = 0.9  # of its time
HANGING_SECONDS = 1.0  # for the rest to arrive, once it has answered or ended


def watch() -> None:
    """In the program: its stack is reported if it takes too long."""
    if told := os.environ.get(STACK):
        stack, seconds = told.split()
        faulthandler.dump_traceback_later(float(seconds), file=int(stack))


async def ask(question: Ask) -> Answered:
    """Run the program with the question's text on its standard input; the answer is a line of its standard output.

    The processes that it starts have the mark of a launch's processes, PARLAB_RUN, and are ended with it. Its folder
    for temporary files goes with it: an MPI of one process leaves its session there.
    """
    run = question.env["PARLAB_RUN"].encode()
    with TemporaryFile() as stack, TemporaryDirectory(prefix="parlab-", ignore_cleanup_errors=True) as scratch:
        answered = await _answer_of(question, run, stack.fileno(), scratch)
        stack.seek(0)
        return replace(answered, stack=stack.read().decode(errors="replace"))


async def _answer_of(question: Ask, run: bytes, stack: int, scratch: str) -> Answered:
    """The program's answer. It writes its stack to the file descriptor `stack` before its time is up.

    Its standard error would not do: there, the processes that it has started may write any amount after the stack.
    """
    watch = {STACK: f"{stack} {WARNED * question.seconds}"}
    try:
        process = await asyncio.create_subprocess_exec(
            *question.argv,
            env=os.environ | question.env | watch | {"TMPDIR": scratch},
            pass_fds=[stack],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=ANSWER_BYTES,
        )
    except OSError as error:
        return Answered(NOT_STARTED, "", [str(error)])
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said = asyncio.create_task(_last_of(process.stderr))
    answer = asyncio.create_task(process.stdout.readline())  # not to the end: forked processes keep it open
    try:
        with suppress(ConnectionError):  # a program that reads nothing has reported why
            process.stdin.write(question.text.encode())
            process.stdin.close()
        await _until(lambda: answer.done() or process.returncode is not None, question.seconds)
        await _until(lambda: answer.done() and process.returncode is not None, HANGING_SECONDS)
        code = process.returncode
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        end_processes(lambda launch: launch == run)
    output = answer.result() if answer.done() else b""
    answer.cancel()
    await asyncio.wait([said], timeout=HANGING_SECONDS)
    words = said.result() if said.done() else b""
    said.cancel()
    return Answered(code, output.decode(errors="replace"), words.decode(errors="replace").splitlines())


async def _until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for the condition, at most `seconds`. (A process's `wait` also waits for all that have its pipes open.)"""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)


async def _last_of(stream: asyncio.StreamReader) -> bytes:
    """The last SAID_BYTES bytes of a stream of any length."""
    last = b""
    while piece := await stream.read(SAID_BYTES):
        last = (last + piece)[-SAID_BYTES:]
    return last
