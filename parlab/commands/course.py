"""The labs as a course: listed in teaching order, explained, and run one after another."""

import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from parlab.backend.engine import FAILURES, describe
from parlab.commands.labs import run_one, tell_failure, write_or_complain
from parlab.course.catalog import lab_files
from parlab.course.handout import Handout, in_teaching_order, read_handout
from parlab.course.new import write_lab
from parlab.errors import Interrupted, ParlabError, RunError, UsageError
from parlab.host.places import COMMAND, INSTALLED, shown
from parlab.judge.verdict import worst
from parlab.results.junit import to_junit
from parlab.results.record import Run
from parlab.results.store import see_that_it_can_be_written
from parlab.run.request import Output, Request
from parlab.terminal.handout import set_handout
from parlab.terminal.tables import make_console, plain_table, show_run, show_summary


def handouts() -> list[Handout]:
    """The handouts of all labs, in teaching order."""
    return in_teaching_order([read_handout(path) for path in lab_files().values()])


def list_labs() -> None:
    """Show each lab's question, the lessons it comes from and how long it takes a learner, in teaching order."""
    console = make_console()
    table = plain_table("lab", "its question", "lessons", "minutes")
    for handout in handouts():
        question = handout.line("Question") or handout.title
        table.add_row(handout.name, Text(question), handout.line("Lessons"), handout.line("Minutes"))
    console.print(table)
    console.print(f"\n{COMMAND} lab.NAME --explain prints a lab's handout, {COMMAND} lab.NAME runs it.", style="dim")


def explain(path: Path) -> None:
    """Print a lab's handout."""
    console = make_console()
    for part in set_handout(read_handout(path), console.width):
        console.print(part)


def new(name: str, tasks: Collection[str]) -> None:
    """Write a new lab, and say how to run it. Raises UsageError for a name that it cannot have."""
    path = write_lab(name, tasks)
    run = f"{COMMAND} {shown(path)}" if INSTALLED else f"{COMMAND} lab.{name} --check"
    print(f"{shown(path)} is written: a lab that runs. Try it: {run}")
    print("What to change is in its handout, under `To change`.")


def run_all(request: Request, output: Output) -> None:
    """Run every lab in teaching order, and sum up; exit with the first code that applies to one. Raises ParlabError.

    A lab that was refused, as its cluster does not fit this machine, makes that 2, though others ran.
    """
    see_that_it_can_be_written()
    console = make_console()
    timed, refused = _run_each(console, request, output)
    runs = [run for run, _ in timed]
    reasons = {name: str(error) for name, error in refused.items()}
    show_summary(console, timed, reasons)
    xml = to_junit(*runs, not_run=reasons)
    unwritten = write_or_complain(output.junit, xml) if output.junit is not None else []
    if unwritten:
        raise ParlabError("; ".join(unwritten))
    if code := _exit_code(runs, refused.values(), check=output.check):
        sys.exit(code)


def _exit_code(runs: Sequence[Run], refused: Collection[ParlabError | Interrupted], *, check: bool) -> int:
    """What broke off or did not come up goes before a lab that was refused, and that before whatever else applies."""
    if any(run.failure is not None for run in runs):
        return worst(runs, check=check)
    return max((error.exit_code for error in refused), default=worst(runs, check=check))


def _run_each(
    console: Console, request: Request, output: Output
) -> tuple[list[tuple[Run, float]], dict[str, ParlabError | Interrupted]]:
    """Each run and the seconds that it took; why a lab did not run, by its name.

    None follows an interruption, or a cluster that does not come up.
    """

    def tell(run: Run, where: Text) -> None:
        if output.quiet:
            return
        show_run(console, run)
        console.print(where, soft_wrap=True)
        console.print()

    timed: list[tuple[Run, float]] = []
    refused: dict[str, ParlabError | Interrupted] = {}
    paths = lab_files()
    for handout in handouts():
        began = time.monotonic()
        try:
            run = run_one(console, paths[handout.name], request, tell, quiet=output.quiet)
        except UsageError as error:  # a machine that is too small for one lab may do for the others
            refused[handout.name] = error
            continue
        except (
            ParlabError,
            Interrupted,
        ) as error:  # a cluster that does not come up; what was measured is still told
            refused[handout.name] = error
            break
        except FAILURES as error:
            refused[handout.name] = RunError(describe(error))
            break
        tell_failure(run)
        timed.append((run, time.monotonic() - began))
        if run.failure is not None and run.failure.ends_everything:
            break
    return timed, refused
