"""What a person sees of runs of all labs: a line a lab, then what was not shown."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from parlab.formatting import plural, signed_percent
from parlab.results.record import Answer, Run
from parlab.terminal.summary import claim_in_words, most_off_by
from parlab.terminal.tables import SHORT, STYLES, plain_table


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
