"""The same charts as plain SVG, for paper: they are a part of the page, so that printing waits for nothing.

Their width is WIDTH. They are dark on white, with the same colours as on the screen; see gantt.py and curves.py.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup, escape

from parlab.formatting import number, seconds
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Span
from parlab.report.bars import ASLEEP, CONTENDED, FAILED, MARK, PHASE, QUEUED, TASK, TRANSFER, Bar, bars, rows
from parlab.report.curves import doublings, interval
from parlab.report.measures import busy_steps
from parlab.report.scaling import Curve, Fit
from parlab.results.record import MeasuredCase
from parlab.terminal import states

WIDTH, LEFT, RIGHT = 1000, 130, 20  # the width of a picture and its margins; in pixels, as are the next two lines
TOP, AXIS, LINE = 26, 24, 14  # heights: the legend, the axis, and the most for a row
MOST = 700  # height of all rows together, at most
FILLS = {  # the colours of style.py; on paper there are no patterns, and shades distinguish the kinds
    QUEUED: states.GREY,
    TRANSFER: states.SKY,
    TASK: states.BLUE,
    FAILED: states.VERMILION,
    ASLEEP: "#f3c566",
    CONTENDED: states.VERMILION,
    PHASE: states.PURPLE,
    LOCK_WAIT: states.ORANGE,
    LOCK_HELD: states.GREEN,
    MARK: states.BLACK,
}
PLACES = {QUEUED: (0.02, 0.2), TRANSFER: (0.02, 0.2), PHASE: (0.4, 0.4), LOCK_WAIT: (0.4, 0.4), LOCK_HELD: (0.4, 0.4)}
WHOLE = (0.26, 0.68)  # the upper edge of a task in its row, and its height
TICKS = 8  # of an axis, about
BUSY = 40  # height of the curve of busy workers, in pixels
SEEN = 0.25  # pixels; a narrower step is left out


def case_on_paper(case: MeasuredCase, ideal: Sequence[Span], beside: Sequence[MeasuredCase] = ()) -> Markup:
    """The rows of a case's workers, the end of the ideal, and the busy workers, on an axis that fits `beside`, too."""
    repeat = case.median_repeat
    limits = {node: use.wanted for node, use in repeat.nodes.items()}
    at = rows(repeat.spans, limits, case.without_task(repeat.spans))
    ends = [one.median_repeat.measured_s for one in (case, *beside)]
    ends += [one.ideal_s for one in (case, *beside) if one.completed]
    end = 1.01 * max(value or 0.0 for value in ends)
    x = (WIDTH - LEFT - RIGHT) / (end or 1.0)
    row = min(LINE, MOST / len(at.labels))
    bottom = TOP + row * len(at.labels)
    drawn: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in bars(repeat.spans, float(case.spec.speed)):
        drawn[bar.kind].append(bar)
    kinds = [kind for kind in FILLS if kind in drawn]
    parts = [*_legend(kinds)]
    if row >= LINE:
        parts += [_text(LEFT - 6, TOP + row * (n + 0.8), label, "end") for n, label in enumerate(at.labels) if label]
        parts += [_text(LEFT + 2, TOP + row * (n + 0.8), label) for n, label in at.headings.items()]
    for kind in kinds:
        boxes = "".join(_box(bar, x, TOP + row * at.of_worker[bar.worker], row) for bar in drawn[kind])
        edge = ' stroke="#fff" stroke-width="0.7"' if kind == TASK and len(repeat.spans) < WIDTH else ""
        parts.append(f'<path d="{boxes}" fill="{FILLS[kind]}"{edge}/>')
    parts += _busy(repeat.spans, x, bottom + 8, case.seen_workers)
    below = bottom + 8 + BUSY
    parts += _axis(end, x, below)
    if ideal and case.ideal_s is not None:
        at_x = LEFT + x * case.ideal_s
        parts.append(f'<path d="M{at_x:.1f} {TOP}V{below}" stroke="#000" stroke-dasharray="5 3"/>')
        parts.append(_text(WIDTH - RIGHT, 12, f"dashed: the ideal ends, {seconds(case.ideal_s)}", "end"))
    return _picture(parts, below + AXIS, f"{case.name}, on an axis of seconds")


def _box(bar: Bar, x: float, top: float, row: float) -> str:
    """A rectangle as a part of a path; '' if it is too narrow to be seen and is not a mark."""
    width = x * (bar.ended - bar.began)
    if bar.kind == MARK:
        return f"M{LEFT + x * bar.began - 1:.1f} {top + 0.2 * row:.1f}h2v{0.75 * row:.1f}h-2z"
    if width < SEEN:
        return ""
    upper, height = PLACES.get(bar.kind, WHOLE)
    if bar.kind == ASLEEP:
        upper += height * (1 - bar.share)
    return (
        f"M{LEFT + x * bar.began:.1f} {top + row * upper:.1f}h{width:.1f}v{row * height * bar.share:.1f}h{-width:.1f}z"
    )


