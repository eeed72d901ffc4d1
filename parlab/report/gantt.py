"""The Gantt of a launch: a row a worker, grouped by node with its limit.

A row has a strip above and a bar below. The bar is what the worker itself did: its tasks, and on them their phases. The
strip is what became of a task meanwhile, its time in the queue and its ways there and back, since that may overlap with
other tasks of the same worker. Times are in seconds from the first submission.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

import numpy as np
from bokeh.models import ColumnDataSource, CustomJSHover, FixedTicker, HoverTool, Range1d
from bokeh.models.annotations import Label
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure

from parlab.formatting import plural, seconds
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Span
from parlab.model.workers import by_worker, first_submission, most_at_once, thread_numbers, worker_of
from parlab.report import style
from parlab.report.bars import (
    FAILED,
    MARK,
    PHASE,
    QUEUED,
    SHUT_DOWN,
    START_UP,
    TASK,
    TRANSFER,
    Bar,
    Rows,
    bars,
    chunks,
    rows,
)
from parlab.report.style import (
    BLACK,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    Look,
    add_legend,
    make_figure,
    share_of_axis,
    zoomable,
)
from parlab.results.record import MeasuredCase, Repeat

LABELLED_FROM = 11  # pixels of a row; less has no room for a name
MARK_PIXELS = 9  # from the middle of a mark to its words
ROW_PIXELS = (5, 24)  # of a row, at least and at most
MOST_PIXELS = 1200  # of all rows, if they are to have more than the least
AXES, LABEL, LEGEND_LINE = 48, 21, 34  # pixels of a figure beside its rows: title and axis, its label, the legend
LEGEND_COLUMNS = 5
EDGE = "#003a5c"  # of tasks, which may lie end to end
BAR, STRIP, ON_BAR = (0.62, 0.66), (0.15, 0.2), (0.62, 0.38)  # middle and height in a row of 1, from its top


@dataclass(frozen=True)
class Kind:
    """How one kind of stretch is drawn, and where in its row."""

    look: Look
    place: tuple[float, float]


KINDS = {
    QUEUED: Kind(style.QUEUED, STRIP),
    TRANSFER: Kind(style.TRANSFER, STRIP),
    TASK: Kind(style.COMPUTING, BAR),
    FAILED: Kind(Look(VERMILION, "diagonal_cross"), BAR),
    PHASE: Kind(Look(PURPLE, "horizontal_line"), ON_BAR),  # below the locks, which may lie within it
    LOCK_WAIT: Kind(style.WAITING, ON_BAR),
    LOCK_HELD: Kind(Look(GREEN, "cross"), ON_BAR),
    START_UP: Kind(Look(GREY, "vertical_line"), BAR),
    SHUT_DOWN: Kind(Look(GREY, "criss_cross"), BAR),
}


@dataclass(frozen=True)
class Facts:
    """Numbers of each task; and the names that some of these stand for."""

    facts: ColumnDataSource
    names: ColumnDataSource


def measured_gantt(case: MeasuredCase, repeat: Repeat, x_range: Range1d, letter: str) -> figure:
    """The figure of what was measured, with start-up, shut-down and a legend."""
    limits = {node: use.wanted for node, use in repeat.nodes.items()}
    drawn = list(bars(repeat.spans))
    wall_s = repeat.measured_s or 0.0
    around = [
        Bar(START_UP, None, -repeat.startup_s, 0.0, -1),
        Bar(SHUT_DOWN, None, wall_s, wall_s + repeat.shutdown_s, -1),
    ]
    seen, together = len(by_worker(repeat.spans)), most_at_once(repeat.spans)
    of = f" of {case.workers} did something" if seen < case.workers else ""
    if case.workers < seen and together < seen:
        of = f", {together} at once"
    title = f"{_before(letter)}measured: {seconds(repeat.measured_s)}, {plural(seen, 'worker')}{of}"
    at = rows(repeat.spans, limits, case.without_task(repeat.spans), launch=True)
    return _gantt(drawn + around, repeat.spans, at, x_range, title, measured=True)


def ideal_gantt(case: MeasuredCase, spans: Sequence[Span], x_range: Range1d, letter: str) -> figure:
    """The figure of the case's ideal schedule, which these spans are."""
    drawn = [bar for bar in bars(spans) if bar.kind == TASK]  # all are queued until they start
    title = f"{_before(letter)}ideal: {seconds(case.ideal_s)}"
    at = rows(spans, {}, case.without_task(spans), launch=False)
    return _gantt(drawn, spans, at, x_range, title, measured=False)


