"""The chart of a case as plain SVG, for paper: it is a part of the page, so that printing waits for nothing.

It is dark on white, with the same colours as on the screen; see gantt.py and timelines.py. Nobody can point at paper:
so the words of marks are written, in lanes above their row; a line above these counts the marks whose words do not fit.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from parlab.formatting import decimal, number, percent, plural, seconds
from parlab.model.span import LOCK_HELD, LOCK_WAIT, Span
from parlab.report.bars import (
    ASLEEP,
    CONTENDED,
    FAILED,
    MARK,
    PHASE,
    QUEUED,
    TASK,
    TRANSFER,
    UNEXPLAINED,
    Bar,
    Rows,
    bars,
    merged,
    rows,
)
from parlab.report.gantt import explained, legend_of
from parlab.report.measures import busy_steps, cpu_limit, cpu_use, throttled_share
from parlab.report.svg import LEFT, LETTER, RIGHT, WIDTH, picture, text_at
from parlab.results.record import MeasuredCase, Repeat
from parlab.terminal import states

TOP, AXIS, LINE = 26, 24, 14  # heights: the legend, the axis, and the most for a row
MOST = 700  # height of all rows together, at most
FILLS = {  # the colours of style.py; on paper there are no patterns, and shades distinguish the kinds
    QUEUED: states.GREY,
    TRANSFER: states.SKY,
    TASK: states.BLUE,
    FAILED: states.VERMILION,
    ASLEEP: "#f3c566",
    CONTENDED: states.VERMILION,
    UNEXPLAINED: states.YELLOW,
    PHASE: states.PURPLE,
    LOCK_WAIT: states.ORANGE,
    LOCK_HELD: states.GREEN,
    MARK: states.BLACK,
}
PLACES = {QUEUED: (0.02, 0.2), TRANSFER: (0.02, 0.2), PHASE: (0.4, 0.4), LOCK_WAIT: (0.4, 0.4), LOCK_HELD: (0.4, 0.4)}
WHOLE = (0.26, 0.68)  # the upper edge of a task in its row, and its height
TICKS = 8  # of an axis, about
BUSY = 40  # height of the curve of busy workers, and of the CPU use, in pixels
LANE = 12  # height of a line of marks' words, in pixels
MOST_LANES = 6
SEEN = 0.25  # pixels; a narrower step is left out, and a narrower bar is drawn with this width
EDGED_FROM = 2  # pixels; the white edge of a task would hide a narrower one


def case_on_paper(case: MeasuredCase, ideal: Sequence[Span], beside: Sequence[MeasuredCase] = ()) -> Markup:
    """The rows of a case's workers, the end of the ideal, and the busy workers, on an axis that fits `beside`, too."""
    repeat = case.median_repeat
    limits = {node: use.wanted for node, use in repeat.nodes.items()}
    at = rows(repeat.spans, limits, case.without_task(repeat.spans))
    ends = [one.median_repeat.measured_s for one in (case, *beside)]
    ends += [one.ideal_s for one in (case, *beside) if one.completed]
    end = 1.01 * max(value or 0.0 for value in ends)
    x = (WIDTH - LEFT - RIGHT) / (end or 1.0)
    waits_known = explained(repeat.spans)
    drawn: defaultdict[str, list[Bar]] = defaultdict(list)
    for bar in bars(repeat.spans, float(case.spec.speed) if waits_known else None):
        drawn[bar.kind].append(bar)
    lanes = _lanes(drawn[MARK], at, x)
    height = min(LINE, MOST / len(at.labels))
    tops, bottom = [], float(TOP)  # of each row, without the lanes above it
    for row in range(len(at.labels)):
        tops.append(bottom + LANE * (1 + max((lane for *_, lane in lanes[row]), default=-1)))
        bottom = tops[-1] + height
    kinds = [kind for kind in FILLS if drawn[kind]]
    fills = FILLS | ({} if waits_known else {TASK: states.SLATE})
    parts = [
        *_legend(
            {
                legend_of(kind, waits_known=waits_known, ranks=bool(case.tasks) and not waits_known): fills[kind]
                for kind in kinds
            }
        )
    ]
    if height >= LINE:
        parts += [text_at(LEFT - 6, tops[n] + height * 0.8, label, "end") for n, label in enumerate(at.labels) if label]
        parts += [text_at(LEFT + 2, tops[n] + height * 0.8, label) for n, label in at.headings.items()]
    for kind in kinds:
        boxes = {True: "", False: ""}  # with an edge, and without
        for bar in drawn[kind] if kind == MARK else merged(drawn[kind], SEEN / x):
            edged = kind == TASK and x * (bar.ended - bar.began) >= EDGED_FROM
            boxes[edged] += _box(bar, x, tops[at.of_worker[bar.worker]], height)
        for edged, path in boxes.items():
            edge = ' stroke="#fff" stroke-width="0.7"' if edged else ""
            parts += [f'<path d="{path}" fill="{fills[kind]}"{edge}/>'] if path else []
    for row, words in lanes.items():
        for left, anchor, name, lane in words:
            parts.append(text_at(left, tops[row] - LANE * lane - 1, name, anchor))
    parts += _busy(repeat.spans, x, bottom + 8, case.seen_workers)
    below = ideal_to = bottom + 8 + BUSY
    if use := list(_cpu(repeat, x, end, below + 14)):
        parts += use
        below += 14 + BUSY
    parts += _axis(end, x, below)
    if ideal and case.ideal_s is not None:
        at_x = LEFT + x * case.ideal_s
        parts.append(f'<path d="M{at_x:.1f} {TOP}V{ideal_to}" stroke="#000" stroke-dasharray="5 3"/>')
        parts.append(text_at(WIDTH - RIGHT, 12, f"dashed: the ideal ends, {seconds(case.ideal_s)}", "end"))
    return picture(parts, below + AXIS, f"{case.name}, on an axis of seconds")


