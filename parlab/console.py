"""What a person sees of a Run: the table, what was wrong, what was claimed."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parlab.record import MeasuredCase, Run
from parlab.spec import HEAD_CPUS
from parlab.words import decimal, plural

WIDTH = 80  # of what is not a terminal


def make_console() -> Console:
    """A console on standard output that neither colours numbers nor guesses at the width of a file."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def plain_table(*headings: str) -> Table:
    """A table without lines, its headings bold."""
    return Table(*headings, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def show_run(run: Run, console: Console) -> None:
    """Print the table (ideal, measured, off by, speed-up, who did the work), wrong results and claims."""
    spec = run.spec
    limits = (
        f"limit {decimal(spec.node_cpus)} CPU, head {decimal(HEAD_CPUS)}" if run.backend == "cluster" else "no limit"
    )
    console.print(
        Text(f"a node: {plural(spec.cores, 'core')} of {spec.speed} host CPU, {limits}; unit {spec.unit:g} s")
    )
    table = plain_table()
    for heading in ("nodes", "ideal", "measured", "off by", "speed-up"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"tasks on {'worker' if run.backend == 'cluster' else 'simulated'}-1, -2 ...")
    for case in run.cases:
        table.add_row(
            str(case.spec.nodes),
            f"{case.ideal_s:.2f} s",
            f"{case.measured_s:.2f} s",
            f"{100 * case.off_by:+.1f} %",
            f"{case.speedup:.2f} x",
            shares(case),
        )
    console.print(table)
    for case in run.cases:
        if case.wrong:
            console.print(Text(f"wrong result: {case.name}: {case.wrong}", style="bold red"))
    for claim in run.claims:
        console.print(Text(f"expected: {claim.name}: {'yes' if claim.holds else f'no {claim.why}'.rstrip()}"))


def shares(case: MeasuredCase) -> str:
    """How many tasks each node did: `8 8 8 8`; of more than eight nodes, the range."""
    counts = list(case.by_node.values())
    counts += [0] * (case.spec.nodes - len(counts))
    if len(counts) <= 8:
        return " ".join(map(str, counts))
    low, high = min(counts), max(counts)
    return f"{low if low == high else f'{low} to {high}'} on each of {len(counts)}"
