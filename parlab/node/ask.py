"""Asks a program of this package about a lab's file, beside the launches, and ends it when it takes too long."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from parlab.model.messages import Answered, Ask
from parlab.node.processes import end_processes

ANSWER_BYTES = 64 * 1024 * 1024
SAID_BYTES = 16 * 1024  # of its last words
NOT_STARTED = 127  # as a shell has it
LOOK_SECONDS = 0.01
HANGING_SECONDS = 1.0  # for those to come, once it has ended


async def ask(question: Ask) -> Answered:
    """Run the program with the question's text on its standard input; what it answers on its standard output.

    What it starts is marked as a launch's processes are, by PARLAB_RUN, and ended with it.
    """
    run = question.env["PARLAB_RUN"].encode()
    try:
        process = await asyncio.create_subprocess_exec(
            *question.argv,
            env=os.environ | question.env,
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
    answer = asyncio.create_task(process.stdout.readline())  # not to the end: what the file has forked holds it open
    try:
        with suppress(ConnectionError):  # a program that reads nothing has said why
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
    """Wait until that is so. (A process's `wait` also waits for whoever has its pipes open.)"""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)


async def _last_of(stream: asyncio.StreamReader) -> bytes:
    """The last bytes of a stream, however many come."""
    last = b""
    while piece := await stream.read(SAID_BYTES):
        last = (last + piece)[-SAID_BYTES:]
    return last
