"""The output for a Run: pictures, the table, the four answers; a list of runs; two runs side by side."""

import math
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from parlab.formatting import number, percent, seconds, signed_percent, times
from parlab.model.case import RIGHT
from parlab.model.job import typed
from parlab.results.record import Answer, MeasuredCase, Run
from parlab.terminal.breakdowns import in_bars, in_columns
from parlab.terminal.names import LEAST, broken, room, widest
from parlab.terminal.summary import (
    INVALID,
    WITHIN_NOISE,
    claim_in_words,
    comparison_rows,
    differences,
    ideal_in_words,
    in_short,
    most_off_by,
    not_significant,
    remarks,
    sizes,
)
from parlab.terminal.timeline import timeline

WIDTH = 80  # columns, if the output is not a terminal
LONG_PROGRAM = 24  # columns for a program with its arguments, in a list
LOUD = "bold #ffffff on #b00000"
SHORT = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.UNDECIDED: "undecided",
    Answer.CANNOT: "cannot",
    Answer.NO_CLAIMS: "none",
}
STYLES = {
    Answer.YES: "green",
    Answer.NO: "bold red",
    Answer.UNDECIDED: "yellow",
    Answer.CANNOT: "yellow",
    Answer.NO_CLAIMS: "dim",
}


class _Console(Console):
    """Reports a closed pipe as an error. Rich would exit with 1, which is the code for a wrong result."""

    def on_broken_pipe(self) -> None:
        """Called by rich while it handles the error."""
        raise BrokenPipeError


def make_console() -> Console:
    """A console on standard output. It does not colour numbers; in a file its width is WIDTH, not a guess."""
    return _Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def plain_table(*headings: str, right: bool = False) -> Table:
    """A table without lines, with bold headings; with `right`, all columns but the first are aligned at the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if right and index else "left", overflow="fold")
    return table


def show_run(
    console: Console, run: Run, *, quiet: bool = False, verbose: bool = False, beside: Sequence[Text] = ()
) -> None:
    """Print everything about a run except why it broke off. The table and the verdict come last, to stay on the screen.

    `quiet` leaves out pictures and metrics. `verbose` adds a row for each worker, all shares of the time, and the
    evidence for each claim. `beside` holds lines that follow the verdict, such as the place of the record.
    """
    if run.cases:
        warnings = [Text(remark, "yellow") for remark in remarks(run)]
        for block in warnings if quiet else [*warnings, *_pictures(console, run, verbose=verbose)]:
            console.print(block)
            if not quiet:
                console.print()
        console.print(ideal_and_measured(run, console.width))
        console.print()
    if run.cases or run.failure is None:
        console.print(answers(run, verbose=verbose))
    for line in beside:
        console.print(line, soft_wrap=True)
    if not run.verdict.is_measurement:
        console.print(Text(INVALID, LOUD))


def _pictures(console: Console, run: Run, *, verbose: bool) -> Iterator[RenderableType]:
    """The timeline, the breakdown of the time, and the metrics that the cases measured themselves."""
    plain = console.options.ascii_only
    if bars := list(timeline(run, console.width, plain=plain, verbose=verbose)):
        yield Text("\n", no_wrap=True, overflow="ignore").join(bars)
    if not run.command:  # the spans of a program do not tell when it waited, nor when it was ready and did not run
        yield from _where_the_time_went(console, run, verbose=verbose)
    if any(case.metrics for case in run.cases):
        yield figures(run, console.width)


def _where_the_time_went(console: Console, run: Run, *, verbose: bool) -> Iterator[RenderableType]:
    if verbose:
        yield from in_columns(run, console.width)
    elif stacks := list(in_bars(run, console.width, plain=console.options.ascii_only)):
        yield Text("\n", no_wrap=True, overflow="ignore").join(stacks)


def _of_cases(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, words: int = 0) -> Table:
    """A row per case: its name, as wide as the other columns allow, then numbers; the last `words` columns are text."""
    columns = list(zip(headings, *rows, strict=True))
    others = [widest(*column) for column in columns[1:]]
    left = max(LEAST, width - sum(others) - 2 * len(others))
    table = plain_table(*headings[: len(headings) - words], right=True)
    for heading in headings[len(headings) - words :]:
        table.add_column(heading, overflow="fold")
    for name, *cells in rows:
        table.add_row(Text(broken(name, left)), *map(Text, cells))
    return table


def ideal_and_measured(run: Run, width: int = WIDTH) -> Table:
    """A row per case: ideal and measured time; no ideal if no case has one; the lesson's printed time if it has one."""
    repeated = any(len(case.repeats) > 1 for case in run.cases)
    by_lesson = any(case.lesson_s is not None for case in run.cases)
    measured = ["median", "spread"] if repeated else ["measured"]
    lesson = ["lesson"] if by_lesson else []
    ideals = any(case.ideal_s is not None for case in run.cases)
    relative = ["off by", "speed-up"] if ideals else []
    by_node = any(case.spec.nodes > 1 for case in run.cases)
    outcomes = any(case.median_repeat.outcome != RIGHT for case in run.cases)
    as_declared = "outcome" if run.wrong else "outcome,\nas declared"
    words = ["tasks by node"] * by_node + [as_declared] * outcomes
    rows = []
    for case in run.cases:
        printed = [seconds(case.lesson_s)] if by_lesson else []
        measured_s = [seconds(case.measured_s), *([percent(case.spread)] if repeated else [])]
        if not case.times:
            measured_s = ["-"] * len(measured)
        ideal = [ideal_in_words(case)] if ideals else []
        compared = [signed_percent(case.off_by), times(case.speedup)] if ideals else []
        tasks = [tasks_by_node(case) if case.times else "-"] if by_node else []
        outcome = [case.median_repeat.outcome] if outcomes else []
        rows.append([case.name, *printed, *ideal, *measured_s, *compared, *tasks, *outcome])
    headings = ["case", *lesson, *(["ideal"] if ideals else []), *measured, *relative, *words]
    return _of_cases(headings, rows, width, words=len(words))


