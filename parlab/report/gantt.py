"""The Gantt chart of a launch: a row per worker, grouped by node with its limit.

A row has a strip above and a bar below. The bar shows the worker's own activity: its tasks and, on them, their phases.
The strip shows a task's time in the queue and its transfer there and back, which may overlap with other tasks of the
same worker. Times are in seconds from the first submission.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, cast

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
    VERMILION,
    Look,
    add_legend,
    make_figure,
    share_of_axis,
    zoomable,
)
from parlab.report.telling import Facts, add_hover, facts_of
from parlab.results.record import MeasuredCase, Repeat

LABELLED_FROM = 11  # pixels of a row; a lower row has no room for a name
MARK_PIXELS = 9  # from the middle of a mark to its text
ROW_PIXELS = (5, 20)  # of a row, at least and at most
MOST_PIXELS = 900  # of all rows together, unless each has the least height
AXES, LEGEND_LINE = 30, 30  # pixels of a figure besides its rows: title, and a line of the legend
LEGEND_COLUMNS = 6
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
    PHASE: Kind(Look(PURPLE, "horizontal_line"), ON_BAR),  # drawn below the locks, which may lie within a phase
    LOCK_WAIT: Kind(style.WAITING, ON_BAR),
    LOCK_HELD: Kind(Look(GREEN, "cross"), ON_BAR),
}
AROUND = {START_UP: Look(GREY, "vertical_line"), SHUT_DOWN: Look(GREY, "criss_cross")}
IDEAL_END = "ideal end"


def measured_gantt(
    case: MeasuredCase, repeat: Repeat, x_range: Range1d, letter: str, ideal: Sequence[Span] = ()
) -> figure:
    """The figure of the measured tasks, with start-up, shut-down, the end of the ideal, and a legend."""
    limits = {node: use.wanted for node, use in repeat.nodes.items()}
    seen, together = len(by_worker(repeat.spans)), most_at_once(repeat.spans)
    of = f" of {case.workers} did something" if seen < case.workers else ""
    if case.workers < seen and together < seen:
        of = f", {together} at once"
    title = f"{_before(letter)}measured: {seconds(repeat.measured_s)}, {plural(seen, 'worker')}{of}"
    at = rows(repeat.spans, limits, case.without_task(repeat.spans))
    planned = [span.finished - span.started for span in ideal] if len(ideal) == len(repeat.spans) else []
    facts = facts_of(repeat.spans, planned)
    drawn = list(bars(repeat.spans, float(case.spec.speed)))
    grouped: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in sorted(drawn, key=lambda bar: bar.began - bar.ended):  # longest first: inner bars come later
        grouped[bar.kind].append(bar)
    entries = len(grouped) + 2 + (case.ideal_s is not None)
    plot = _empty(at, x_range, title, entries, marked=MARK in grouped)
    glyphs = {kind: [_add_bars(plot, kind, grouped[kind], at, facts)] for kind in KINDS if kind in grouped}
    if MARK in grouped:
        glyphs[MARK] = [_add_marks(plot, x_range, grouped[MARK], at, facts)]
    glyphs |= _around(plot, repeat, len(at.labels))
    if ideal and case.ideal_s is not None:
        line = plot.vspan(x=[case.ideal_s], line_color=BLACK, line_width=2.5, line_dash="dashed", name=IDEAL_END)
        line.tags = [INK]
        glyphs[f"{IDEAL_END}, {seconds(case.ideal_s)}"] = [line]
    add_legend(plot, glyphs, columns=LEGEND_COLUMNS)
    return plot


def _around(plot: figure, repeat: Repeat, count: int) -> dict[str, list[Any]]:
    """Start-up and shut-down, behind all rows."""
    wall_s = repeat.measured_s or 0.0
    ends = {START_UP: (-repeat.startup_s, 0.0), SHUT_DOWN: (wall_s, wall_s + repeat.shutdown_s)}
    found = {}
    for kind, (left, right) in ends.items():
        source = ColumnDataSource({"left": [left], "right": [right], "y": [count / 2]})
        look = AROUND[kind].fill() | {"fill_alpha": 0.25}
        glyph = plot.hbar("y", count, "right", "left", source=source, name=kind, line_color=None, **look)
        glyph.level = "underlay"
        add_hover(plot, glyph, [(kind, seconds(right - left))], None)
        found[kind] = [glyph]
    return found


def _before(letter: str) -> str:
    return f"{letter}, " if letter else ""


def row_pixels(count: int, *, marked: bool = False) -> int:
    """The height of each of `count` rows; rows with marks may be higher, for the text above their tasks."""
    least, most = ROW_PIXELS
    most *= 1 + marked
    return max(least, min(most, MOST_PIXELS // max(1, count)))


def _empty(at: Rows, x_range: Range1d, title: str, entries: int, *, marked: bool) -> figure:
    """A figure with the labels of the rows, and room for `entries` entries in its legend."""
    count, pixels = len(at.labels), row_pixels(len(at.labels), marked=marked)
    height = pixels * count + AXES + LEGEND_LINE * -(-entries // LEGEND_COLUMNS)
    plot = make_figure(height, x_range, y_range=Range1d(start=count, end=0), title=title, name="measured")
    zoomable(plot)
    plot.ygrid.visible = False
    middles = [row + 0.5 for row, label in enumerate(at.labels) if label]
    plot.yaxis.ticker = FixedTicker(ticks=middles if pixels >= LABELLED_FROM else [])
    plot.yaxis.major_label_overrides = {row + 0.5: label for row, label in enumerate(at.labels) if label}
    plot.yaxis.major_tick_line_color = None
    step = -(-LABELLED_FROM // pixels)  # least number of rows from one heading to the next
    told = -step
    for row, text in at.headings.items():
        if row - told >= step:
            told = row
            place: dict[str, Any] = {"x_units": "screen", "text_font_size": "11px", "text_baseline": "bottom"}
            plot.add_layout(Label(x=2, y=row + 0.98, text=text, **place))
    return plot


def _add_bars(plot: figure, kind: str, drawn: Sequence[Bar], at: Rows, facts: Facts) -> "GlyphRenderer[Any]":
    kept = KINDS[kind]
    source = _source(drawn, at, kept.place)
    glyph = plot.hbar(
        "y", "height", "right", "left", source=source, name=kind, **_edge(kind, drawn), **kept.look.fill()
    )
    if kind in (TASK, FAILED):
        glyph.tags = [EDGED]
    if kind not in (ASLEEP, CONTENDED):  # pointing at these shows the facts of the task below
        lines = [("", "@name" if kind == PHASE else kind), ("from, to", "@left{0.0000} s, @right{0.0000} s")]
        add_hover(plot, glyph, [] if kind in (TASK, FAILED) else lines, facts if kind in (TASK, FAILED) else None)
    return glyph


def _edge(kind: str, drawn: Sequence[Bar]) -> dict[str, Any]:
    """A line around each task in the colour of the page; thin if there are so many tasks that it would hide them."""
    if kind not in (TASK, FAILED):
        return {"line_color": None}
    return {"line_color": "white", "line_width": 1.5 if len(drawn) <= EDGED_TO else 0.3}


def _add_marks(plot: figure, x_range: Range1d, drawn: Sequence[Bar], at: Rows, facts: Facts) -> "GlyphRenderer[Any]":
    source = _source(drawn, at, BAR)
    glyph = plot.scatter(
        "left", "y", source=source, name=MARK, marker="diamond", size=11, fill_color="white", line_color=BLACK
    )
    _tell_marks(plot, x_range, drawn, at)
    add_hover(plot, glyph, [("", "@name"), ("at", "@left{0.0000} s")], None)
    return glyph


def _tell_marks(plot: figure, x_range: Range1d, drawn: Sequence[Bar], at: Rows) -> None:
    """Write the names of the marks above the tasks, to the right or the left of each mark, if there is room.

    Pointing at a mark shows its name in any case.
    """
    start, end = cast(float, x_range.start), cast(float, x_range.end)
    in_rows: defaultdict[int, list[Bar]] = defaultdict(list)
    for bar in drawn:
        in_rows[at.of_worker[bar.worker]].append(bar)
    behind, before = [], []
    for row, marks in in_rows.items():
        marks.sort(key=lambda bar: bar.began)
        taken = start  # the row has text up to here
        for bar, following in zip_longest(marks, marks[1:]):
            width = (end - start) * share_of_axis(bar.name, MARK_PIXELS)
            words = bar.began, row + ABOVE, bar.name
            if bar.began + width <= (following.began if following else end):
                behind.append(words)
                taken = bar.began + width
            elif bar.began - width >= taken:
                before.append(words)
                taken = bar.began
    for there, align, offset in ((behind, "left", MARK_PIXELS), (before, "right", -MARK_PIXELS)):
        source = ColumnDataSource({column: [words[index] for words in there] for index, column in enumerate("xyt")})
        place: dict[str, Any] = {"x_offset": offset, "text_align": align, "text_baseline": "middle"}
        plot.text("x", "y", "t", source=source, text_font_size="12px", text_color=BLACK, **place).tags = [INK]


def _source(drawn: Sequence[Bar], at: Rows, place: tuple[float, float]) -> ColumnDataSource:
    """Each bar in its row. A bar with a share of the height stands on the lower edge or, if contended, on the upper."""
    middle, height = place
    shares = np.array([bar.share for bar in drawn], np.float32)
    off = 0.5 * height * (1 - shares) * (-1 if drawn[0].kind == CONTENDED else 1)
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
