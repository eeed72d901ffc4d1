"""What a command does between its arguments and its exit code."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from parlab.backend.engine import FAILURES, describe
from parlab.backend.registry import open_backend
from parlab.course.catalog import see_that_it_can_be_a_lab
from parlab.course.handout import read_handout
from parlab.errors import EXIT_CLOSED_PIPE, Interrupted, ParlabError, RunError, UsageError
from parlab.host.places import COMMAND, RESULTS, shown
from parlab.host.questions import heard
from parlab.host.signals import deferred, interruptible
from parlab.judge.verdict import exit_code
from parlab.results.junit import to_junit
from parlab.results.record import Run
from parlab.results.store import (
    as_text,
    find,
    keep,
    read_all,
    read_json,
    see_that_it_can_be_written,
    write_whole,
)
from parlab.results.trace import to_trace
from parlab.run.invocation import run_lab
from parlab.run.request import Output, Request
from parlab.terminal.live import Watch, observing
from parlab.terminal.tables import list_of, make_console, show_comparison, show_run


@contextmanager
def exiting() -> Iterator[None]:
    """Tell foreseen errors in words on stderr, and exit with the code of their class; one line for bad usage."""
    try:
        with interruptible():
            yield
    except (ParlabError, Interrupted) as error:
        print(f"{'usage' if isinstance(error, UsageError) else 'error'}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains of it at its end
        sys.exit(EXIT_CLOSED_PIPE)
    except FAILURES as error:
        print(f"error: {describe(error)}", file=sys.stderr)
        sys.exit(RunError.exit_code)


def run_and_show(path: Path, request: Request, output: Output) -> None:
    """Run a lab, show it, keep its record; where the verdict is not good, exit with its code. Raises ParlabError."""
    wanted: list[tuple[Path | None, Callable[[Run], str]]] = [
        (output.json, as_text),
        (output.junit, to_junit),
        (output.trace, to_trace),
    ]
    see_that_it_can_be_written()
    console = make_console()
    unwritten = []

    def tell(run: Run, where: Text) -> None:
        lines = [where]
        for path, text in wanted:
            if path is not None:
                if wrong := write_or_complain(path, text(run)):
                    unwritten.extend(wrong)
                else:
                    lines.append(Text(f"written: {shown(path)}", style="dim"))
        if not output.quiet:
            console.print()
        show_run(console, run, quiet=output.quiet, verbose=output.verbose, beside=lines)

    run = run_one(console, path, request, tell, Watch.NOT if output.quiet else Watch.CLOSELY)
    tell_failure(run)
    for wrong in unwritten:
        print(f"error: {wrong}", file=sys.stderr)
    if code := exit_code(run, check=output.check) or (ParlabError.exit_code if unwritten else 0):
        sys.exit(code)


def run_one(console: Console, path: Path, request: Request, tell: Callable[[Run, Text], None], watch: Watch) -> Run:
    """Run a lab, keep its record, and `tell` of it and of where that is. Raises ParlabError."""
    see_that_it_can_be_a_lab(path)
    heading = path.stem if watch is Watch.BRIEFLY else f"{path.stem}: {read_handout(path).title}"
    with observing(console, heading, watch) as observer, heard(request.cluster, _complain) as questions:
        backend = open_backend(request.backend, request.cluster, observer.say)
        run = run_lab(path, request, backend, observer, questions)
    with deferred():  # a Ctrl-C now must not lose what was measured
        tell(run, _keep(run))
    return run


def _complain(line: str) -> None:
    print(line, file=sys.stderr)


def tell_failure(run: Run) -> None:
    """Say on stderr why a run broke off, if it did."""
    if run.failure is not None:
        _complain(f"error: {run.failure.text}")


def _keep(run: Run) -> Text:
    """Keep the record; where it is, or why it is not, to be said after the run's figures."""
    try:
        return Text(f"kept as {shown(keep(run))}; {COMMAND} report draws it", style="dim")
    except OSError as error:
        return Text(f"not kept in {RESULTS}: {error}", style="yellow")


def write_or_complain(path: Path, text: str) -> list[str]:
    """Write a file; why it could not be written, or nothing."""
    try:
        write_whole(path, text)
    except OSError as error:
        return [f"{path} could not be written: {error}"]
    return []


def list_results() -> None:
    """Show the runs in results/, the newest first; one that cannot be read says why, and hides no other."""
    console = make_console()
    runs, unread = read_all()
    if runs:
        console.print(list_of(runs))
    for number, why in unread.items():
        console.print(Text(f"{number}  {why}", "red"), soft_wrap=True)
    if not runs and not unread:
        console.print(Text(f"{RESULTS} is empty: every run of a lab is kept there"), soft_wrap=True)


def show_result(wanted: str, *, verbose: bool) -> None:
    """Show a kept run as it was shown when it was done. Raises UsageError for one that is not there, or not read."""
    path = find(wanted)
    run = read_json(path)
    show_run(make_console(), run, verbose=verbose, beside=[Text(f"kept as {shown(path)}", style="dim")])
    tell_failure(run)


def compare(first: str, second: str) -> tuple[Run, Run]:
    """Show two runs side by side, and return them. Raises UsageError when there is no such run, or none is read."""
    runs = read_json(find(first)), read_json(find(second))
    show_comparison(make_console(), *runs)
    return runs


def run_file(path: Path) -> None:
    """`python labs/NAME.py`: the lab on this machine, with the table; exits as `./invoke lab.NAME` would."""
    with exiting():
        run_and_show(path.resolve(), Request(backend="embedded"), Output())
