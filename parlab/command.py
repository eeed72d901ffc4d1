"""What a command does between its arguments and its exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from parlab.backend.engine import FAILURES
from parlab.catalog import load_lab, title
from parlab.console import make_console, show_comparison, show_line, show_run
from parlab.errors import Interrupted, ParlabError, RunError, UsageError
from parlab.junit import to_junit
from parlab.live import watching
from parlab.options import Options, read_file
from parlab.results import RESULTS, find, keep, kept, read_json, write_json, write_whole
from parlab.run import run_lab
from parlab.signals import deferred, interruptible
from parlab.verdict import exit_code


@contextmanager
def exiting() -> Iterator[None]:
    """Tell foreseen errors in words on stderr, and exit with the code of their class; one line for bad usage."""
    try:
        with interruptible():
            yield
    except (ParlabError, Interrupted) as error:
        print(f"{'usage' if isinstance(error, UsageError) else 'error'}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except FAILURES as error:
        print(f"error: the engine failed: {error}. Does it still run? ./invoke status", file=sys.stderr)
        sys.exit(RunError.exit_code)


def run_and_show(path: Path, options: Options) -> None:
    """Run a lab, show it, keep its record; exit with the code of its verdict. Raises ParlabError."""
    record, report = read_file("--json", options.json), read_file("--junit", options.junit)
    console = make_console()
    lab = load_lab(path)
    with watching(console, f"{path.stem}: {title(path)}", quiet=options.quiet) as watcher:
        run = run_lab(lab, path, options, watcher)
    with deferred():  # a Ctrl-C now must not lose what was measured
        show_run(console, run)
        try:
            console.print(Text(f"kept as {os.path.relpath(keep(run))}", style="dim"), soft_wrap=True)
        except OSError as error:
            console.print(Text(f"not kept in {RESULTS}: {error}", style="yellow"), soft_wrap=True)
        if record is not None:
            with _told("record", record):
                write_json(run, record)
        if report is not None:
            with _told("JUnit report", report):
                write_whole(report, to_junit(run))
    if run.failure is not None:
        print(f"error: {run.failure.text}", file=sys.stderr)
    sys.exit(exit_code(run, check=options.check))


@contextmanager
def _told(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ParlabError(f"the {what} could not be written to {path}: {error}") from error


def list_results() -> None:
    """Show the runs in results/, the newest first; one that cannot be read says why, and hides no other."""
    console = make_console()
    for number, path in enumerate(kept(), 1):
        try:
            show_line(console, number, read_json(path))
        except UsageError as error:
            console.print(Text(f"{number:3}  {error}", "red"), soft_wrap=True)
    if not kept():
        console.print("results/ is empty: every run of a lab is kept there")


def compare(first: str, second: str) -> None:
    """Show two runs side by side. Raises UsageError when there is no such run, or it cannot be read."""
    show_comparison(make_console(), read_json(find(first)), read_json(find(second)))


def run_file(name: str) -> None:
    """`python labs/NAME.py`: the lab on this machine, with the table; exits as `./invoke lab.NAME` would."""
    _remove_own_segment()
    with exiting():
        run_and_show(Path(name).resolve(), Options(backend="embedded"))


def _remove_own_segment() -> None:
    """Remove the shared memory of an MPI that nobody here uses.

    A lab that imports mpi4py starts MPI in this very process, and Open MPI 5.0.11 leaves the file of such a singleton
    behind for good. What is mapped stays mapped.
    """
    maps = Path("/proc/self/maps")
    for line in maps.read_text().splitlines() if maps.exists() else ():
        file = Path(line.split()[-1])
        if file.name.startswith("sm_segment."):
            file.unlink(missing_ok=True)
