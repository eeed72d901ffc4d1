"""The chart of a curve and its table: speed-up over the number of workers, measured, ideal and fitted.

Both axes are logarithmic, to the base two: perfect speed-up is a straight line, and all doublings have equal width.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import BasicTickFormatter, FixedTicker, HoverTool, Range1d
from bokeh.plotting import figure

from parlab.formatting import number, percent, plural, seconds, share, times
from parlab.judge.uncertainty import NOTHING_KNOWN, TIME
from parlab.report.scaling import Curve, Fit
from parlab.report.style import (
    BLACK,
    COMPUTING,
    EDGED,
    GREY,
    INK,
    PURPLE,
    VERMILION,
    Chart,
    add_legend,
    make_figure,
    tip,
)
from parlab.report.tables import Table, useful
from parlab.results.record import MeasuredCase

FIT_LINES = ((VERMILION, "solid"), (PURPLE, "dotdash"))
FINE = 200  # points of a fitted curve
HEIGHT, LEFT = 270, 64  # pixels
ROOM = 1.15  # factor by which the axes extend beyond the first and the last point
FEW_TICKS = 3  # of an axis, at least
HEADINGS = ("workers", "measured", "speed-up", "95 % interval", "ideal", "efficiency")


def curve_chart(curve: Curve, fits: Sequence[Fit], name: str) -> Chart:
    """Speed-up over the number of workers: a point per launch, the intervals, the ideal, and the fitted laws."""
    words = "; ".join(
        f"{plural(curve.size(case), curve.counts)}: speed-up {number(curve.speedup(case))}, "
        f"efficiency {percent(curve.efficiency(case))}"
        for case in curve.cases
    )
    plot = _scaling_figure(curve, fits)
    return Chart(name, f"{curve.name}: more {curve.counts}s", words, column(plot, sizing_mode="stretch_width"))


def curve_rows(curve: Curve) -> Iterator[tuple[str, ...]]:
    """The same as a table, a row per size; see HEADINGS."""
    for case in curve.cases:
        low, high = interval(curve, case)
        ideal = case.serial_s / case.ideal_s if case.serial_s and case.ideal_s else math.nan
        yield (
            *(str(curve.size(case)), seconds(case.measured_s), times(curve.speedup(case))),
            *(f"{low:.2f} to {high:.2f}", times(ideal), share(curve.efficiency(case))),
        )


def curve_table(curve: Curve) -> Table:
    """The same, without a column of ideals if there are none."""
    headings = (f"{curve.counts}s", *HEADINGS[1:])
    return useful(headings, list(curve_rows(curve)), numbers=headings)


def interval(curve: Curve, case: MeasuredCase) -> tuple[float, float]:
    """The 95 % interval of a case's speed-up: from its launches or, if they are too few, from the stated spread."""
    low_s, high_s = NOTHING_KNOWN.estimates(case)[TIME].interval
    return curve.reference_s(case) / high_s, curve.reference_s(case) / low_s


def _scaling_figure(curve: Curve, fits: Sequence[Fit]) -> figure:
    workers, speedups = (np.array(values, float) for values in curve.points())
    p, s = (np.array(values, float) for values in curve.ideal_points())
    few, most = min(curve.sizes), max(curve.sizes)
    intervals = [(curve.size(case), *interval(curve, case)) for case in curve.cases]
    seen = [*speedups, *s, *(low for _, low, _ in intervals), *(high for *_, high in intervals)]
    least, top = min(seen), max(*seen, most / curve.least)
    plot = make_figure(
        HEIGHT,
        left=LEFT,
        x_axis_type="log",
        y_axis_type="log",
        x_range=Range1d(start=few / ROOM, end=most * ROOM),
        y_range=Range1d(start=least / ROOM, end=top * ROOM),
    )
    ends = np.array([max(few, curve.least * least / ROOM), most], float)
    drawn: dict[str, list[Any]] = {
        "nothing lost": [plot.line(ends, ends / curve.least, line_color=GREY, line_dash="dotted", line_width=2)]
    }
    if len(p):
        ideal = plot.line(p, s, line_color=BLACK, line_dash="dashed", line_width=1.5)
        points = plot.scatter(p, s, marker="square", size=9, fill_color=None, line_color=BLACK)
        drawn["ideal"] = [ideal, points]
        ideal.tags = points.tags = [INK]
    for fit, (colour, dash) in zip((fit for fit in fits if fit.describes), FIT_LINES, strict=False):
        fitted = np.geomspace(few, fit.most, FINE)
        drawn[fit.law.removeprefix("the ")] = [
            plot.line(fitted, fit.speedup(fitted), line_color=colour, line_dash=dash, line_width=2)
        ]
    at, low, high = (np.array(values, float) for values in zip(*intervals, strict=True))
    whiskers = plot.segment(at, low, at, high, line_color=COMPUTING.colour, line_width=3, line_alpha=0.6)
    points = plot.scatter(workers, speedups, size=9, fill_color=COMPUTING.colour, line_color="white", name="measured")
    points.tags = [EDGED]
    drawn["measured, with its 95 % interval"] = [whiskers, points]
    plot.add_tools(HoverTool(renderers=[points], tooltips=tip([(f"{curve.counts}s", "@x"), ("speed-up", "@y{0.00}")])))
    add_legend(plot, drawn, columns=5)
    plot.xaxis.axis_label, plot.yaxis.axis_label = f"{curve.counts}s", "speed-up"
    plot.xaxis.ticker = FixedTicker(ticks=curve.sizes)
    plot.yaxis.ticker = FixedTicker(ticks=doublings(least / ROOM, top * ROOM))
    plot.yaxis.formatter = BasicTickFormatter(use_scientific=False)
    plot.axis.minor_tick_line_color = None
    return plot


def doublings(least: float, most: float) -> list[float]:
    """Ticks: the powers of two between `least` and `most`; if these are fewer than two, round numbers."""
    powers = [2.0**power for power in range(math.ceil(math.log2(least)), math.floor(math.log2(most)) + 1)]
    if len(powers) > 1:
        return powers
    step = 10.0 ** math.floor(math.log10(most - least))
    step *= next(part for part in (2, 1, 0.5, 0.2) if (most - least) / (step * part) >= FEW_TICKS)
    return [round(step * count, 9) for count in range(math.ceil(least / step), math.floor(most / step) + 1)]
