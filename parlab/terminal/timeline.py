"""The timeline that the terminal shows after a run: bars of work, a row per worker, the ideal above the measurement.

All cases of a run share one scale, so a faster case is shorter. A cell has the colour and the glyph of the state that
fills most of it. If there are more workers than rows, a row stands for a node and shows how many of its workers were
busy; the ideal's row always does.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from statistics import median
from textwrap import wrap

from rich.style import Style
from rich.text import Text

from parlab.analysis.breakdown import stretches
from parlab.formatting import NO_TASK, seconds
from parlab.host.places import COMMAND
from parlab.model.span import OK, Span
from parlab.model.workers import by_node, first_submission, in_order
from parlab.results.record import MeasuredCase, Run
from parlab.terminal.breakdowns import entries, legend
from parlab.terminal.names import HELD
from parlab.terminal.states import STATES
from parlab.terminal.summary import times_in_words

LABEL = 14  # columns before the bars
MOST_WORKERS = 8  # up to this many in a case, each has a row
MOST_NODES = 8  # up to this many in a case, each has a row
MOST_LINES = 44  # for all cases together, without the legend: two screens
SLIVER = 1e-6  # of a cell: the rounding error of an end on a cell's border
LEAST_CELLS = 20  # of a bar, even in a very narrow terminal
SHORT = 0.02  # of the longest case; a shorter case has no room for a bar
BORDERS_FROM = 2.5  # cells of a worker's median task; shorter tasks would consist of borders only
IN_TASK = ("computing", "waiting", "contended", "unexplained")
TOLD = ("waiting", "contended", "transfer", "idle_queued", "unexplained")  # by a glyph; idle without work is blank


class Detail(Enum):
    """The unit of a row."""

    EACH = "every worker"
    WORKERS = "every worker of a case that has few"
    NODES = "every node of a case that has few"
    ALL = "a case"


@dataclass(frozen=True)
class Glyphs:
    """The glyphs of a bar, from an empty to a full cell; the states have glyphs of their own."""

    begins: str  # the cell in which a task begins
    shades: str  # the fraction of work in a cell, if less than all
    full: str
    failed: str
    levels: str  # the fraction of workers that are busy
    plain: bool = False

    def of(self, state: str) -> str:
        """The glyph of a state."""
        return STATES[state].plain if self.plain else STATES[state].glyph

    def legend(self, rows: Sequence[Text], bars: Sequence[Text]) -> Iterator[Text]:
        """Explain the glyphs in these rows; `bars` are those rows that stand for single workers."""
        drawn, in_bars = ({glyph for row in some for glyph in row.plain[LABEL:]} for some in (rows, bars))
        if self.begins in drawn:
            yield Text.assemble((f"{self.begins}{self.full * 3}", STATES["computing"].style), " a task")
        elif self.full in in_bars:
            yield Text.assemble((self.full, STATES["computing"].style), " tasks, too short to be told apart")
        in_legend = [state for state in TOLD if self.of(state) in drawn]
        yield from entries(in_legend, plain=self.plain)
        if set(in_legend) & set(IN_TASK):
            yield Text("(in a task: how much of it, not when)", "dim")
        if self.failed in drawn:
            yield Text.assemble((self.failed, FAILED), " fails")
        if drawn & set(self.shades.strip()):
            yield Text(f"{self.shades.strip()} busy for a part of it")
        if drawn & set(self.levels[1:-1]):
            yield Text(f"{self.levels[1]} to {self.levels[-1]} few to all workers are busy")


BLOCKS = Glyphs(begins="▐", shades=" ░▒▓", full="█", failed="!", levels=" ▁▂▃▄▅▆▇█")
PLAIN = Glyphs(begins="|", shades=" .-+", full="#", failed="!", levels=" 123456789", plain=True)
FAILED = Style(bold=True, reverse=True)


def timeline(run: Run, width: int, *, plain: bool = False, verbose: bool = False) -> Iterator[Text]:
    """The lines of a run's timeline, each at most `width` columns (40 or more); none if nothing can be drawn.

    With `plain`, all characters are ASCII. Of several repeats, the median one is drawn. The rows fit two screens: a row
    per worker if there is room, else a row per node or per case. With `verbose`, each worker always has a row.
    """
    glyphs = PLAIN if plain else BLOCKS
    timed = [case for case in run.cases if case.times and case.measured_s > 0]
    whole = [case for case in timed if case.completed]
    times = [case.measured_s for case in whole or timed] + [case.ideal_s or 0.0 for case in whole]
    longest_s = max(times, default=0.0)
    drawn = [case for case in timed if SHORT * longest_s < case.measured_s <= longest_s]
    if not drawn:
        return
    titles = [_wrapped(f"{case.name}: {times_in_words(case).replace(' s', f'{HELD}s')}", width) for case in drawn]
    ideals = [case.completed and case.ideal_s is not None for case in drawn]
    fixed = sum(map(len, titles)) + sum(ideals) + 1
    details = (Detail.EACH,) if verbose else (Detail.WORKERS, Detail.NODES, Detail.ALL)
    fitting = (d for d in details if verbose or fixed + sum(_count(case, d) for case in drawn) <= MOST_LINES)
    if (detail := next(fitting, None)) is None:
        yield Text(f"{len(drawn)} cases: too many for a timeline here; --verbose and {COMMAND} report draw it", "dim")
        return
    scale = Scale(max(LEAST_CELLS, width - LABEL), longest_s)
    rows: list[Text] = []
    bars: list[Text] = []
    for case, title, has_ideal in zip(drawn, titles, ideals, strict=True):
        yield from map(Text, title)
        own = list(_rows(case, scale, glyphs, detail))
        bars += own if _detail(_workers(case), detail) is Detail.EACH else []
        if has_ideal and (ideal := case.ideal()):
            own.insert(0, _labelled("ideal", Text(levels(ideal, case.workers, 0.0, scale, glyphs))))
        yield from own
        rows += own
    yield _labelled("", Text(f"{'0 s':<{scale.cells - 9}}{seconds(longest_s):>9}"))
    yield from (_labelled("", line) for line in legend(glyphs.legend(rows, bars), scale.cells))
    if others := [case.name for case in timed if case not in drawn]:
        yield from map(Text, _wrapped(f"too short, or too long, to be drawn beside these: {', '.join(others)}", width))


def _wrapped(text: str, width: int) -> list[str]:
    return [line.replace(HELD, " ") for line in wrap(text, width, subsequent_indent=" ")]


@dataclass(frozen=True)
class Scale:
    """The number of cells, and the seconds that they stand for."""

    cells: int
    total_s: float

    @property
    def cell_s(self) -> float:
        """Seconds per cell."""
        return self.total_s / self.cells

    def shares(self, began: float, ended: float) -> Iterator[tuple[int, float]]:
        """The cells in a stretch of time, in seconds from the start, and the fraction of each cell that it fills."""
        for cell in range(max(0, int(began / self.cell_s)), min(self.cells, int(ended / self.cell_s) + 1)):
            share = min(ended, (cell + 1) * self.cell_s) - max(began, cell * self.cell_s)
            if share > SLIVER * self.cell_s:
                yield cell, share / self.cell_s


@dataclass(frozen=True)
class Case:
    """The data for a worker's row, besides its own spans."""

    everyone: Sequence[Span]
    speed: float
    paced: bool  # if not, nothing is known about time in which a task neither computes nor waits

    @cached_property
    def origin(self) -> float:
        """The first submission; computed once, since a bar asks for it at every span."""
        return first_submission(self.everyone)


