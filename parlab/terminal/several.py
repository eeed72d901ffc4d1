"""The output for a run of all labs: a line per lab, then the open results, and where to look."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from parlab.formatting import plural, signed_percent
from parlab.host.places import COMMAND
from parlab.results.record import Answer, Run
from parlab.terminal.summary import claim_in_words, most_off_by
from parlab.terminal.tables import LOUD, SHORT, STYLES

HEADINGS = ("lab", "correct", "held", "quiet", "reproduced", "claims shown", "off by", "took")
WIDTHS = (0, 9, 6, 6, 10, 12, 8, 5)  # columns, two between them; the width for the lab's name is computed
NUMBERS = 2  # the last columns are numbers, aligned at the right
LINES = 3  # per lab, at most; its record has the rest


class Rows:
    """A table of labs that grows by a line per finished lab, so the widths of its columns are fixed from the start."""

    def __init__(self, console: Console, labs: Sequence[str]) -> None:
        self._console = console
        self._widths = (max(map(len, ("lab", *labs))), *WIDTHS[1:])

    def heading(self) -> None:
        """Print the headings of the columns."""
        self._print(*(Text(heading, "bold") for heading in HEADINGS))

    def ran(self, run: Run, took_s: float) -> None:
        """Print a run's answers, its claims, its largest deviation from the ideal, and its duration."""
        words = [Text(SHORT[finding.answer], STYLES[finding.answer]) for finding in run.verdict.findings().values()]
        if run.failure is not None:
            words = [Text("broke off", "bold red"), *[Text("-")] * 3]
        shown = sum(claim.answer is Answer.YES for claim in run.verdict.claims)
        claims = f"{shown} of {len(run.verdict.claims)}"
        figures = (Text(word) for word in (claims, signed_percent(most_off_by(run)), f"{took_s:.0f} s"))
        self._print(Text(run.lab), *words, *figures)

    def refused(self, lab: str) -> None:
        """Print that a lab did not run."""
        self._print(Text(lab), Text("not run", "bold red"), *[Text("-")] * 6)

    def total(self, took_s: float) -> None:
        """Print the duration of all labs together."""
        self._print(Text("all"), *[Text()] * 6, Text(f"{took_s:.0f} s"))

    def _print(self, *cells: Text) -> None:
        words = len(cells) - NUMBERS
        padded = (
            _padded(cell, width, right=index >= words)
            for index, (cell, width) in enumerate(zip(cells, self._widths, strict=True))
        )
        line = Text("  ").join(padded)
        line.rstrip()
        self._console.print(line, soft_wrap=True)


def _padded(cell: Text, width: int, *, right: bool) -> Text:
    blanks = Text(" " * (width - len(cell)))
    return blanks.append_text(cell) if right else cell.copy().append_text(blanks)


def show_open(console: Console, runs: Sequence[Run], refused: Mapping[str, str], numbers: Mapping[str, int]) -> None:
    """Print the reason, and where to look, for each lab with open results.

    Such a lab did not run, broke off, is no measurement, or did not show all its claims. `numbers` maps the ids of runs
    to their numbers in `results`.
    """
    unsettled = [(run, lines) for run in runs if (lines := list(_open(run)))]
    if not unsettled and not refused:
        console.print(Text(f"\nAll claims of {plural(len(runs), 'lab')} are shown.", STYLES[Answer.YES]))
        return
    console.print()
    for lab, why in refused.items():
        console.print(Text.assemble((lab, "bold"), "  not run: ", (why, "red")))
    for run, lines in unsettled:
        where = f"  {COMMAND} results {numbers[run.id]}" if run.id in numbers else ""
        first = [] if run.verdict.is_measurement or len(lines) > 1 else lines
        console.print(Text.assemble((run.lab, "bold"), where, *(Text("  ") + line for line in first)), soft_wrap=True)
        for line in [] if first else lines[:LINES]:
            console.print(Padding(line, (0, 0, 0, 2)))
        if len(lines) > LINES:
            console.print(Text(f"  and {len(lines) - LINES} more", "dim"))
    if any(not run.verdict.is_measurement for run in runs):
        console.print(Text("Invalid measurements: ignore their numbers.", LOUD))


def _open(run: Run) -> Iterator[Text]:
    """The open results of a run, the most serious first."""
    if run.failure is not None:
        first, *_ = [*run.failure.text.splitlines(), ""]
        yield Text.assemble(("broke off", "bold red"), f": {first}")
        return
    if run.wrong:
        yield Text.assemble(("wrong", "bold red"), f": {run.verdict.correct.evidence}")
    if not run.verdict.is_measurement:
        noes = [question for question in ("held", "quiet") if run.verdict.findings()[question].answer is Answer.NO]
        yield Text.assemble(("not a measurement", "bold red"), f": not {' and not '.join(noes)}")
        return
    for answer in (Answer.NO, Answer.UNDECIDED, Answer.CANNOT):
        for claim in run.verdict.claims:
            if claim.answer is answer:
                yield Text.assemble((SHORT[answer], STYLES[answer]), f": {claim_in_words(claim)}")
