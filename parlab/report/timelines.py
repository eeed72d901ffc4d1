"""The chart of a case over time: its tasks; beneath them, the number of busy workers and the CPU use."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, NumeralTickFormatter, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

from parlab.formatting import decimal, number, percent, plural
from parlab.model.span import Span
from parlab.model.workers import first_submission
from parlab.report.gantt import MARK_PIXELS, measured_gantt
from parlab.report.measures import CpuUse, busy_steps, cpu_limit, cpu_use, measure, throttled_share
from parlab.report.style import (
    BLACK,
    COMPUTING,
    GREEN,
    GREY,
    INK,
    ORANGE,
    Chart,
    make_figure,
    share_of_axis,
    tip,
    zoomable,
)
from parlab.results.record import MeasuredCase, Repeat
from parlab.terminal.summary import times_in_words

MARGIN = 0.01  # of the time axis, on either side
BELOW, AXIS = 74, 44  # pixels of a figure below the tasks, and of the axis below the last figure
HEADROOM = 1.45  # end of the CPU axis, as a multiple of the limit; above it is the strip of throttling
STRIP = 0.2  # of the CPU axis
DIP = 0.01  # of the measured time: a shorter pause between two tasks is no idle worker
SOME_CPU = 0.1  # least range of the CPU axis, in host CPUs


def case_chart(
    case: MeasuredCase,
    name: str,
    *,
    letter: str = "",
    beside: Sequence[MeasuredCase] = (),
    pair: Sequence[MeasuredCase] = (),
) -> Chart | None:
    """The measured tasks with the end of the ideal; beneath, on the same axis, busy workers and CPU use.

    The axis fits the cases `beside` it, too, or only its `pair`: the same case of two runs, which a `letter` tells
    apart. None if no task left a span.
    """
    repeat = case.median_repeat
    if not repeat.spans:
        return None
    x_range = time_axis(case, beside, pair)
    ideal = case.ideal() if case.completed else []
    parts = [measured_gantt(case, repeat, x_range, letter, ideal), busy_workers(case, repeat, ideal, x_range)]
    if use := cpu_use(repeat):
        parts.append(cpu_used(repeat, use, x_range))
    for plot in parts[:-1]:
        plot.xaxis.visible = False
    parts[-1].height = (parts[-1].height or 0) + AXIS
    parts[-1].xaxis.axis_label = "seconds from the first submission"
    title = f"{letter}: {case.name}" if letter else case.name
    return Chart(name, title, _in_words(case, repeat), column(*parts, sizing_mode="stretch_width"))


def time_axis(case: MeasuredCase, beside: Sequence[MeasuredCase] = (), pair: Sequence[MeasuredCase] = ()) -> Range1d:
    """The axis from 0 to the end of the longest of these cases; start-up lies to its left, shut-down to its right.

    Its tags are the two possible initial ranges: for all these cases, and for `case` alone, or with its `pair`.
    """
    together, alone = (_end([case, *others]) for others in (beside, pair))
    launches = [one.median_repeat for one in (case, *beside)]
    least = -max(launch.startup_s for launch in launches)
    most = max([together, *((launch.measured_s or 0.0) + launch.shutdown_s for launch in launches)])
    margin = MARGIN * together
    return Range1d(
        start=-margin,
        end=together,
        bounds=(least - margin, most + margin),
        name="time",
        tags=[[-margin, together], [-MARGIN * alone, alone]],
    )


def _end(cases: Sequence[MeasuredCase]) -> float:
    """The end of the axis for these cases, with room for the text after the last mark."""
    launches = [case.median_repeat for case in cases]
    times = [launch.measured_s or 0.0 for launch in launches]
    end = max(times + [case.ideal_s or 0.0 for case in cases if case.completed])
    marks = frozenset[str]().union(*(launch.marks for launch in launches))
    words = min(0.5, max((share_of_axis(mark, MARK_PIXELS) for mark in marks), default=0.0))
    share = (1 + 2 * MARGIN) * words  # one margin lies before 0, one after the text
    return end + max(MARGIN * end, end * share / (1 - share))


def _in_words(case: MeasuredCase, repeat: Repeat) -> str:
    workers = case.seen_workers
    measures = measure(repeat.spans, workers)
    return (
        f"{plural(len(repeat.spans), 'task')} on {plural(workers, 'worker')}: {times_in_words(case)}; "
        f"at most {measures.most_busy} busy at once, "
        f"{number(measures.busy)} on average; load balance {percent(measures.balance)}"
    )


def busy_workers(case: MeasuredCase, repeat: Repeat, planned: Sequence[Span], x_range: Range1d) -> figure:
    """The number of tasks in progress over time; also the ideal number, if there is a plan."""
    origin = first_submission(repeat.spans)
    steps = [(at - origin, count) for at, count in busy_steps(repeat.spans)]
    measured = without_dips(steps, DIP * (repeat.measured_s or 0.0))
    ideal = [(at, float(count)) for at, count in busy_steps(planned)]
    top = max([case.seen_workers] + [int(count) for _, count in [*measured, *ideal]])
    plot = make_figure(
        BELOW,
        x_range,
        title="workers that are busy; dashed: ideally" if ideal else "workers that are busy",
        y_range=Range1d(start=0, end=1.1 * top),
    )
    zoomable(plot)
    at, count = _staircase(measured)
    plot.varea(at, np.zeros_like(count), count, fill_color=COMPUTING.colour, fill_alpha=0.35)
    line = plot.line(at, count, line_color=COMPUTING.colour, line_width=1, name="busy")
    plot.add_tools(
        HoverTool(
            renderers=[line], mode="vline", line_policy="prev", tooltips=tip([("at", "@x{0.000} s"), ("busy", "@y{0}")])
        )
    )
    if ideal:
        ideally = plot.line(*_staircase(ideal), line_color=BLACK, line_dash=[8, 6], line_width=2)
        ideally.tags = [INK]
    plot.yaxis.ticker = FixedTicker(ticks=sorted({max(1, top // 2), top}))  # a 0 would be cut by the figure below
    return plot


def without_dips(steps: Sequence[tuple[float, int]], least: float) -> list[tuple[float, int]]:
    """The steps without dips shorter than `least`: a worker that takes its next task is not idle meanwhile."""
    kept: list[tuple[float, int]] = []
    for at, count in steps:
        while len(kept) > 1 and kept[-1][1] < min(kept[-2][1], count) and at - kept[-1][0] < least:
            kept.pop()
        kept.append((at, count))
    return kept


def _staircase(steps: Sequence[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The corners of a line that goes up and down in steps."""
    at, count = np.array([at for at, _ in steps]), np.array([count for _, count in steps], float)
    return np.repeat(at, 2), np.concatenate([[0.0], np.repeat(count, 2)[:-1]])


