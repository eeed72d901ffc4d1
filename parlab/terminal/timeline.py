"""The timeline that the terminal shows after a run: bars of work, a row a worker, the ideal above what was measured.

All cases of a run are drawn on one scale, so that one which is over sooner is shorter. Where there are more workers
than rows, a row tells of a node how many of its workers were busy, as the row of the ideal always does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from parlab.formatting import NO_TASK, seconds
from parlab.model.span import LOCK_WAIT, OK, Span
from parlab.model.workers import by_node, first_submission, in_order
from parlab.results.record import MeasuredCase, Run
from parlab.terminal.summary import times_in_words

LABEL = 14  # columns before the bars
MOST_WORKERS = 8  # of a case that has a row for each
MOST_NODES = 8  # of a case that has a row for each
MOST_ROWS = 48  # of all cases together, if each worker is to have its own
SLIVER = 1e-6  # of a cell: what floats make of an end that lies between two
LEAST_CELLS = 20  # of a bar, in however narrow a terminal
SHORT = 0.02  # of the longest case: what took less has no room for a bar


@dataclass(frozen=True)
class Glyphs:
    """What a bar is made of, from nothing to all of a cell."""

    begins: str  # the cell in which a task begins
    shades: str  # how much of a cell is work, if it is not all
    full: str
    waits: str
    failed: str
    levels: str  # how many of the workers are busy

    def legend(self, lines: Sequence[str]) -> str:
        """What the glyphs in these lines say."""
        drawn = set("".join(line[LABEL:] for line in lines))
        said = {
            self.begins: f"{self.begins}{self.full * 3} a task",
            self.waits: f"{self.waits} waits for a lock",
            self.failed: f"{self.failed} fails",
        }
        parts = [what for glyph, what in said.items() if glyph in drawn]
        if drawn & set(self.shades.strip()):
            parts.append(f"{self.shades.strip()} busy for a part of it")
        if drawn & set(self.levels[1:-1]):
            parts.append(f"{self.levels[1]} to {self.levels[-1]} few to all workers are busy")
        return ", ".join(parts)


BLOCKS = Glyphs(begins="▐", shades=" ░▒▓", full="█", waits="·", failed="x", levels=" ▁▂▃▄▅▆▇█")
PLAIN = Glyphs(begins="|", shades=" .-+", full="#", waits=":", failed="x", levels=" 123456789")


def timeline(run: Run, width: int, *, plain: bool = False) -> Iterator[str]:
    """The lines of a run's timeline, each at most `width` columns, from 40; none where nothing can be drawn.

    With `plain` they have no character beyond ASCII. Of several repeats the median_repeat one is drawn.
    """
    glyphs = PLAIN if plain else BLOCKS
    timed = [case for case in run.cases if case.times and case.measured_s > 0]
    whole = [case for case in timed if case.completed]
    times = [case.measured_s for case in whole or timed] + [case.ideal_s or 0.0 for case in whole]
    longest_s = max(times, default=0.0)
    drawn = [case for case in timed if SHORT * longest_s < case.measured_s <= longest_s]
    if not drawn:
        return
    scale = Scale(max(LEAST_CELLS, width - LABEL), longest_s)
    rows = [sum(len(own) for own in _workers(case).values()) for case in drawn]
    in_full = sum(count for count in rows if count <= MOST_WORKERS) <= MOST_ROWS
    lines = []
    for case in drawn:
        yield from wrap(f"{case.name}: {times_in_words(case)}", width, subsequent_indent=" ")
        own = list(_rows(case, scale, glyphs, in_full=in_full))
        if case.completed and (ideal := case.ideal()):
            own.insert(0, _labelled("ideal", levels(ideal, case.workers, 0.0, scale, glyphs)))
        yield from own
        lines += own
    yield _labelled("", f"{'0 s':<{scale.cells - 9}}{seconds(longest_s):>9}")
    yield from (_labelled("", line) for line in wrap(glyphs.legend(lines), scale.cells))
    if others := [case.name for case in timed if case not in drawn]:
        yield from wrap(f"too short, or too long, to be drawn beside these: {', '.join(others)}", width)


@dataclass(frozen=True)
class Scale:
    """So many cells for so many seconds."""

    cells: int
    total_s: float

    @property
    def cell_s(self) -> float:
        """Seconds of a cell."""
        return self.total_s / self.cells

    def shares(self, began: float, ended: float) -> Iterator[tuple[int, float]]:
        """The cells that a stretch, in seconds from the start, lies in, and how much of each it fills."""
        for cell in range(max(0, int(began / self.cell_s)), min(self.cells, int(ended / self.cell_s) + 1)):
            share = min(ended, (cell + 1) * self.cell_s) - max(began, cell * self.cell_s)
            if share > SLIVER * self.cell_s:
                yield cell, share / self.cell_s


def bar(spans: Sequence[Span], origin: float, scale: Scale, glyphs: Glyphs) -> str:
    """One worker's row: its tasks, by how much of each cell they fill."""
    work, waits, begun = [0.0] * scale.cells, [0.0] * scale.cells, [0] * scale.cells
    failed = set()
    for span in spans:
        began, ended = span.started - origin, span.finished - origin
        filled = dict(scale.shares(began, ended))
        for cell, share in filled.items():
            work[cell] += share
        for phase in span.phases:
            if phase.name == LOCK_WAIT:
                for cell, share in scale.shares(phase.started - origin, phase.finished - origin):
                    waits[cell] += share
        if filled:
            begun[min(filled)] += 1
            failed |= {max(filled)} if span.outcome != OK else set()
    cells = range(scale.cells)
    return "".join(_glyph(work[cell], waits[cell], begun[cell], cell in failed, glyphs) for cell in cells).rstrip()