def _before(letter: str) -> str:
    return f"{letter}, " if letter else ""


def row_pixels(count: int) -> int:
    """The height of each of so many rows."""
    least, most = ROW_PIXELS
    return max(least, min(most, MOST_PIXELS // max(1, count)))


def _gantt(
    drawn: Iterable[Bar], spans: Sequence[Span], at: Rows, x_range: Range1d, title: str, *, measured: bool
) -> figure:
    count, pixels = len(at.labels), row_pixels(len(at.labels))
    facts = _facts(spans)
    grouped: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in sorted(drawn, key=lambda bar: bar.began - bar.ended):  # what lies within another comes after it
        grouped[bar.kind].append(bar)
    height = pixels * count + AXES + (LABEL + LEGEND_LINE * -(-len(grouped) // LEGEND_COLUMNS) if measured else 0)
    name = "measured" if measured else "ideal"
    y_range = Range1d(start=count, end=0)
    plot = make_figure(height, x_range, y_range=y_range, title=title, name=name)
    zoomable(plot)
    if measured:
        plot.xaxis.axis_label = "seconds from the first submission"
    plot.ygrid.visible = False
    middles = [row + 0.5 for row, label in enumerate(at.labels) if label]
    plot.yaxis.ticker = FixedTicker(ticks=middles if pixels >= LABELLED_FROM else [])
    plot.yaxis.major_label_overrides = {row + 0.5: label for row, label in enumerate(at.labels) if label}
    plot.yaxis.major_tick_line_color = None
    step = -(-LABELLED_FROM // pixels)  # rows from one heading to the next, at least
    told = -step
    for row, text in at.headings.items():
        if row - told >= step:
            told = row
            plot.add_layout(
                Label(x=2, y=row + 0.95, x_units="screen", text=text, text_font_size="12px", text_baseline="bottom")
            )
    glyphs = {kind: [_add_bars(plot, kind, grouped[kind], at, facts)] for kind in KINDS if kind in grouped}
    if MARK in grouped:
        glyphs[MARK] = [_add_marks(plot, x_range, grouped[MARK], at, facts)]
    if measured:
        add_legend(plot, glyphs, columns=LEGEND_COLUMNS)
    return plot


def _add_bars(plot: figure, kind: str, drawn: Sequence[Bar], at: Rows, facts: Facts) -> "GlyphRenderer[Any]":
    middle, height = KINDS[kind].place
    source = _source(drawn, at, middle)
    look = KINDS[kind].look
    glyph = plot.hbar(
        "y",
        height,
        "right",
        "left",
        source=source,
        name=kind,
        line_color=EDGE if kind == TASK else look.colour,
        line_width=0.5,
        **look.fill(),
    )
    lines = [("", "@name" if kind == PHASE else kind), ("from, to", "@left{0.0000} s, @right{0.0000} s")]
    _add_hover(plot, glyph, lines, facts if drawn[0].task >= 0 else None)
    return glyph


def _add_marks(plot: figure, x_range: Range1d, drawn: Sequence[Bar], at: Rows, facts: Facts) -> "GlyphRenderer[Any]":
    middle, _ = BAR
    source = _source(drawn, at, middle)
    glyph = plot.scatter(
        "left", "y", source=source, name=MARK, marker="diamond", size=11, fill_color="white", line_color=BLACK
    )
    _tell_marks(plot, x_range, drawn, at, middle)
    _add_hover(plot, glyph, [("", "@name"), ("at", "@left{0.0000} s")], facts)
    return glyph


def _tell_marks(plot: figure, x_range: Range1d, drawn: Sequence[Bar], at: Rows, middle: float) -> None:
    """The words of the marks, to the right of each or to its left, where there is room; hovering tells the others."""
    start, end = cast(float, x_range.start), cast(float, x_range.end)
    in_rows: defaultdict[int, list[Bar]] = defaultdict(list)
    for bar in drawn:
        in_rows[at.of_worker[bar.worker]].append(bar)
    behind, before = [], []
    for row, marks in in_rows.items():
        marks.sort(key=lambda bar: bar.began)
        taken = start  # the row has words until there
        for bar, following in zip_longest(marks, marks[1:]):
            width = (end - start) * share_of_axis(bar.name, MARK_PIXELS)
            words = bar.began, row + middle, bar.name
            if bar.began + width <= (following.began if following else end):
                behind.append(words)
                taken = bar.began + width
            elif bar.began - width >= taken:
                before.append(words)
                taken = bar.began
    style: dict[str, Any] = {"background_fill_color": "white", "text_color": BLACK, "padding": 2, "level": "overlay"}
    for there, align, offset in ((behind, "left", MARK_PIXELS), (before, "right", -MARK_PIXELS)):
        source = ColumnDataSource({column: [words[index] for words in there] for index, column in enumerate("xyt")})
        place: dict[str, Any] = {"x_offset": offset, "text_align": align, "text_baseline": "middle"}
        plot.text("x", "y", "t", source=source, text_font_size="12px", **place, **style)


def _source(drawn: Sequence[Bar], at: Rows, middle: float) -> ColumnDataSource:
    columns: dict[str, object] = {
        "left": np.array([bar.began for bar in drawn], np.float32),
        "right": np.array([bar.ended for bar in drawn], np.float32),
        "y": np.array([at.of_worker[bar.worker] + middle for bar in drawn], np.float32),
        "task": np.array([bar.task for bar in drawn], np.int32),
    }
    if drawn[0].kind in (PHASE, MARK):
        columns["name"] = [bar.name for bar in drawn]
    return ColumnDataSource(columns)


TOLD = (
    "task",
    "chunk",
    "node",
    "rank",
    "process",
    "submitted",
    "started",
    "finished",
    "received",
    "CPU seconds",
    "outcome",
)
IDEALLY_TOLD = ("task", "node", "started", "finished", "CPU seconds")  # a plan has no processes, nor messages
TELL = """
const at = facts.data, task = value
switch (format) {
  case "task": return `${task + 1} of ${at.rank.length}`
  case "chunk": return `${at.chunk[task]}`
  case "node": return names.data.node[at.node[task]]
  case "rank": return at.rank[task] < 0 ? "none" : `${at.rank[task]}`
  case "process": return `${at.process[task]}, thread ${at.thread[task]}`
  case "CPU seconds": return at.cpu_s[task].toFixed(4)
  case "outcome": return names.data.outcome[at.outcome[task]]
  default: return `${at[format][task].toFixed(4)} s`
}
"""


def _add_hover(plot: figure, glyph: Any, lines: Sequence[tuple[str, str]], facts: Facts | None) -> None:
    hover = HoverTool(renderers=[glyph], tooltips=list(lines), point_policy="follow_mouse", visible=False)
    if facts is not None:
        told = TOLD if plot.name == "measured" else IDEALLY_TOLD
        hover.tooltips = [*lines, *((what, f"@task{{{what}}}") for what in told)]
        hover.formatters = {"@task": CustomJSHover(args=vars(facts), code=TELL)}
    plot.add_tools(hover)


def _facts(spans: Sequence[Span]) -> Facts:
    """What hovering tells of a task, once for all of its bars."""
    origin = first_submission(spans)
    nodes, outcomes = sorted({span.node for span in spans}), sorted({span.outcome for span in spans})
    threads = thread_numbers(spans)
    times = {
        name: np.array([getattr(span, name) - origin for span in spans], np.float32)
        for name in ("submitted", "started", "finished", "received")
    }
    whole = {
        "node": [nodes.index(span.node) for span in spans],
        "outcome": [outcomes.index(span.outcome) for span in spans],
        "rank": [span.rank for span in spans],
        "process": [span.pid for span in spans],
        "thread": [threads[worker_of(span)] for span in spans],
        "chunk": chunks(spans),
    }
    columns = times | {name: np.array(values, np.int32) for name, values in whole.items()}
    columns["cpu_s"] = np.array([span.cpu_s for span in spans], np.float32)
    longest = max(len(nodes), len(outcomes))
    names = {"node": nodes, "outcome": outcomes}
    padded = {name: [*values, *[""] * (longest - len(values))] for name, values in names.items()}
    return Facts(ColumnDataSource(columns), ColumnDataSource(padded))