def cpu_used(repeat: Repeat, use: Sequence[CpuUse], x_range: Range1d) -> figure:
    """CPU use of all worker nodes together, their limit, and their throttling; its shade shows how strong it is."""
    limit = cpu_limit(repeat)
    most = max(one.used for one in use)
    full = limit or max(most, SOME_CPU)
    top = max(HEADROOM * full, 1.1 * most)
    source = ColumnDataSource(
        {
            "left": np.array([one.began for one in use], np.float32),
            "right": np.array([one.ended for one in use], np.float32),
            "used": np.array([one.used for one in use], np.float32),
            "throttled": np.array([one.throttled for one in use], np.float32),
        }
    )
    caption = "" if limit is None else f", of {decimal(limit)}; {_throttled(repeat)}"
    unread = _unread(use, repeat.measured_s or 0.0)
    if unread:
        caption += "; hatched: not read"
    plot = make_figure(
        BELOW,
        x_range,
        title=f"host CPUs that the nodes used{caption}",
        y_range=Range1d(start=0, end=top),
    )
    zoomable(plot)
    used = plot.quad(
        "left", "right", "used", 0, source=source, fill_color=GREEN, fill_alpha=0.45, line_color=GREEN, name="used"
    )
    if unread:
        left, right = (np.array(ends, np.float32) for ends in zip(*unread, strict=True))
        hatch: dict[str, Any] = {"hatch_pattern": "right_diagonal_line", "hatch_color": GREY, "hatch_scale": 10}
        bare = plot.quad(
            left, right, top, 0, fill_color=None, line_color=None, name="not read", **hatch, hatch_alpha=0.5
        )
        bare.tags = [INK]
    # Throttling at full speed loses nothing, so it is shown at the upper edge, and in grey.
    plot.quad(
        *("left", "right", top, (1 - STRIP) * top),
        source=source,
        fill_color=GREY,
        fill_alpha="throttled",
        line_color=None,
        name="throttled",
    )
    if limit is not None:
        plot.hspan(limit, line_color=ORANGE, line_width=2, line_dash="dashed")
    plot.add_tools(
        HoverTool(
            renderers=[used],
            mode="vline",
            point_policy="follow_mouse",
            tooltips=tip(
                [
                    ("from, to", "@left{0.00} s, @right{0.00} s"),
                    ("host CPUs", "@used{0.000}"),
                    ("throttled in so many periods", "@throttled{0 %}"),
                ]
            ),
        )
    )
    plot.yaxis.ticker = FixedTicker(ticks=[0, full])
    plot.yaxis.formatter = NumeralTickFormatter(format="0.[000]")
    return plot


def _throttled(repeat: Repeat) -> str:
    return f"dashed: limit; grey: throttled, in {percent(throttled_share(repeat), 0)} of periods"


def _unread(use: Sequence[CpuUse], measured_s: float) -> list[tuple[float, float]]:
    """The stretches of the tasks' time before the first reading, and after the last."""
    ends = ((0.0, min(use[0].began, measured_s)), (max(use[-1].ended, 0.0), measured_s))
    return [(began, ended) for began, ended in ends if ended - began > MARGIN * measured_s]