def _lanes(marks: Sequence[Bar], at: Rows, x: float) -> defaultdict[int, list[tuple[float, str, str, int]]]:
    """The words of marks by row: their place, the side of it, the words, and the lane above the row, from 0."""
    lanes: defaultdict[int, list[tuple[float, str, str, int]]] = defaultdict(list)
    wordless = Counter[int]()  # marks by row
    ends: defaultdict[int, list[float]] = defaultdict(lambda: [0.0] * MOST_LANES)  # where a lane is free
    for mark in sorted(marks, key=lambda mark: mark.began):
        row, place, wide = at.of_worker[mark.worker], LEFT + x * mark.began, LETTER * len(mark.name)
        over = place + wide > WIDTH
        left = place - wide if over else place
        lane = next((lane for lane, free in enumerate(ends[row]) if free <= left), None)
        if lane is not None:
            ends[row][lane] = left + wide + LETTER
            lanes[row].append((place, "end" if over else "start", mark.name, lane))
        else:
            wordless[row] += 1
    for row, count in wordless.items():
        lanes[row].append((LEFT, "start", f"{plural(count, 'mark')} without words", MOST_LANES))
    return lanes


def _cpu(repeat: Repeat, x: float, end: float, top: float) -> Iterator[str]:
    """The CPU that the worker nodes used, with their limit, and grey above where they were throttled."""
    use, limit = cpu_use(repeat), cpu_limit(repeat)
    if not use:
        return
    most = 1.25 * max(limit or 0.0, *(one.used for one in use))
    boxes, grey = "", ""
    for one in use:
        left, right = max(0.0, one.began), min(end, one.ended)
        if right > left and most:
            high, wide = BUSY * one.used / most, x * (right - left)
            boxes += f"M{LEFT + x * left:.1f} {top + BUSY:.1f}v{-high:.1f}h{wide:.1f}v{high:.1f}z"
            strip = f"M{LEFT + x * left:.1f} {top:.1f}h{wide:.1f}v6h{-wide:.1f}z"
            grey += f'<path d="{strip}" fill="{states.GREY}" fill-opacity="{one.throttled:.2f}"/>'
    yield f'<path d="{boxes}" fill="#8fd0bc"/>{grey}'
    caption = "host CPUs used"
    if limit is not None and most:
        at = top + BUSY * (1 - limit / most)
        dashes = f'stroke="{states.ORANGE}" stroke-width="1.5" stroke-dasharray="6 3"'
        yield f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" {dashes}/>'
        yield text_at(LEFT - 6, at + 4, decimal(limit), "end")
        caption += f"; dashed: the limit; grey: throttled, in {percent(throttled_share(repeat), 0)} of periods"
    yield text_at(LEFT, top - 2, caption)


def _box(bar: Bar, x: float, top: float, row: float) -> str:
    """A rectangle as a part of a path."""
    width = max(SEEN, x * (bar.ended - bar.began))
    if bar.kind == MARK:
        return f"M{LEFT + x * bar.began - 1:.1f} {top + 0.2 * row:.1f}h2v{0.75 * row:.1f}h-2z"
    upper, height = PLACES.get(bar.kind, WHOLE)
    upper += height * bar.above
    return (
        f"M{LEFT + x * bar.began:.1f} {top + row * upper:.1f}h{width:.1f}v{row * height * bar.share:.1f}h{-width:.1f}z"
    )


def _legend(fills: Mapping[str, str]) -> Iterator[str]:
    left = LEFT
    for kind, fill in fills.items():
        yield f'<path d="M{left} 4h14v9h-14z" fill="{fill}"/>{text_at(left + 18, 12, kind)}'
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
    yield text_at(LEFT - 6, top + 10, f"{most} busy", "end")


def _axis(end: float, x: float, y: float) -> Iterator[str]:
    yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#000"/>'
    step = 10 ** math.floor(math.log10(end / TICKS)) if end > 0 else 1.0
    step *= next(factor for factor in (1, 2, 5, 10) if end / (step * factor) <= TICKS)
    for tick in range(math.floor(end / step + 1e-9) + 1):
        at = tick * step
        unit = " s" if tick == 0 else ""
        yield text_at(LEFT + x * at, y + 15, f"{number(at)}{unit}", "middle")
