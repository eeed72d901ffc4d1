"""The labs as a course: lists them in teaching order, explains them, and runs them one after another."""

import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from parlab.backend.engine import FAILURES, describe
from parlab.commands.labs import run_one, tell_failure, write_or_complain
from parlab.course.catalog import lab_files
from parlab.course.glossary import glossary, glossary_by_group, look_up
from parlab.course.handout import Handout, in_teaching_order, read_handout
from parlab.course.new import write_lab
from parlab.errors import Interrupted, ParlabError, RunError, UsageError
from parlab.host.places import COMMAND, INSTALLED, shown
from parlab.judge.verdict import worst
from parlab.results.junit import to_junit
from parlab.results.record import Run
from parlab.results.store import kept, see_that_it_can_be_written
from parlab.run.request import Output, Request
from parlab.terminal.glossary import set_glossary
from parlab.terminal.handout import set_handout
from parlab.terminal.live import Watch
from parlab.terminal.several import Rows, show_open
from parlab.terminal.tables import make_console, plain_table, show_run

Came = Run | ParlabError | Interrupted  # the result for a lab: its run, or the reason why it did not run


def handouts() -> list[Handout]:
    """The handouts of all labs, in teaching order."""
    return in_teaching_order([read_handout(path) for path in lab_files().values()])


def list_labs() -> None:
    """Print each lab's question, its lessons, and the minutes that a learner needs, in teaching order."""
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
    console.print(f"\n{COMMAND} glossary explains the terms that all labs use.", style="dim")


def explain_terms(asked: str) -> None:
    """Print the glossary, or one term of it. Raises UsageError if there is no such term."""
    console = make_console()
    if not asked:
        for part in set_glossary(glossary_by_group(), console.width):
            console.print(part)
        return
    terms = glossary()
    term = look_up(asked, terms)
    console.print(Text.assemble((term, "bold"), f": {terms[term]}"))


def new(name: str, tasks: Collection[str]) -> None:
    """Write a new lab, and print how to run it. Raises UsageError for an invalid name."""
    path = write_lab(name, tasks)
    run = f"{COMMAND} {shown(path)}" if INSTALLED else f"{COMMAND} lab.{name} --check"
    print(f"{shown(path)} is written: a lab that runs. Try it: {run}")
    print("What to change is in its handout, under `To change`.")


def run_all(request: Request, output: Output) -> None:
    """Run all labs in teaching order, and sum up; exit with the most severe code. Raises ParlabError.

    Each lab's line is printed when the lab is done. With `quiet` or `verbose`, all lines come at the end; `verbose`
    prints the full output of each lab before them. If a lab was refused, e.g. because its cluster does not fit this
    machine, the exit code is 2, although others ran.
    """
    see_that_it_can_be_written()
    console = make_console()
    labs = handouts()
    rows = Rows(console, [handout.name for handout in labs])
    at_once = not (output.quiet or output.verbose)
    if at_once:
        rows.heading()
    done = []
    for handout, came, took_s in _run_each(console, labs, request, output):
        done.append((handout, came, took_s))
        if at_once:
            _row(rows, handout.name, came, took_s)
    if not at_once:
        rows.heading()
        for handout, came, took_s in done:
            _row(rows, handout.name, came, took_s)
    rows.total(sum(took_s for _, _, took_s in done))
    runs = [came for _, came, _ in done if isinstance(came, Run)]
    refused = {handout.name: came for handout, came, _ in done if not isinstance(came, Run)}
    reasons = {name: str(error) for name, error in refused.items()}
    show_open(console, runs, reasons, {path.stem: number for number, path in enumerate(kept(), 1)})
    xml = to_junit(*runs, not_run=reasons)
    unwritten = write_or_complain(output.junit, xml) if output.junit is not None else []
    if unwritten:
        raise ParlabError("; ".join(unwritten))
    if code := _exit_code(runs, refused.values(), check=output.check):
        sys.exit(code)


def _row(rows: Rows, lab: str, came: Came, took_s: float) -> None:
    if isinstance(came, Run):
        rows.ran(came, took_s)
    else:
        rows.refused(lab)


def _exit_code(runs: Sequence[Run], refused: Collection[ParlabError | Interrupted], *, check: bool) -> int:
    """The exit code. A broken-off run or a failed start comes first, then a refused lab, then all other results."""
    if any(run.failure is not None for run in runs):
        return worst(runs, check=check)
    return max((error.exit_code for error in refused), default=worst(runs, check=check))


def _run_each(
    console: Console, labs: Sequence[Handout], request: Request, output: Output
) -> Iterator[tuple[Handout, Came, float]]:
    """Yield each lab with its run, or the reason why it did not run, and its duration in seconds.

    Stops after an interruption, or if a cluster does not come up.
    """

    def tell(run: Run, where: Text) -> None:
        if output.verbose:
            console.print()
            show_run(console, run, verbose=True, beside=[where])
            console.print()

    watch = Watch.NOT if output.quiet else Watch.CLOSELY if output.verbose else Watch.BRIEFLY
    paths = lab_files()
    for handout in labs:
        began = time.monotonic()
        came: Came
        try:
            came = run_one(console, paths[handout.name], request, tell, watch)
        except (ParlabError, Interrupted) as error:
            came = error
        except FAILURES as error:
            came = RunError(describe(error))
        yield handout, came, time.monotonic() - began
        if isinstance(came, Run):
            tell_failure(came)
            if came.failure is not None and came.failure.ends_everything:
                return
        elif not isinstance(came, UsageError):  # a machine too small for one lab may be large enough for others
            return
