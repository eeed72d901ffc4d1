"""The Gantt chart of a launch: a row per worker, grouped by node with its limit.

A row has a strip above and a bar below. The bar shows the worker's own activity: its tasks and, on them, their phases.
The strip shows a task's time in the queue and its transfer there and back, which may overlap with other tasks of the
same worker. Times are in seconds from the first submission.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, Range1d
from bokeh.models.annotations import Label
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure

from parlab.formatting import plural, seconds
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Span
from parlab.model.workers import by_worker, most_at_once
from parlab.report import style
from parlab.report.bars import (
    ASLEEP,
    CONTENDED,
    FAILED,
    MARK,
    PHASE,
    QUEUED,
    SHUT_DOWN,
    START_UP,
    TASK,
    TRANSFER,
    UNEXPLAINED,
    Bar,
    Rows,
    bars,
    rows,
)
from parlab.report.style import (
    BLACK,
    EDGED,
    GREEN,
    GREY,
    INK,
    PURPLE,
    TEXT,
    VERMILION,
    Look,
    add_legend,
    make_figure,
    zoomable,
)
from parlab.report.telling import Facts, add_hover, facts_of
from parlab.results.record import MeasuredCase, Repeat

LABELLED_FROM = 14  # pixels of a row; a lower row has no room for a name
MARK_PIXELS = 9  # from the middle of a mark to its text
MARK_WORDS = "mark words"  # the glyph with the marks' names
COMPUTING = "computing"
ROW_PIXELS = (5, 18)  # of a row, at least and at most
MOST_PIXELS = 900  # of all rows together, unless each has the least height
AXES, LEGEND_LINE = 32, 30  # pixels of a figure besides its rows: title, and a line of the legend
EDGED_TO = 600  # tasks; with more, borders would hide the tasks
BAR, STRIP, ON_BAR = (0.62, 0.66), (0.15, 0.2), (0.62, 0.38)  # middle and height in a row of 1, from its top
ABOVE = 0.14  # the middle of a mark's text


@dataclass(frozen=True)
class Kind:
    """The look of one kind of stretch, and its place in the row."""

    look: Look
    place: tuple[float, float]


KINDS = {
    QUEUED: Kind(style.QUEUED, STRIP),
    TRANSFER: Kind(style.TRANSFER, STRIP),
    TASK: Kind(style.COMPUTING, BAR),
    FAILED: Kind(Look(VERMILION, "diagonal_cross"), BAR),
    ASLEEP: Kind(style.WAITING, BAR),
    CONTENDED: Kind(style.CONTENDED, BAR),
    UNEXPLAINED: Kind(style.UNEXPLAINED, BAR),
    PHASE: Kind(Look(PURPLE, "horizontal_line"), ON_BAR),  # drawn below the locks, which may lie within a phase
    LOCK_WAIT: Kind(style.WAITING, ON_BAR),
    LOCK_HELD: Kind(Look(GREEN, "cross"), ON_BAR),
}
LIFE = Kind(style.LIFE, BAR)  # a task of which nobody knows when it computed
AROUND = {START_UP: Look(GREY, "vertical_line"), SHUT_DOWN: Look(GREY, "blank")}
FAINT = {START_UP: 0.25, SHUT_DOWN: 0.12}
IDEAL_END = "ideal end"


def measured_gantt(
    case: MeasuredCase, repeat: Repeat, x_range: Range1d, letter: str, ideal: Sequence[Span] = ()
) -> figure:
    """The figure of the measured tasks, with start-up, shut-down, the end of the ideal, and a legend."""
    limits = {node: use.wanted for node, use in repeat.nodes.items()}
    seen, together = len(by_worker(repeat.spans)), most_at_once(repeat.spans)
    waits_known = explained(repeat.spans)
    lacking = case.workers - seen
    ranks = bool(case.tasks) and not waits_known
    who = plural(max(seen, case.workers), "process" if ranks else "worker")
    if case.workers < seen and together < seen:
        who += f", {together} at once"
    elif lacking > 0:
        who = f"{lacking} of {who} got no task"
    title = f"{_before(letter)}measured: {seconds(repeat.measured_s)}, {who}"
    at = rows(repeat.spans, limits, case.without_task(repeat.spans))
    planned = [span.finished - span.started for span in ideal] if len(ideal) == len(repeat.spans) else []
    facts = facts_of(repeat.spans, planned)
    drawn = list(bars(repeat.spans, float(case.spec.speed) if waits_known else None))
    grouped: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in sorted(drawn, key=lambda bar: bar.began - bar.ended):  # longest first: inner bars come later
        grouped[bar.kind].append(bar)
    plot = _empty(at, x_range, title, marked=MARK in grouped)
    glyphs = {
        legend_of(kind, waits_known=waits_known, ranks=ranks): [
            _add_bars(plot, kind, grouped[kind], at, facts, waits_known=waits_known)
        ]
        for kind in KINDS
        if kind in grouped
    }
    if MARK in grouped:
        glyphs[MARK] = [_add_marks(plot, grouped[MARK], at, facts)]
    _around(plot, repeat, len(at.labels))
    if ideal and case.ideal_s is not None:
        line = plot.vspan(x=[case.ideal_s], line_color=BLACK, line_width=2.5, line_dash=[10, 4], name=IDEAL_END)
        line.tags = [INK]
        glyphs[f"{IDEAL_END}, {seconds(case.ideal_s)}"] = [line]
    add_legend(plot, glyphs, columns=len(glyphs))
    return plot


def explained(spans: Sequence[Span]) -> bool:
    """Whether it is known for any of these tasks when it was ready but did not run: of a program, it never is."""
    return any(span.run_delay_s is not None or span.waited_s for span in spans)


def legend_of(kind: str, *, waits_known: bool, ranks: bool) -> str:
    """The kind's entry in a legend: what is left of a task is computing, unless nothing is known of it."""
    if kind != TASK:
        return kind
    return COMPUTING if waits_known else "a process" if ranks else TASK