def bar(spans: Sequence[Span], case: Case, scale: Scale, glyphs: Glyphs) -> Text:
    """One worker's row: the fraction of each cell that its tasks fill, in the colours of its states."""
    if not spans:
        return Text()
    states: list[defaultdict[str, float]] = [defaultdict(float) for _ in range(scale.cells)]
    for stretch in stretches(spans, case.everyone, case.speed):
        state = stretch.state if case.paced or stretch.state != "unexplained" else "computing"
        for cell, share in scale.shares(stretch.began - case.origin, stretch.ended - case.origin):
            states[cell][state] += share
    begun, failed = [0] * scale.cells, set()
    for span in spans:
        filled = [cell for cell, _ in scale.shares(span.started - case.origin, span.finished - case.origin)]
        if filled:
            begun[filled[0]] += 1
            failed |= {filled[-1]} if span.outcome != OK else set()
    borders = median(span.finished - span.started for span in spans) >= BORDERS_FROM * scale.cell_s
    row = Text()
    for cell in range(scale.cells):
        if cell in failed:
            row.append(glyphs.failed, FAILED)
        else:
            row.append(*_cell(states[cell], glyphs, begins=borders and begun[cell] == 1))
    row.rstrip()
    return row


def _cell(states: dict[str, float], glyphs: Glyphs, *, begins: bool) -> tuple[str, Style]:
    """The glyph and the style of a cell. If several tasks begin in it, the shade shows the loss."""
    busy = sum(states.get(state, 0.0) for state in IN_TASK)
    most = max(states, key=states.__getitem__, default="idle_no_work")
    within = max(IN_TASK, key=lambda state: states.get(state, 0.0))
    if begins and busy >= 0.5:
        return glyphs.begins, Style(color=STATES[within].colour)
    if most in TOLD and states[most] > 0.5:
        return glyphs.of(most), STATES[most].style
    shade = _level(busy, glyphs.shades + glyphs.full)
    return shade, Style(color=STATES[within].colour) if shade.strip() else Style()


