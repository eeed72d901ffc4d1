"""The chart of a curve: speed-up and efficiency over the number of workers, what is ideal, and what is fitted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.layouts import row
from bokeh.models import FixedTicker, HoverTool, Range1d
from bokeh.plotting import figure

from parlab.formatting import number, percent, plural
from parlab.report.scaling import Curve, Fit
from parlab.report.style import COMPUTING, GREY, PURPLE, VERMILION, Chart, add_legend, make_figure

FIT_LINES = ((VERMILION, "solid"), (PURPLE, "dotdash"))
FINE = 200  # points of a fitted curve


def curve_chart(curve: Curve, found: Sequence[Fit], name: str) -> Chart:
    """Speed-up and efficiency over the number of workers, a point a launch, with what is ideal and what is fitted."""
    figures = [
        _scaling_figure(curve, found, "speed-up", lambda workers, speedup: speedup),
        _scaling_figure(curve, found, "efficiency", lambda workers, speedup: speedup / workers),
    ]
    words = "; ".join(
        f"{plural(case.seen_workers, 'worker')}: speed-up {number(case.speedup)}, "
        f"efficiency {percent(case.speedup / case.seen_workers)}"
        for case in curve.cases
    )
    return Chart(name, f"{curve.name}: more workers", words, row(*figures, sizing_mode="stretch_width"))


def _scaling_figure(curve: Curve, found: Sequence[Fit], what: str, value: Callable[[Any, Any], Any]) -> figure:
    workers, speedups = (np.array(values, float) for values in curve.points())
    most = max(curve.sizes)
    fine = np.linspace(1, most, FINE)
    plot = make_figure(
        330,
        title=what,
        left=60,
        x_range=Range1d(start=0, end=1.05 * most),
        y_range=Range1d(start=0, end=1.1 * max(value(most, float(most)), np.max(value(workers, speedups)))),
    )
    drawn: dict[str, list[Any]] = {
        "one core a worker, nothing lost": [
            plot.line(fine, value(fine, fine), line_color=GREY, line_dash="dotted", line_width=2)
        ]
    }
    p, s = (np.array(values, float) for values in curve.ideal_points())
    if len(p):
        drawn["ideal"] = [
            plot.line(p, value(p, s), line_color=GREY, line_width=1.5),
            plot.scatter(p, value(p, s), marker="square", size=9, fill_color=None, line_color=GREY),
        ]
    for fit, (colour, dash) in zip((fit for fit in found if fit.describes), FIT_LINES, strict=False):
        fitted = np.linspace(1, fit.most, FINE)
        drawn[fit.law] = [
            plot.line(fitted, value(fitted, fit.speedup(fitted)), line_color=colour, line_dash=dash, line_width=2)
        ]
    points = plot.scatter(
        workers, value(workers, speedups), size=9, fill_color=COMPUTING.colour, line_color="white", name="measured"
    )
    drawn["measured"] = [points]
    plot.add_tools(HoverTool(renderers=[points], tooltips=[("workers", "@x"), (what, "@y{0.00}")]))
    add_legend(plot, drawn, columns=2, place="below")
    plot.xaxis.axis_label = "workers"
    plot.xaxis.ticker = FixedTicker(ticks=curve.sizes)
    return plot
