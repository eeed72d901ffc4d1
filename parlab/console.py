"""What a person sees of a run: the table, what was wrong, what was claimed."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parlab.record import MeasuredCase, Run
from parlab.spec import HEAD_CPUS, Spec
from parlab.words import decimal, plural

WIDTH = 80  # of what is not a terminal
ROW = "{:>5}  {:>7}  {:>8}  {:>8}  {:>8}  {}"


def make_console() -> Console:
    """A console on standard output that neither colours numbers nor guesses at the width of a file."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def plain_table(*headings: str) -> Table:
    """A table without lines, its headings bold."""
    return Table(*headings, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


class View:
    """Shows a run as it goes on: what it says, then a row a case as soon as it is measured, then the claims."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str, style: str = "") -> None:
        """Print a line as it is."""
        self._console.print(Text(text, style=style))

    def begin(self, backend: str, spec: Spec) -> None:
        """Print what a node is, and the table's headings."""
        node = f"a node: {plural(spec.cores, 'core')} of {spec.speed} host CPU"
        limit = (
            f"limit {decimal(spec.node_cpus)} CPU, head {decimal(HEAD_CPUS)}" if backend == "cluster" else "no limit"
        )
        self.say(f"{node}, {limit}; unit {spec.unit:g} s")
        names = "worker" if backend == "cluster" else "simulated"
        self.say(ROW.format("nodes", "ideal", "measured", "off by", "speed-up", f"tasks on {names}-1, -2 ..."), "bold")

    def case(self, case: MeasuredCase) -> None:
        """Print the row of a case, and what was wrong with its result."""
        ideal, measured = f"{case.ideal_s:.2f} s", f"{case.measured_s:.2f} s"
        off, speedup = f"{100 * case.off_by:+.1f} %", f"{case.speedup:.2f} x"
        self.say(ROW.format(case.spec.nodes, ideal, measured, off, speedup, shares(case)))
        if case.wrong:
            self.say(f"wrong result: {case.name}: {case.wrong}", "bold red")

    def end(self, run: Run) -> None:
        """Print which of the lab's claims hold."""
        for claim in run.claims:
            self.say(f"expected: {claim.name}: {'yes' if claim.holds else f'no: {claim.why}'}")


def shares(case: MeasuredCase) -> str:
    """How many tasks each node did: `8 8 8 8`; of more than eight nodes, the range."""
    counts = list(case.by_node.values())
    counts += [0] * (case.spec.nodes - len(counts))
    if len(counts) <= 8:
        return " ".join(map(str, counts))
    low, high = min(counts), max(counts)
    return f"{low if low == high else f'{low} to {high}'} on each of {len(counts)}"
