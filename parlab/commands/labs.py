"""The commands that run a lab, and those that show and compare kept runs."""

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
    """Print expected errors as text on stderr, and exit with the code of their class; one line for bad usage."""
    try:
        with interruptible():
            yield
    except (ParlabError, Interrupted) as error:
        print(f"{'usage' if isinstance(error, UsageError) else 'error'}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python reports an error at its end
        sys.exit(EXIT_CLOSED_PIPE)
    except FAILURES as error:
        print(f"error: {describe(error)}", file=sys.stderr)
        sys.exit(RunError.exit_code)


def run_and_show(path: Path, request: Request, output: Output) -> None:
    """Run a lab, show it, keep its record; exit with the verdict's code unless it is good. Raises ParlabError."""
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
    """Run a lab, keep its record, and call `tell` with the run and the record's place. Raises ParlabError."""
    see_that_it_can_be_a_lab(path)
    heading = path.stem if watch is Watch.BRIEFLY else f"{path.stem}: {read_handout(path).title}"
    with observing(console, heading, watch) as observer, heard(request.cluster, _complain) as questions:
        backend = open_backend(request.backend, request.cluster, observer.say)
        run = run_lab(path, request, backend, observer, questions)
    with deferred():  # a Ctrl-C now must not lose the measurement
        tell(run, _keep(run))
    return run


def _complain(line: str) -> None:
    print(line, file=sys.stderr)


def tell_failure(run: Run) -> None:
    """If a run broke off, print the reason on stderr."""
    if run.failure is not None:
        _complain(f"error: {run.failure.text}")


def _keep(run: Run) -> Text:
    """Keep the record; return a line with its place or the error, to be shown after the run's numbers."""
    try:
        return Text(f"kept as {shown(keep(run))}; {COMMAND} report draws it", style="dim")
    except OSError as error:
        return Text(f"not kept in {RESULTS}: {error}", style="yellow")


def write_or_complain(path: Path, text: str) -> list[str]:
    """Write a file; return a line with the error if it could not be written, else an empty list."""
    try:
        write_whole(path, text)
    except OSError as error:
        return [f"{path} could not be written: {error}"]
    return []


def list_results() -> None:
    """List the runs in results/, the newest first, and the errors of records that cannot be read."""
    console = make_console()
    runs, unread = read_all()
    if runs:
        console.print(list_of(runs))
    for number, why in unread.items():
        console.print(Text(f"{number}  {why}", "red"), soft_wrap=True)
    if not runs and not unread:
        console.print(Text(f"{RESULTS} is empty: every run of a lab is kept there"), soft_wrap=True)


def show_result(wanted: str, *, verbose: bool) -> None:
    """Show a kept run as after its end. Raises UsageError if there is no such run, or if it cannot be read."""
    path = find(wanted)
    run = read_json(path)
    show_run(make_console(), run, verbose=verbose, beside=[Text(f"kept as {shown(path)}", style="dim")])
    tell_failure(run)


def compare(first: str, second: str) -> tuple[Run, Run]:
    """Show two runs side by side, and return them. Raises UsageError if one does not exist or cannot be read."""
    runs = read_json(find(first)), read_json(find(second))
    show_comparison(make_console(), *runs)
    return runs


def run_file(path: Path) -> None:
    """`python labs/NAME.py`: run the lab on this machine, show the table, and exit as `./invoke lab.NAME` does."""
    with exiting():
        run_and_show(path.resolve(), Request(backend="embedded"), Output())