def levels(spans: Iterable[Span], workers: int, origin: float, scale: Scale, glyphs: Glyphs) -> str:
    """A row for several workers: the fraction of them that was busy."""
    busy = [0.0] * scale.cells
    for span in spans:
        for cell, share in scale.shares(span.started - origin, span.finished - origin):
            busy[cell] += share
    return "".join(_level(value / workers, glyphs.levels) for value in busy).rstrip()


def _level(share: float, steps: str) -> str:
    """The step for a share: the first for less than 1 %, the last for more than 95 %, the others in between."""
    if share < 0.01:
        return steps[0]
    return steps[-1] if share > 0.95 else steps[1 + min(int(share * (len(steps) - 2)), len(steps) - 3)]


def _rows(case: MeasuredCase, scale: Scale, glyphs: Glyphs, detail: Detail) -> Iterator[Text]:
    spans = case.median_repeat.spans
    drawn = Case(spans, float(case.spec.speed), paced=case.ideal_s is not None)
    workers = _workers(case)
    nodes = in_order(workers)
    busy = STATES["computing"].style
    match _detail(workers, detail):
        case Detail.EACH:
            for node in nodes:
                for number, own in enumerate(workers[node]):
                    yield _labelled("" if number else node, bar(own, drawn, scale, glyphs) or Text(NO_TASK))
        case Detail.NODES:
            for node in nodes:
                own = [span for one in workers[node] for span in one]
                row = levels(own, -(-case.workers // case.workforce.nodes), drawn.origin, scale, glyphs)
                yield _labelled(node, Text(row, busy) if own else Text(NO_TASK))
        case _:
            label = nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes"
            yield _labelled(label, Text(levels(spans, case.workers, drawn.origin, scale, glyphs), busy))


def _detail(workers: dict[str, list[list[Span]]], detail: Detail) -> Detail:
    """The unit of a row in a case with these workers: EACH, NODES or ALL."""
    if detail is Detail.WORKERS:
        detail = Detail.EACH if sum(map(len, workers.values())) <= MOST_WORKERS else Detail.NODES
    return Detail.ALL if detail is Detail.NODES and len(workers) > MOST_NODES else detail


def _count(case: MeasuredCase, detail: Detail) -> int:
    """The number of the case's rows."""
    workers = _workers(case)
    own = _detail(workers, detail)
    return {Detail.EACH: sum(map(len, workers.values())), Detail.NODES: len(workers)}.get(own, 1)


def _workers(case: MeasuredCase) -> dict[str, list[list[Span]]]:
    """Each worker's spans, by the name of its node; [] for a worker without a task."""
    workers = by_node(case.median_repeat.spans)
    for node, count in case.without_task().items():
        workers.setdefault(node, []).extend([[]] * count)
    return workers


def _labelled(label: str, row: Text) -> Text:
    line = Text(f"  {label:<{LABEL - 3}.{LABEL - 3}} ").append_text(row)
    line.rstrip()
    return line
