"""What a person sees while a run goes on: a live board on a terminal, plain lines elsewhere, or nothing."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from parlab.formatting import decimal, plural, seconds
from parlab.model.node import Node
from parlab.model.reading import NodeReading
from parlab.model.span import Span
from parlab.model.spec import HEAD_CPUS, Spec
from parlab.model.workers import in_order
from parlab.results.record import MeasuredCase
from parlab.run.observer import Observer, Started
from parlab.terminal.tables import plain_table

REFRESHES = 4  # a second
MOST_ROWS = 8  # nodes on the board; of more, the sum is shown


@contextmanager
def observing(console: Console, heading: str, *, quiet: bool) -> Iterator[Observer]:
    """A observer for the length of the block, of the kind that the console asks for."""
    if quiet:
        yield Silence()
        return
    console.print(Text(heading, style="bold"))
    if not console.file.isatty():  # rich would draw in a log, too, where FORCE_COLOR is set
        yield Lines(console)
        return
    board = Board(console)
    try:
        yield board
    finally:
        board.live.stop()


class Silence:
    """Hears, and says nothing."""

    def say(self, text: str) -> None: ...

    def begin(self, spec: Spec, nodes: Sequence[Node]) -> None: ...

    def started(self, started: Started) -> None: ...

    def spans(self, spans: Sequence[Span]) -> None: ...

    def reading(self, node: str, reading: NodeReading) -> None: ...

    def case(self, case: MeasuredCase) -> None: ...


class Lines(Silence):
    """A line when a case starts, and one when it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str) -> None:
        """Print a line as it is."""
        self.console.print(Text(text), soft_wrap=not self.console.is_terminal)  # a file keeps the lines of a lab

    def begin(self, spec: Spec, nodes: Sequence[Node]) -> None:
        """Print what a node is."""
        limit = nodes[-1].limit
        limited = "no limit" if limit is None else f"limit {decimal(limit)} CPU, head {decimal(HEAD_CPUS)}"
        cores = plural(spec.cores, "virtual core")
        self.say(f"a node: {cores} of {spec.speed} host core, {limited}; unit {spec.unit:g} s")

    def started(self, started: Started) -> None:
        """Print which case begins, and what it should take."""
        workers = plural(started.workers, "worker")
        ideally = "" if started.ideal_s is None else f", ideally {started.ideal_s:.2f} s"
        self.say(f"{_name(started)}: {plural(started.tasks, 'task')} on {workers}{ideally}")

    def case(self, case: MeasuredCase) -> None:
        """Print what it took."""
        if case.times:
            self.say(f"{case.name}: {', '.join(seconds(repeat.measured_s) for repeat in case.repeats)}")
        if case.complaint:
            self.console.print(Text(f"{case.name}: {case.complaint}", style="bold red"))


class Board(Lines):
    """A board that is drawn anew several times a second, below the lines of the cases that are done."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.live = Live(self, console=console, refresh_per_second=REFRESHES, transient=True)
        self._started: Started | None = None
        self._since = 0.0
        self._first, self._last_receipt = math.inf, -math.inf  # by the nodes' clock
        self._done: dict[str, int] = {}
        self._last: dict[str, NodeReading] = {}
        self._using: dict[str, float] = {}

    def begin(self, spec: Spec, nodes: Sequence[Node]) -> None:
        """Print what a node is, and start to draw: until now the engine may have had something to print."""
        super().begin(spec, nodes)
        self.live.start()

    def started(self, started: Started) -> None:
        """Clear the board for a case."""
        self._started, self._since = started, time.monotonic()
        self._done, self._last, self._using = {}, {}, {}
        self._first, self._last_receipt = math.inf, -math.inf

    def spans(self, spans: Sequence[Span]) -> None:
        """Count tasks that are done."""
        for span in spans:
            self._done[span.node] = self._done.get(span.node, 0) + 1
            self._first, self._last_receipt = min(self._first, span.submitted), max(self._last_receipt, span.received)

    def reading(self, node: str, reading: NodeReading) -> None:
        """Work out what a node uses, from one reading to the next."""
        before = self._last.get(node)
        if before is not None and reading.used_s is not None and before.used_s is not None and reading.at > before.at:
            self._using[node] = (reading.used_s - before.used_s) / (reading.at - before.at)
        self._last[node] = reading

    def case(self, case: MeasuredCase) -> None:
        """Print what the case took, and clear the board."""
        self._started = None
        super().case(case)

    def __rich__(self) -> Group | Text:
        if self._started is None:
            return Text("starting ...", style="dim")
        started, elapsed = self._started, time.monotonic() - self._since
        done = sum(self._done.values())
        if done >= started.tasks:  # spans come in several times a second, and later than they were made
            elapsed = self._last_receipt - self._first
        progress = Table.grid(padding=(0, 2))
        tasks = max(done, started.tasks)  # a case may do the work several times over
        bar = ProgressBar(total=tasks, completed=done, width=20)
        clock = f"{elapsed:.1f} s" + ("" if started.ideal_s is None else f" of ideally {started.ideal_s:.1f} s")
        progress.add_row(bar, f"{done} of {plural(tasks, 'task')}", clock)
        return Group(Text(_name(started), style="bold"), progress, self._nodes(started))

    def _nodes(self, started: Started) -> Table:
        """Who is busy: of each node, or of all together, what it uses of its limit and how many tasks it has done."""
        table = plain_table("node", "uses", "", "tasks done")
        names = [node.name for node in started.nodes if not node.is_head]
        if not self._using:  # simulated nodes have no usage of their own
            names = in_order(self._done)
        limit = float(started.spec.node_cpus)
        if len(names) > MOST_ROWS:
            using, limit = sum(self._using.get(name, 0.0) for name in names), limit * len(names)
            self._row(table, f"{len(names)} nodes", using, limit, sum(self._done.values()))
            return table
        for name in names:
            self._row(table, name, self._using.get(name), limit, self._done.get(name, 0))
        return table

    def _row(self, table: Table, name: str, using: float | None, limit: float, done: int) -> None:
        uses = "-" if using is None else f"{using:.2f} of {decimal(limit)} CPU"
        table.add_row(name, uses, ProgressBar(total=limit, completed=using or 0.0, width=20), str(done))


def _name(started: Started) -> str:
    return started.name if started.repeats == 1 else f"{started.name}, {started.repeat} of {started.repeats}"