def _glyph(work: float, waits: float, begun: int, failed: bool, glyphs: Glyphs) -> str:
    """A cell in which several tasks begin tells by its shade what is lost between them."""
    if failed:
        return glyphs.failed
    if waits > work / 2:
        return glyphs.waits
    if begun == 1 and work >= 0.5:
        return glyphs.begins
    return _level(work, glyphs.shades + glyphs.full)


def levels(spans: Iterable[Span], workers: int, origin: float, scale: Scale, glyphs: Glyphs) -> str:
    """A row of several workers: how many of them were busy."""
    busy = [0.0] * scale.cells
    for span in spans:
        for cell, share in scale.shares(span.started - origin, span.finished - origin):
            busy[cell] += share
    return "".join(_level(value / workers, glyphs.levels) for value in busy).rstrip()


def _level(share: float, steps: str) -> str:
    """The step for a share: the first for nothing, the last for as good as all, those between for what is between."""
    if share < 0.01:
        return steps[0]
    return steps[-1] if share > 0.95 else steps[1 + min(int(share * (len(steps) - 2)), len(steps) - 3)]


def _rows(case: MeasuredCase, scale: Scale, glyphs: Glyphs, *, in_full: bool) -> Iterator[str]:
    spans = case.median_repeat.spans
    origin = first_submission(spans)
    workers = _workers(case)
    nodes = in_order(workers)
    if in_full and sum(map(len, workers.values())) <= MOST_WORKERS:
        for node in nodes:
            for number, own in enumerate(workers[node]):
                yield _labelled("" if number else node, bar(own, origin, scale, glyphs) or NO_TASK)
    elif len(nodes) <= MOST_NODES:
        for node in nodes:
            own = [span for one in workers[node] for span in one]
            row = levels(own, -(-case.workers // case.workforce.nodes), origin, scale, glyphs)
            yield _labelled(node, row if own else NO_TASK)
    else:
        yield _labelled(f"{len(nodes)} nodes", levels(spans, case.workers, origin, scale, glyphs))


def _workers(case: MeasuredCase) -> dict[str, list[list[Span]]]:
    """Each worker's spans, by the name of its node; [] of one that had no task."""
    workers = by_node(case.median_repeat.spans)
    for node, count in case.without_task().items():
        workers.setdefault(node, []).extend([[]] * count)
    return workers


def _labelled(label: str, row: str) -> str:
    return f"  {label:<{LABEL - 3}.{LABEL - 3}} {row}".rstrip()
