"""The chart of a curve for paper; see curves.py."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from parlab.report.curves import doublings, interval
from parlab.report.scaling import Curve, Fit
from parlab.report.svg import LEFT, RIGHT, WIDTH, picture, text_at


def curve_on_paper(curve: Curve, fits: Sequence[Fit]) -> Markup:
    """Speed-up over workers; both axes are logarithmic, to the base two."""
    few, most = min(curve.sizes), max(curve.sizes)
    sizes, speedups = (np.array(values, float) for values in curve.points())
    ends = [value for case in curve.cases for value in interval(curve, case)]
    least, top = min([*ends, *speedups]) / 1.2, max([*ends, *speedups, most / curve.least]) * 1.2
    height, span = 320, math.log(most * 1.2) - math.log(few / 1.2)

    def x(workers: float) -> float:
        return LEFT + (math.log(workers) - math.log(few / 1.2)) / span * (WIDTH - LEFT - RIGHT)

    def y(speedup: float) -> float:
        return 20 + (math.log(top) - math.log(speedup)) / (math.log(top) - math.log(least)) * (height - 60)

    def line(points: Sequence[tuple[float, float]], look: str) -> str:
        path = "L".join(f"{x(p):.1f} {y(s):.1f}" for p, s in points)
        return f'<path d="M{path}" fill="none" {look}/>'

    start = max(few, curve.least * least)
    parts = [
        line([(start, start / curve.least), (most, most / curve.least)], 'stroke="#767676" stroke-dasharray="2 3"')
    ]
    parts += [text_at(x(size), height - 22, str(size), "middle") for size in curve.sizes]
    parts += [text_at(LEFT - 8, y(tick) + 4, f"{tick:g}", "end") for tick in doublings(least, top)]
    if ideal := list(zip(*curve.ideal_points(), strict=True)):
        parts.append(line(ideal, 'stroke="#000" stroke-dasharray="6 3"'))
    for fit in fits:
        if fit.describes:
            fine = np.geomspace(few, fit.most, 60)
            parts.append(line(list(zip(fine, fit.speedup(fine), strict=True)), 'stroke="#d55e00"'))
    for case in curve.cases:
        low, high = interval(curve, case)
        parts.append(line([(curve.size(case), low), (curve.size(case), high)], 'stroke="#0072b2" stroke-width="3"'))
    parts += [
        f'<circle cx="{x(p):.1f}" cy="{y(s):.1f}" r="4" fill="#0072b2"/>' for p, s in zip(sizes, speedups, strict=True)
    ]
    parts.append(text_at(WIDTH - RIGHT, height - 6, f"{curve.counts}s", "end"))
    parts.append(text_at(LEFT, 12, "speed-up: dots measured, dashed ideal, dotted nothing lost, red a fitted law"))
    return picture(parts, height, f"{curve.name}: speed-up over {curve.counts}s")
