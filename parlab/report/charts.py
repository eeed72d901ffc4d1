"""The charts of all cases of a run: ideal and measured time side by side, and the breakdown of the time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, FactorRange, HoverTool, Range1d
from bokeh.models.annotations import Label
from bokeh.plotting import figure
from bokeh.transform import dodge

from parlab.analysis.breakdown import Breakdown
from parlab.formatting import percent, seconds
from parlab.report.style import (
    COMPUTING,
    GREEN,
    GREY,
    LOOKS,
    Chart,
    Look,
    add_legend,
    make_figure,
    share_of_axis,
)
from parlab.results.record import MeasuredCase, Run
from parlab.terminal.summary import CATEGORIES, SHOWN_FROM, by_name, measured_in_words, paired

RUN_LOOKS = (COMPUTING, Look(GREEN, "dot"))
NAMES_LEFT = 250  # pixels for the names of cases
CASE_PIXELS, BAR_PIXELS, GAP_PIXELS = 44, 20, 12  # heights in a chart of all cases: of a case, or of a bar and a gap
FRAME_PIXELS = 73  # height of its axis and its legend of one line
WORDS_PIXELS = 5  # from the end of a bar to its text
LONG_NAME = 30  # characters; longer ones take two lines


def _timed(cases: Mapping[str, MeasuredCase | None]) -> dict[str, MeasuredCase]:
    """The cases that took time, by name; the names are in as few lines as fit beside a chart."""
    return {_lines(name): case for name, case in cases.items() if case and case.times and case.measured_s > 0}


def _lines(name: str) -> str:
    function, bracket, settings = name.partition("(")
    return f"{function}\n({settings}" if bracket and len(name) > LONG_NAME else name


def overview(run: Run) -> Chart | None:
    """Ideal beside measured time, a pair of bars per case; None if nothing was measured."""
    return _times_chart({"measured": _timed(by_name(run))}, "overview")


def side_by_side(first: Run, second: Run) -> Chart | None:
    """The ideal and the measured times of two runs, case by case; None if neither run measured anything."""
    pairs = paired(first, second)
    ours, theirs = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
    return _times_chart({"A": _timed(ours), "B": _timed(theirs)}, "both")


def _times_chart(timed: Mapping[str, Mapping[str, MeasuredCase]], name: str) -> Chart | None:
    """A bar for the ideal and one for each run, case by case, all on one scale of seconds."""
    cases = dict.fromkeys(label for own in timed.values() for label in own)
    if not cases:
        return None
    ideals = [_common_ideal([own[label] for own in timed.values() if label in own]) for label in cases]
    columns = {"ideal": ideals} if any(ideals) else {}
    columns |= {run: [own[label].measured_s if label in own else None for label in cases] for run, own in timed.items()}
    words = {"ideal": [seconds(value) for value in ideals]}
    words |= {run: [measured_in_words(own.get(label)) for label in cases] for run, own in timed.items()}
    ends = [
        value / (1 - min(0.5, share_of_axis(told, WORDS_PIXELS)))
        for what, values in columns.items()
        for value, told in zip(values, words[what], strict=True)
        if value is not None
    ]
    plot = make_figure(
        (BAR_PIXELS * len(columns) + GAP_PIXELS) * len(cases) + FRAME_PIXELS,
        y_range=FactorRange(factors=list(reversed(cases))),
        x_range=Range1d(start=0, end=max(ends)),
        left=NAMES_LEFT,
    )
    source = ColumnDataSource({"case": list(cases)})
    drawn, looks = {}, dict(zip(timed, RUN_LOOKS, strict=False))
    height = 0.84 / len(columns)
    for index, (what, values) in enumerate(columns.items()):
        # A missing value becomes nan, for which nothing is drawn.
        source.add([math.nan if value is None else value for value in values], what)
        source.add(words[what], f"{what} in words")
        above = 0.42 - height * (index + 0.5)  # the middle of its case
        at = dodge("case", above, plot.y_range)
        look = {"fill_color": None} if what == "ideal" else looks[what].fill()
        drawn[what] = plot.hbar(at, 0.86 * height, what, source=source, line_color=GREY, name=what, **look)
        for row, (end, text) in enumerate(zip(values, words[what], strict=True), 1):
            if end is not None:
                _tell(plot, end, len(cases) - row + 0.5 + above, text)
    plot.add_tools(HoverTool(tooltips=[("", "@case"), *((what, f"@{{{what} in words}}") for what in columns)]))
    add_legend(plot, {name: [glyph] for name, glyph in drawn.items()}, columns=len(drawn))
    plot.xaxis.axis_label = "seconds"
    plot.ygrid.visible = False
    told = (
        f"{label}: " + ", ".join(f"{what} {words[what][index]}" for what in columns)
        for index, label in enumerate(cases)
    )
    *most, last = columns
    title = f"{', '.join(most)} and {last}" if most else last
    return Chart(
        name,
        f"{title[0].upper()}{title[1:]}",
        "; ".join(told).replace("\n", ""),
        column(plot, sizing_mode="stretch_width"),
    )


def _common_ideal(cases: Sequence[MeasuredCase]) -> float | None:
    """The ideal, if these cases share it; None if it differs, or if not all of the work was done."""
    ideals = {case.ideal_s if case.completed else None for case in cases}
    return ideals.pop() if len(ideals) == 1 else None


def _tell(plot: figure, x: float, y: float, text: str) -> None:
    """Write text beside the end of a bar. It is a label, not a glyph: only labels take their colour from the page."""
    style: dict[str, Any] = {"text_baseline": "middle", "text_font_size": "12px"}
    plot.add_layout(Label(x=x, y=y, text=text, x_offset=WORDS_PIXELS, **style))


def accounts(run: Run) -> Chart | None:
    """The breakdown of the time of each case's last-finishing worker, one stacked bar per case; None for a program."""
    timed = _timed(by_name(run))
    if not timed or run.command:  # a program's spans do not tell
        return None
    labels, shares = list(timed), [case.breakdown().shares() for case in timed.values()]
    names = [field.name for field in fields(Breakdown) if any(share[field.name] > SHOWN_FROM for share in shares)]
    source = ColumnDataSource({"case": labels})
    plot = make_figure(
        CASE_PIXELS * len(timed) + 110,
        y_range=FactorRange(factors=list(reversed(labels))),
        x_range=Range1d(start=0, end=100),
        left=NAMES_LEFT,
    )
    bars, left = {}, np.zeros(len(timed))
    for name in names:
        category = CATEGORIES[name]
        percents = np.array([100 * share[name] for share in shares])
        right = left + percents
        for what, values in {category: percents, f"{category} from": left, f"{category} to": right}.items():
            source.add(values, what)
        look = LOOKS[name].fill()
        ends = f"{category} to", f"{category} from"
        bars[category] = plot.hbar("case", 0.6, *ends, source=source, line_color=None, name=category, **look)
        tooltip = [("", "@case"), (category, f"@{{{category}}}{{0.0}} %")]
        plot.add_tools(HoverTool(renderers=[bars[category]], tooltips=tooltip, visible=False))
        left = right
    add_legend(plot, {name: [glyph] for name, glyph in bars.items()}, columns=4)
    plot.xaxis.axis_label = "% of the time from the first submission to the last receipt"
    plot.ygrid.visible = False
    words = "; ".join(
        f"{case.name}: "
        + ", ".join(f"{CATEGORIES[name]} {percent(share[name])}" for name in names if share[name] >= SHOWN_FROM)
        for case, share in zip(timed.values(), shares, strict=True)
    )
    return Chart("account", "Where the time went", words, column(plot, sizing_mode="stretch_width"))