def tasks_by_node(case: MeasuredCase) -> str:
    """The number of tasks that each node did: `8 8 8 8`; for more than eight nodes, the range."""
    counts = [case.by_node.get(node, 0) for node in case.nodes[1:]]
    if len(counts) <= 8:
        return " ".join(map(str, counts))
    low, high = min(counts), max(counts)
    return f"{low if low == high else f'{low} to {high}'} on each of {len(counts)}"


def figures(run: Run, width: int) -> Table:
    """A row per case: the metrics that it measured itself, to three digits."""
    table = plain_table("figures", "")
    for case in run.cases:
        if case.metrics:
            taken = ", ".join(f"{number(value)} {what}" for what, value in case.metrics.items())
            table.add_row(Text(broken(case.name, room(width))), Text(taken))
    return table


def answers(run: Run, *, verbose: bool = False) -> Table:
    """The four answers, each with its evidence and, for a no, the remedy; below them the claims, if there are several.

    For a claim that is shown, only its name is printed; `verbose` adds how certain it is, and its evidence.
    """
    table = plain_table("verdict", "")
    for question, finding in run.verdict.findings().items():
        text = Text.assemble((finding.answer.value, STYLES[finding.answer]), f": {finding.evidence}")
        if finding.cure:
            text.append(f". {finding.cure[0].upper()}{finding.cure[1:]}.")
        table.add_row(question, text)
    claims = run.verdict.claims if run.cases and run.verdict.is_measurement else ()
    for claim in claims if len(claims) > 1 else ():
        words = claim_in_words(claim) if verbose or claim.answer is not Answer.YES else claim.name
        table.add_row(Text(f"  {SHORT[claim.answer]}", STYLES[claim.answer]), Text(words))
    if verbose and (bases := dict.fromkeys(claim.rests_on for claim in claims if claim.rests_on)):
        table.add_row("", Text(f"Known from: {'; '.join(bases)}.", "dim"))
    return table


def _styled(run: Run) -> Text:
    """The verdict in a word or two."""
    answer = run.verdict.reproduced.answer if run.stands else Answer.NO
    return Text(in_short(run), STYLES[answer])


def _what_ran(run: Run) -> Text:
    """The lab, or the program with its arguments, which distinguish its runs."""
    what = Text(shlex.join(typed(run.command)) if run.command else run.lab)
    what.truncate(LONG_PROGRAM, overflow="ellipsis")
    return what


def list_of(runs: Mapping[int, Run]) -> Table:
    """A row per run, with its number; its size is nodes x cores x speed."""
    table = plain_table("", "lab", "started", "where", "size", "most off by", "verdict")
    for row, run in runs.items():
        most = most_off_by(run)
        nothing = "no ideal" if any(case.times for case in run.cases) else "nothing"
        table.add_row(
            str(row),
            _what_ran(run),
            f"{datetime.fromisoformat(run.started):%d %b %H:%M}",
            run.backend,
            sizes(run),
            nothing if math.isnan(most) else signed_percent(most),
            _styled(run),
        )
    return table


def show_comparison(console: Console, first: Run, second: Run) -> None:
    """Print two runs side by side, A beside B, and every difference that prevents a comparison."""
    for letter, run in (("A", first), ("B", second)):
        console.print(Text.assemble(f"{letter}  {run.id}  {run.backend}  ", _styled(run)))
    for what in differences(first, second):
        console.print(Text(what, "yellow"))
    headings = ("case", "ideal", "A", "B", "B / A", "A off by", "B off by")
    console.print(_of_cases(headings, list(comparison_rows(first, second)), console.width))
    if alike := not_significant(first, second):
        console.print(Text(f"Not significant: {', '.join(alike)}. {WITHIN_NOISE}", "dim"), soft_wrap=False)
