"""What a person sees of a Run: the table, where the time went, the four answers; a list of runs; two side by side."""

import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parlab.formatting import number, percent, plural, seconds, signed_percent, times
from parlab.model.case import RIGHT
from parlab.model.job import typed
from parlab.results.record import Answer, MeasuredCase, Run
from parlab.terminal.summary import (
    CATEGORIES,
    SHOWN_FROM,
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

WIDTH = 80  # of what is not a terminal
LONG_NAME = 24  # columns; beside it a table of 80 has room for the figures
LONG_AMONG_MORE = 16  # the same, where there are repeats to tell of, too
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
    """Lets a closed pipe be told: rich would end the program with 1, which is a wrong result's."""

    def on_broken_pipe(self) -> None:
        """Is called while the error is handled."""
        raise BrokenPipeError


def make_console() -> Console:
    """A console on standard output that neither colours numbers nor guesses at the width of a file."""
    return _Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def plain_table(*headings: str, right: bool = False) -> Table:
    """A table without lines, its headings bold; with `right` all columns but the first hold numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if right and index else "left", overflow="fold")
    return table


def show_run(console: Console, run: Run) -> None:
    """Print everything that there is to say of a run, save why it broke off."""
    if run.cases:
        console.print(ideal_and_measured(run))
        console.print()
        console.print(accounts(run))
        if bars := list(timeline(run, console.width, plain=console.options.ascii_only)):
            console.print()
            console.print(Text("\n".join(bars)), overflow="ignore", no_wrap=True, crop=False)
        if any(case.metrics for case in run.cases):
            console.print()
            console.print(figures(run))
        for remark in remarks(run):
            console.print(Text(remark, "yellow"))
        console.print()
    if run.cases or run.failure is None:
        console.print(answers(run))
    if len(run.verdict.claims) > 1 and run.cases and run.verdict.is_measurement:
        console.print()
        console.print(claims(run))
    if not run.verdict.is_measurement:
        console.print("This is not a measurement: the figures above say nothing about the lab.", style="bold red")


def _named(case: str, most: int = LONG_NAME) -> Text:
    """The name of a case; a long one with its settings on lines of their own, since a table breaks at spaces only."""
    function, bracket, settings = case.partition("(")
    return Text(case if len(case) <= most or not bracket else f"{function}\n ({settings}")


def ideal_and_measured(run: Run) -> Table:
    """A row a case: ideal, if any has one, beside measured, and what the lesson printed where it did."""
    repeated = any(len(case.repeats) > 1 for case in run.cases)
    by_lesson = any(case.lesson_s is not None for case in run.cases)
    measured = ["median", "spread"] if repeated else ["measured"]
    lesson = ["lesson"] if by_lesson else []
    ideals = any(case.ideal_s is not None for case in run.cases)
    relative = ["off by", "speed-up"] if ideals else []
    table = plain_table("case", *lesson, *(["ideal"] if ideals else []), *measured, *relative, right=True)
    by_node = any(case.spec.nodes > 1 for case in run.cases)
    outcomes = any(case.median_repeat.outcome != RIGHT for case in run.cases)
    as_declared = "outcome" if run.wrong else "outcome,\nas declared"
    for heading in ("tasks by node",) * by_node + (as_declared,) * outcomes:
        table.add_column(heading, overflow="fold")
    for case in run.cases:
        printed = [seconds(case.lesson_s)] if by_lesson else []
        measured_s = [seconds(case.measured_s), *([percent(case.spread)] if repeated and case.times else [])]
        if not case.times:
            measured_s = ["-"] * len(measured)
        ideal = [ideal_in_words(case)] if ideals else []
        compared = [signed_percent(case.off_by), times(case.speedup)] if ideals else []
        tasks = [tasks_by_node(case) if case.times else "-"] if by_node else []
        outcome = [case.median_repeat.outcome] if outcomes else []
        name = _named(case.name, LONG_AMONG_MORE if repeated else LONG_NAME)
        table.add_row(name, *printed, *ideal, *measured_s, *compared, *tasks, *outcome)
    return table


def tasks_by_node(case: MeasuredCase) -> str:
    """How many tasks each node did: `8 8 8 8`; of more than eight nodes, the range."""
    counts = [case.by_node.get(node, 0) for node in case.nodes[1:]]
    if len(counts) <= 8:
        return " ".join(map(str, counts))
    low, high = min(counts), max(counts)
    return f"{low if low == high else f'{low} to {high}'} on each of {len(counts)}"


def accounts(run: Run) -> Table:
    """A row a case: where the time of its last-finishing worker went, and what lay before and after."""
    table = plain_table("where the time went", "")
    for case in run.cases:
        parts = [f"{CATEGORIES[name]} {percent(share)}" for name, share in _shares(case).items() if share >= SHOWN_FROM]
        beside = [
            f"start-up {seconds(case.median_repeat.startup_s)}",
            f"shut-down {seconds(case.median_repeat.shutdown_s)}",
        ]
        table.add_row(_named(case.name), f"{', '.join(parts)}; {', '.join(beside)}" if parts else ", ".join(beside))
    return table


def figures(run: Run) -> Table:
    """A row a case: what it has taken itself, to three digits."""
    table = plain_table("figures", "")
    for case in run.cases:
        if case.metrics:
            taken = ", ".join(f"{number(value)} {what}" for what, value in case.metrics.items())
            table.add_row(_named(case.name), Text(taken))
    return table


def _shares(case: MeasuredCase) -> dict[str, float]:
    return case.breakdown().shares() if case.times else {}


def answers(run: Run) -> Table:
    """The four answers, each with its evidence and, of a no, the cure."""
    table = plain_table("verdict", "")
    for question, finding in run.verdict.findings().items():
        text = Text.assemble((finding.answer.value, STYLES[finding.answer]), f": {finding.evidence}")
        if finding.cure:
            text.append(f". {finding.cure[0].upper()}{finding.cure[1:]}.")
        table.add_row(question, text)
    return table


def claims(run: Run) -> Table:
    """A row for each of the lab's claims, with how sure its answer is; then what that rests on."""
    table = plain_table("claims", "")
    for claim in run.verdict.claims:
        table.add_row(Text(SHORT[claim.answer], STYLES[claim.answer]), Text(claim_in_words(claim)))
    if bases := dict.fromkeys(claim.rests_on for claim in run.verdict.claims if claim.rests_on):
        table.add_row("", Text(f"Known from: {'; '.join(bases)}.", "dim"))
    return table


def show_summary(console: Console, runs: Sequence[tuple[Run, float]], refused: Mapping[str, str]) -> None:
    """Print a line for each run, which took so many seconds: its answers, its claims; then all that was not shown."""
    table = plain_table("lab", "correct", "held", "quiet", "reproduced", "claims shown", "off by", "took")
    for run, took_s in runs:
        findings = run.verdict.findings().values()
        words = [Text(SHORT[finding.answer], STYLES[finding.answer]) for finding in findings]
        shown = sum(claim.answer is Answer.YES for claim in run.verdict.claims)
        if run.failure is not None:
            words = [Text("broke off", "bold red"), *[Text("-")] * 3]
        most = signed_percent(most_off_by(run))
        table.add_row(run.lab, *words, f"{shown} of {len(run.verdict.claims)}", most, f"{took_s:.0f} s")
    for name in refused:
        table.add_row(name, Text("not run", "bold red"), *["-"] * 6)
    table.add_row("all", *[""] * 6, f"{sum(took_s for _, took_s in runs):.0f} s")
    console.print(table)
    for name, why in refused.items():
        console.print(Text(f"{name}: {why}", "red"))
    for answer in (Answer.NO, Answer.UNDECIDED, Answer.CANNOT):
        found = [(run.lab, claim) for run, _ in runs for claim in run.verdict.claims if claim.answer is answer]
        if found:
            console.print(Text(f"\n{answer.value}: {plural(len(found), 'claim')}", STYLES[answer]))
        for lab, claim in found:
            console.print(Text(f"  {lab}: {claim_in_words(claim)}"))


def _styled(run: Run) -> Text:
    """The verdict in a word or two."""
    answer = run.verdict.reproduced.answer if run.stands else Answer.NO
    return Text(in_short(run), STYLES[answer])


def _what_ran(run: Run) -> Text:
    """The lab; or the program with its arguments, by which its runs are told apart."""
    what = Text(shlex.join(typed(run.command)) if run.command else run.lab)
    what.truncate(LONG_NAME, overflow="ellipsis")
    return what


def list_of(runs: Mapping[int, Run]) -> Table:
    """A row a run, by its number; its size is nodes x cores x speed."""
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
    """Print two runs side by side, A beside B, and plainly what does not let them be compared."""
    for letter, run in (("A", first), ("B", second)):
        console.print(Text.assemble(f"{letter}  {run.id}  {run.backend}  ", _styled(run)))
    for what in differences(first, second):
        console.print(Text(what, "yellow"))
    table = plain_table("case", "ideal", "A", "B", "B / A", "A off by", "B off by", right=True)
    for name, *figures in comparison_rows(first, second):
        table.add_row(_named(name), *figures)
    console.print(table)
    if alike := not_significant(first, second):
        console.print(Text(f"Not significant: {', '.join(alike)}. {WITHIN_NOISE}", "dim"), soft_wrap=False)