def _legend(kinds: Sequence[str]) -> Iterator[str]:
    left = LEFT
    for kind in kinds:
        yield f'<path d="M{left} 4h14v9h-14z" fill="{FILLS[kind]}"/>{_text(left + 18, 12, kind)}'
        left += 34 + 7 * len(kind)


def _busy(spans: Sequence[Span], x: float, top: float, workers: int) -> Iterator[str]:
    steps = busy_steps(spans)
    origin, most = min(span.submitted for span in spans), max(workers, *(count for _, count in steps))
    seen: list[tuple[float, int]] = []
    for at, count in steps:
        here = LEFT + x * (at - origin)
        if seen and here - seen[-1][0] < SEEN:  # the last step is too narrow to be seen: this one replaces it
            here = seen.pop()[0]
        seen.append((here, count))
    path = f"M{LEFT} {top + BUSY:.1f}" + "".join(
        f"H{here:.1f}V{top + BUSY * (1 - count / most):.1f}" for here, count in seen
    )
    yield f'<path d="{path}V{top + BUSY:.1f}z" fill="#a5cde6"/>'
    yield _text(LEFT - 6, top + 10, f"{most} busy", "end")


def _axis(end: float, x: float, y: float) -> Iterator[str]:
    yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#000"/>'
    step = 10 ** math.floor(math.log10(end / TICKS)) if end > 0 else 1.0
    step *= next(factor for factor in (1, 2, 5, 10) if end / (step * factor) <= TICKS)
    for tick in range(math.floor(end / step + 1e-9) + 1):
        at = tick * step
        unit = " s" if tick == 0 else ""
        yield _text(LEFT + x * at, y + 15, f"{number(at)}{unit}", "middle")


def curve_on_paper(curve: Curve, found: Sequence[Fit]) -> Markup:
    """Speed-up over workers; both axes are logarithmic, to the base two."""
    few, most = min(curve.sizes), max(curve.sizes)
    sizes, speedups = (np.array(values, float) for values in curve.points())
    ends = [value for case in curve.cases for value in interval(case)]
    least, top = min([*ends, *speedups]) / 1.2, max([*ends, *speedups, most]) * 1.2
    height, span = 320, math.log(most * 1.2) - math.log(few / 1.2)

    def x(workers: float) -> float:
        return LEFT + (math.log(workers) - math.log(few / 1.2)) / span * (WIDTH - LEFT - RIGHT)

    def y(speedup: float) -> float:
        return 20 + (math.log(top) - math.log(speedup)) / (math.log(top) - math.log(least)) * (height - 60)

    def line(points: Sequence[tuple[float, float]], look: str) -> str:
        path = "L".join(f"{x(p):.1f} {y(s):.1f}" for p, s in points)
        return f'<path d="M{path}" fill="none" {look}/>'

    start = max(few, least)
    parts = [line([(start, start), (most, most)], 'stroke="#767676" stroke-dasharray="2 3"')]
    parts += [_text(x(size), height - 22, str(size), "middle") for size in curve.sizes]
    parts += [_text(LEFT - 8, y(tick) + 4, f"{tick:g}", "end") for tick in doublings(least, top)]
    if ideal := list(zip(*curve.ideal_points(), strict=True)):
        parts.append(line(ideal, 'stroke="#000" stroke-dasharray="6 3"'))
    for fit in found:
        if fit.describes:
            fine = np.geomspace(few, fit.most, 60)
            parts.append(line(list(zip(fine, fit.speedup(fine), strict=True)), 'stroke="#d55e00"'))
    for case in curve.cases:
        low, high = interval(case)
        parts.append(line([(case.seen_workers, low), (case.seen_workers, high)], 'stroke="#0072b2" stroke-width="3"'))
    parts += [
        f'<circle cx="{x(p):.1f}" cy="{y(s):.1f}" r="4" fill="#0072b2"/>' for p, s in zip(sizes, speedups, strict=True)
    ]
    parts.append(_text(WIDTH - RIGHT, height - 6, "workers", "end"))
    parts.append(_text(LEFT, 12, "speed-up: dots measured, dashed ideal, dotted nothing lost, red a fitted law"))
    return _picture(parts, height, f"{curve.name}: speed-up over workers")


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(parts: Sequence[str], height: float, title: str) -> Markup:
    body = "".join(parts)
    return Markup(  # all text in it is escaped
        f'<svg class="on-paper" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )
