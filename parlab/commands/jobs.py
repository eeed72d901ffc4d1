"""The command `run`, for the user's own programs."""

import os
import sys
from datetime import datetime
from itertools import product
from textwrap import fill
from typing import NoReturn

from parlab.backend.base import Backend
from parlab.backend.engine import FAILURES, describe
from parlab.backend.registry import open_backend
from parlab.commands.labs import write_or_complain
from parlab.errors import Interrupted, ParlabError, UsageError
from parlab.host.background import Turn
from parlab.host.places import COMMAND, RESULTS, shown
from parlab.host.questions import ask, heard
from parlab.host.signals import deferred, was_put_off
from parlab.results.junit import to_junit
from parlab.results.record import Failure, Run
from parlab.results.store import as_text, keep
from parlab.run.asked import EXIT_OURS, Ask, Outcome
from parlab.run.job import run_job
from parlab.run.job_record import record
from parlab.run.job_request import JobRequest, check_backend
from parlab.run.observer import Observer
from parlab.terminal.job import in_a_table, in_six_lines, of_tasks, size_of
from parlab.terminal.live import Silence
from parlab.terminal.tables import WIDTH

OWN = ("run", "exec")  # the options of these tasks are followed by a program and the program's own arguments
OURS = "parlab: "  # prefix of each line of ours
LEAST_WIDTH = 40  # columns; a terminal may say that it has none
HANGING = " " * 12  # indent of continuation lines: that of the text in lines such as `limits      held`
WORDS = "program_words"  # the key of the program and its arguments in invoke's configuration


class Told(Silence):
    """Prints on standard error, because standard output belongs to the program."""

    def say(self, text: str) -> None:
        """Print a line."""
        tell(text)


def tell(text: str) -> None:
    """Print one of our lines on standard error."""
    print(f"{OURS}{text}", file=sys.stderr, flush=True)


def tell_lines(text: str) -> None:
    """Print several of our lines on standard error."""
    for line in text.splitlines():
        tell(line)


def why(cluster: str) -> None:
    """Print the current state of programs and labs on this cluster, embedded or not. Raises UsageError if none runs."""
    answers = ask(cluster)
    if not answers:
        raise UsageError(f"no program or lab runs on cluster {cluster}: {COMMAND} run starts one")
    for number, answer in answers.items():
        if len(answers) > 1:
            print(f"process {number}:")
        print(answer or f"it does not answer: it starts, or ends (process {number})")


def open_for(request: JobRequest, observer: Observer) -> Backend:
    """Open the backend for the program. Raises UsageError if the program cannot run there."""
    backend = open_backend(request.backend, request.cluster, observer.say)
    check_backend(request, backend.name)  # without an engine, the default is another backend
    for asked in request.asks:
        backend.check_fits(asked.spec)
    return backend


def run_program(request: JobRequest, turn: Turn) -> None:
    """Run a program, print a summary, and exit with the program's code; exit with 125 if parlab itself fails.

    With several runs, no further run starts after the program has failed in one.
    """
    observer, now = Silence() if request.quiet else Told(), datetime.now().astimezone()
    ran: list[tuple[Ask, list[Outcome]]] = []
    failure: Failure | None = None
    try:
        backend = open_for(request, observer)
        turn.wait(backend.name, observer.say)
        with heard(request.cluster, tell_lines) as questions:
            for asked, number in product(request.asks, range(request.repeat)):
                if ran and was_put_off():
                    failure = Failure("interrupted: no further run was started", Interrupted.exit_code)
                    break
                if number == 0 and request.sweep is not None:
                    observer.say(f"{request.sweep.key}={size_of(asked, request.sweep)}")
                outcome = run_job(asked, backend, observer, questions, turn)
                if number == 0:
                    ran.append((asked, []))
                ran[-1][1].append(outcome)
                tell_lines("\n".join(outcome.said))
                if outcome.code:
                    break
    except Interrupted as error:
        tell(f"exit code {error.exit_code} is parlab's: {error}")
        sys.exit(error.exit_code)
    except ParlabError as error:
        if isinstance(error, UsageError) and not ran:
            raise
        failure = Failure(str(error), EXIT_OURS)
    except FAILURES as error:
        failure = Failure(describe(error), EXIT_OURS)
    if not ran:
        _exit_as_ours(failure.text if failure is not None else "")
    try:
        run = record(ran, request.sweep, backend, now, failure)  # the runs before the failure, if there was one
    except ParlabError as error:
        _exit_as_ours(str(error) if failure is None else failure.text)
    except FAILURES as error:
        _exit_as_ours(describe(error) if failure is None else failure.text)
    with deferred():
        told = in_six_lines(run, ran[-1][1]) if request.sweep is None else in_a_table(run, ran, request.sweep)
        for line in () if request.quiet else told:
            tell_lines(_wrapped(line))
        if request.asks[0].trace and not request.quiet:
            width, plain = _screen()
            for line in of_tasks(run, ran[-1][1], width, plain=plain):
                tell(line)
        unwritten = _keep(run, request)
    if failure is not None:
        _exit_as_ours(failure.text)
    if outcome.code:
        tell(f"exit code {outcome.code} is {outcome.whose}")
        sys.exit(outcome.code)
    if unwritten:
        sys.exit(EXIT_OURS)


def _screen() -> tuple[int, bool]:
    """The maximum width of our lines on standard error, and whether it is limited to ASCII."""
    width = os.get_terminal_size(sys.stderr.fileno()).columns if sys.stderr.isatty() else WIDTH
    return max(LEAST_WIDTH, (width or WIDTH) - len(OURS)), "utf" not in (sys.stderr.encoding or "").lower()


def _wrapped(line: str) -> str:
    """A line of the summary, wrapped to the terminal's width; in a file it stays one line."""
    if not sys.stderr.isatty():
        return line
    width, _ = _screen()
    return fill(line, width, subsequent_indent=HANGING, break_long_words=False, break_on_hyphens=False)


def _keep(run: Run, request: JobRequest) -> list[str]:
    """Keep the record, and write other requested files; return a message for each file that could not be written."""
    try:
        kept = keep(run)
        if not request.quiet:
            tell(f"kept as {shown(kept)}; {COMMAND} report draws it")
    except OSError as error:
        tell(f"not kept in {RESULTS}: {error}")
    wanted = ((request.json, as_text), (request.junit, to_junit))
    wrong = [line for path, text in wanted if path is not None for line in write_or_complain(path, text(run))]
    for line in wrong:
        tell(line)
    return wrong


def _exit_as_ours(said: str) -> NoReturn:
    tell_lines(said)
    tell(f"exit code {EXIT_OURS} is parlab's")
    sys.exit(EXIT_OURS)