def _around(plot: figure, repeat: Repeat, count: int) -> None:
    """Start-up and shut-down, behind all rows; they are told by pointing at them."""
    wall_s = repeat.measured_s or 0.0
    ends = {START_UP: (-repeat.startup_s, 0.0), SHUT_DOWN: (wall_s, wall_s + repeat.shutdown_s)}
    for kind, (left, right) in ends.items():
        source = ColumnDataSource({"left": [left], "right": [right], "y": [count / 2]})
        look = AROUND[kind].fill() | {"fill_alpha": FAINT[kind]}
        glyph = plot.hbar("y", count, "right", "left", source=source, name=kind, line_color=None, **look)
        glyph.level = "underlay"
        add_hover(plot, glyph, [(kind, seconds(right - left))], None)


def _before(letter: str) -> str:
    return f"{letter}, " if letter else ""


def row_pixels(count: int, *, marked: bool = False) -> int:
    """The height of each of `count` rows; rows with marks may be higher, for the text above their tasks."""
    least, most = ROW_PIXELS
    most *= 1 + marked
    return max(least, min(most, MOST_PIXELS // max(1, count)))


def _empty(at: Rows, x_range: Range1d, title: str, *, marked: bool) -> figure:
    """A figure with the labels of the rows, and room for a legend of one line; the page makes room for more."""
    count, pixels = len(at.labels), row_pixels(len(at.labels), marked=marked)
    height = pixels * count + AXES + LEGEND_LINE
    plot = make_figure(height, x_range, y_range=Range1d(start=count, end=0), title=title, name="measured")
    zoomable(plot)
    plot.ygrid.visible = False
    middles = [row + 0.5 for row, label in enumerate(at.labels) if label]
    plot.yaxis.ticker = FixedTicker(ticks=middles if pixels >= LABELLED_FROM else [])
    plot.yaxis.major_label_overrides = {row + 0.5: label for row, label in enumerate(at.labels) if label}
    plot.yaxis.major_tick_line_color = None
    step = -(-LABELLED_FROM // pixels)  # least number of rows from one heading to the next
    last_heading = -step
    for row, text in at.headings.items():
        if row - last_heading >= step:
            last_heading = row
            place: dict[str, Any] = {"x_units": "screen", "text_font_size": "13px", "text_baseline": "bottom"}
            plot.add_layout(Label(x=2, y=row + 0.98, text=text, **place))
    return plot


def _add_bars(
    plot: figure, kind: str, drawn: Sequence[Bar], at: Rows, facts: Facts, *, waits_known: bool
) -> "GlyphRenderer[Any]":
    kept = KINDS[kind] if waits_known or kind != TASK else LIFE
    source = _source(drawn, at, kept.place)
    glyph = plot.hbar(
        "y", "height", "right", "left", source=source, name=kind, **_edge(kind, drawn), **kept.look.fill()
    )
    if kind in (TASK, FAILED):
        glyph.tags = [EDGED]
    if kind not in (ASLEEP, CONTENDED, UNEXPLAINED):  # pointing at these shows the facts of the task below
        lines = [("", "@name" if kind == PHASE else kind), ("from, to", "@left{0.0000} s, @right{0.0000} s")]
        add_hover(plot, glyph, [] if kind in (TASK, FAILED) else lines, facts if kind in (TASK, FAILED) else None)
    return glyph


def _edge(kind: str, drawn: Sequence[Bar]) -> dict[str, Any]:
    """A line around each task in the colour of the page; thin if there are so many tasks that it would hide them."""
    if kind not in (TASK, FAILED):
        return {"line_color": None}
    return {"line_color": "white", "line_width": 1.5 if len(drawn) <= EDGED_TO else 0.3}


def _add_marks(plot: figure, drawn: Sequence[Bar], at: Rows, facts: Facts) -> "GlyphRenderer[Any]":
    """The marks, and their words: the page places these, as only it knows the width of its axis (page.js)."""
    source = _source(drawn, at, BAR)
    glyph = plot.scatter(
        "left", "y", source=source, name=MARK, marker="diamond", size=11, fill_color="white", line_color=BLACK
    )
    words = sorted(drawn, key=lambda bar: (at.of_worker[bar.worker], bar.began))
    columns: dict[str, list[Any]] = {
        "x": [bar.began for bar in words],
        "row": [at.of_worker[bar.worker] for bar in words],
        "y": [at.of_worker[bar.worker] + ABOVE for bar in words],
        "name": [bar.name for bar in words],
        "shown": [""] * len(words),
        "align": ["left"] * len(words),
        "offset": [MARK_PIXELS] * len(words),
    }
    plot.text(
        *("x", "y", "shown"),
        source=ColumnDataSource(columns),
        name=MARK_WORDS,
        x_offset="offset",
        text_align="align",
        text_baseline="middle",
        text_font_size=TEXT,
        text_color=BLACK,
    ).tags = [INK]
    add_hover(plot, glyph, [("", "@name"), ("at", "@left{0.0000} s")], None)
    return glyph


def _source(drawn: Sequence[Bar], at: Rows, place: tuple[float, float]) -> ColumnDataSource:
    """Each bar in its row; a bar with a share of the height has its place below what is above it."""
    middle, height = place
    shares = np.array([bar.share for bar in drawn], np.float32)
    above = np.array([bar.above for bar in drawn], np.float32)
    off = height * (above + 0.5 * shares - 0.5)
    columns: dict[str, object] = {
        "left": np.array([bar.began for bar in drawn], np.float32),
        "right": np.array([bar.ended for bar in drawn], np.float32),
        "y": np.array([at.of_worker[bar.worker] + middle for bar in drawn], np.float32) + off,
        "height": height * shares,
        "task": np.array([bar.task for bar in drawn], np.int32),
    }
    if drawn[0].kind in (PHASE, MARK):
        columns["name"] = [bar.name for bar in drawn]
    return ColumnDataSource(columns)
