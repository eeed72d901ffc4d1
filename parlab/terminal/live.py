"""The output during a run: a live board on a terminal, plain lines elsewhere, one line, or nothing."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.style import Style
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
from parlab.terminal.states import GREY, STATES
from parlab.terminal.tables import plain_table

REFRESHES = 4  # per second
MOST_ROWS = 8  # nodes on the board; for more, their sum is shown
BAR = 20  # columns
DONE, LEFT = STATES["computing"].style, Style(color=GREY)  # of a bar; rich's default bar has the colour of errors


class Watch(Enum):
    """How a run is watched."""

    NOT = "nothing is said"
    BRIEFLY = "one line on a terminal, gone at its end"
    CLOSELY = "a board on a terminal, and lines that stay"


@contextmanager
def observing(console: Console, heading: str, watch: Watch) -> Iterator[Observer]:
    """An observer for the duration of the block; its kind depends on `watch` and on the console."""
    on_a_terminal = console.file.isatty()  # with FORCE_COLOR set, rich would draw in a log, too
    if watch is Watch.NOT or (watch is Watch.BRIEFLY and not on_a_terminal):
        yield Silence()
        return
    if watch is Watch.CLOSELY:
        console.print(Text(heading, style="bold"))
        if not on_a_terminal:
            yield Lines(console)
            return
    board = Board(console) if watch is Watch.CLOSELY else Brief(console, heading)
    try:
        yield board
    finally:
        board.live.stop()


class Silence:
    """Prints nothing."""

    def say(self, text: str) -> None: ...

    def begin(self, spec: Spec, nodes: Sequence[Node], cases: int) -> None: ...

    def started(self, started: Started) -> None: ...

    def spans(self, spans: Sequence[Span]) -> None: ...

    def reading(self, node: str, reading: NodeReading) -> None: ...

    def case(self, case: MeasuredCase) -> None: ...


class Lines(Silence):
    """Prints a line when a case starts, and one when it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._cases, self._over = 0, 0

    def say(self, text: str) -> None:
        """Print a line unchanged."""
        self.console.print(Text(text), soft_wrap=not self.console.is_terminal)  # in a file, a lab's lines stay whole

    def begin(self, spec: Spec, nodes: Sequence[Node], cases: int) -> None:
        """Print the size of a node."""
        self._cases = cases
        limit = nodes[-1].limit
        limited = "no limit" if limit is None else f"limit {decimal(limit)} CPU, head {decimal(HEAD_CPUS)}"
        cores = plural(spec.cores, "virtual core")
        self.say(f"a node: {cores} of {spec.speed} host core, {limited}; unit {spec.unit:g} s")

    def started(self, started: Started) -> None:
        """Print the case that begins, and its ideal time."""
        workers = plural(started.workers, "worker")
        ideally = "" if started.ideal_s is None else f", ideally {started.ideal_s:.2f} s"
        self.say(f"{self._number()}{_name(started)}: {plural(started.tasks, 'task')} on {workers}{ideally}")

    def case(self, case: MeasuredCase) -> None:
        """Print the measured time of each repeat, and the complaint if there is one."""
        self._over += 1
        if case.times:
            self.say(f"{case.name}: {', '.join(seconds(repeat.measured_s) for repeat in case.repeats)}")
        if case.complaint:
            self.console.print(Text(f"{case.name}: {case.complaint}", style="bold red"))

    def _number(self) -> str:
        """A prefix such as `case 2 of 5, `; '' if there is only one case."""
        return f"case {self._over + 1} of {self._cases}, " if self._cases > 1 else ""


class Board(Lines):
    """A board below the lines of finished cases; it is redrawn several times a second."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.live = Live(self, console=console, refresh_per_second=REFRESHES, transient=True)
        self._started: Started | None = None
        self._since = time.monotonic()
        self._first, self._last_receipt = math.inf, -math.inf  # by the nodes' clock
        self._done: dict[str, int] = {}
        self._last: dict[str, NodeReading] = {}
        self._using: dict[str, float] = {}
        self._used_s: dict[str, float] = {}

    def begin(self, spec: Spec, nodes: Sequence[Node], cases: int) -> None:
        """Print the size of a node, and start to draw. Not earlier: the engine may have had lines to print."""
        super().begin(spec, nodes, cases)
        self._since = time.monotonic()
        self.live.start()

    def started(self, started: Started) -> None:
        """Clear the board for a new case."""
        self._started, self._since = started, time.monotonic()
        self._done, self._last, self._using, self._used_s = {}, {}, {}, {}
        self._first, self._last_receipt = math.inf, -math.inf

    def spans(self, spans: Sequence[Span]) -> None:
        """Count finished tasks; the tasks of a chunk come back together."""
        for span in spans:
            self._done[span.node] = self._done.get(span.node, 0) + 1
            self._first, self._last_receipt = min(self._first, span.submitted), max(self._last_receipt, span.received)

    def reading(self, node: str, reading: NodeReading) -> None:
        """Compute a node's CPU use, from the difference to its previous reading."""
        before = self._last.get(node)
        if before is not None and reading.used_s is not None and before.used_s is not None and reading.at > before.at:
            used_s = reading.used_s - before.used_s
            self._using[node] = used_s / (reading.at - before.at)
            self._used_s[node] = self._used_s.get(node, 0.0) + used_s
        self._last[node] = reading

    def case(self, case: MeasuredCase) -> None:
        """Print the case's time, and clear the board."""
        self._started, self._since = None, time.monotonic()
        super().case(case)

    def __rich__(self) -> RenderableType:
        elapsed = time.monotonic() - self._since
        if self._started is None:
            what = self._number().removesuffix(", ")
            return Text(f"{what}: starting ... {elapsed:.0f} s" if what else f"starting ... {elapsed:.0f} s", "dim")
        started = self._started
        progress = Table.grid(padding=(0, 2))
        done = max(sum(self._done.values()), self._worked(started))
        progress.add_row(_bar(self._total(started), done), self._counted(started))
        clock = Text(self._clock(started, elapsed))
        return Group(Text(f"{self._number()}{_name(started)}", style="bold"), progress, clock, self._nodes(started))

    def _total(self, started: Started) -> int:
        return max(sum(self._done.values()), started.tasks)  # a case may do the work several times over

    def _worked(self, started: Started) -> int:
        """Estimate the finished tasks, including those in chunks not yet returned, from the nodes' CPU use."""
        if started.chunk == 1 or not started.owed_s:
            return 0
        used_s = sum(used_s for node, used_s in self._used_s.items() if node != started.nodes[0].name)
        return min(started.tasks, int(started.tasks * used_s / started.owed_s))

    def _counted(self, started: Started) -> str:
        """Progress such as `3 of 32 tasks`. With chunks it is an estimate, so that the count does not stand still."""
        done, worked = sum(self._done.values()), self._worked(started)
        count = f"about {worked}" if worked > done else f"{done}"
        chunks = f", in chunks of {started.chunk}" if started.chunk > 1 else ""
        return f"{count} of {plural(self._total(started), 'task')}{chunks}"

    def _clock(self, started: Started, elapsed: float) -> str:
        """The seconds since the start, counted until the case is over, and an estimate of those left."""
        done, tasks = sum(self._done.values()), self._total(started)
        ideally = "" if started.ideal_s is None else f" of ideally {started.ideal_s:.1f} s"
        if done and done >= tasks:  # the end of the case and the last reading of its nodes take time, too
            took = self._last_receipt - self._first
            return f"{took:.1f} s{ideally}, and {max(0.0, elapsed - took):.1f} s to end"
        by_rate = (self._last_receipt - self._first) * tasks / done if done else 0.0
        left = max(started.ideal_s or 0.0, by_rate) - elapsed
        return f"{elapsed:.1f} s{ideally}" + (f", about {left:.0f} s left" if left >= 0.5 else "")

    def _nodes(self, started: Started) -> Table:
        """For each node, or for all nodes together: CPU use beside the limit, and the number of finished tasks."""
        if not self._using:  # simulated nodes have no usage of their own
            table = plain_table(*(("node", "tasks done") if self._done else ()))
            for name in in_order(self._done):
                table.add_row(name, str(self._done[name]))
            return table
        table = plain_table("node", "uses", "", "tasks done")
        names = [node.name for node in started.nodes if not node.is_head]
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
        table.add_row(name, uses, _bar(limit, using or 0.0), str(done))


class Brief(Board):
    """One line with the progress of a run; no lasting output."""

    def __init__(self, console: Console, heading: str) -> None:
        super().__init__(console)
        self._heading = heading
        self._doing = "starting ..."

    def say(self, text: str) -> None:
        """Show the line until another line or a case comes; before the nodes are up, print it."""
        self._doing = text
        if not self._cases:
            self.console.print(f"{self._heading}  {text}", style="dim")

    def begin(self, spec: Spec, nodes: Sequence[Node], cases: int) -> None:
        """Note the number of cases, and show the line from here on: until now the engine may have printed."""
        self._cases, self._since = cases, time.monotonic()
        self.live.start()

    def case(self, case: MeasuredCase) -> None:
        """Count the case."""
        self._over += 1
        self._started, self._since = None, time.monotonic()

    def __rich__(self) -> Text:
        elapsed = time.monotonic() - self._since
        doing = self._doing if not self._cases else f"{self._number()}starting ... {elapsed:.0f} s"
        if self._started is not None:
            doing = f"{self._number()}{self._counted(self._started)}, {self._clock(self._started, elapsed)}"
        line = Text.assemble((self._heading, "bold"), f"  {doing}")
        line.truncate(self.console.width, overflow="ellipsis")
        return line


def _bar(total: float, completed: float) -> ProgressBar:
    return ProgressBar(total, completed, width=BAR, complete_style=DONE, finished_style=DONE, style=LEFT)


def _name(started: Started) -> str:
    return started.name if started.repeats == 1 else f"{started.name}, {started.repeat} of {started.repeats}"
