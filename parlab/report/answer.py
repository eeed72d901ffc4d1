"""The first screen: the result of a run in one sentence, and a table with bars for every case.

The bars are plain boxes of the page, not charts: they appear at once, follow the window's width, and can be printed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from parlab.formatting import number, percent, seconds, share, signed_percent, times
from parlab.model.case import RIGHT
from parlab.report.scaling import curves
from parlab.results.record import MeasuredCase, Run
from parlab.terminal.summary import CATEGORIES, SHOWN_FROM, by_name, ideal_in_words, measured_in_words
from parlab.thresholds import EVEN


@dataclass(frozen=True)
class TimeBar:
    """Ideal beside measured, in percent of the longest time of the run."""

    name: str
    measured: float
    ideal: float | None
    lost: float  # the part of `measured` beyond the ideal; 0 if labs allow that much
    cells: tuple[tuple[str, str], ...]  # the other columns: each a heading and its text


@dataclass(frozen=True)
class Account:
    """The breakdown of a case's time: the percentage of each category."""

    name: str
    parts: tuple[tuple[str, float], ...]


def time_bars(run: Run) -> list[TimeBar]:
    """A bar per case, all on one scale."""
    cases = by_name(run)
    has_ideals = any(case.ideal_s is not None for case in run.cases)
    longest = max((s for case in cases.values() for s in _known(case)), default=1.0) or 1.0
    bars = [_time_bar(name, case, longest, has_ideals=has_ideals) for name, case in cases.items()]
    if all(dict(bar.cells)["outcome"] == RIGHT for bar in bars):  # the verdict says so once
        return [replace(bar, cells=bar.cells[:-1]) for bar in bars]
    return bars


def _known(case: MeasuredCase) -> Iterator[float]:
    """Those times of a case that can be drawn."""
    if case.times:
        yield case.measured_s
    if case.ideal_s is not None and case.completed:
        yield case.ideal_s


def _time_bar(name: str, case: MeasuredCase, longest: float, *, has_ideals: bool) -> TimeBar:
    measured = 100 * case.measured_s / longest if case.times else 0.0
    ideal = 100 * case.ideal_s / longest if case.ideal_s is not None and case.completed else None
    lost = measured - ideal if ideal is not None and case.off_by > EVEN else 0.0
    cells = [("workers", str(case.seen_workers)), ("measured", measured_in_words(case) or "-")]
    if has_ideals:
        efficiency = share(case.speedup / case.seen_workers)
        cells += [("ideal", ideal_in_words(case)), ("off by", signed_percent(case.off_by))]
        cells += [("speed-up", times(case.speedup)), ("efficiency", efficiency)]
    return TimeBar(name, measured, ideal, lost, (*cells, ("outcome", _outcome(case))))


def _outcome(case: MeasuredCase) -> str:
    """The outcome; unless it is `right`, as declared, with a note whether it is as the lab declares."""
    outcome = case.median_repeat.outcome
    if case.complaint is not None:
        return f"{outcome}, not as declared: {case.complaint}"
    return outcome if outcome == RIGHT else f"{outcome}, as declared"


def accounts_of(run: Run) -> list[Account]:
    """The breakdown of the time of each case's last-finishing worker, without categories that no case has."""
    timed = {name: case.breakdown().shares() for name, case in by_name(run).items() if case.times and case.measured_s}
    shown = [kind for kind in CATEGORIES if any(shares[kind] > SHOWN_FROM for shares in timed.values())]
    return [Account(name, tuple((kind, 100 * shares[kind]) for kind in shown)) for name, shares in timed.items()]


def sentence(run: Run) -> str:
    """The times summed up in one sentence; '' if there are none."""
    timed = {name: case for name, case in by_name(run).items() if case.times and case.completed}
    if not timed:
        return ""
    return _of_sizes(run) or _of_ideals(timed) or _of_times(timed)


def _of_sizes(run: Run) -> str:
    for curve in curves(run):
        few, many = curve.cases[0], curve.cases[-1]
        if few.seen_workers < many.seen_workers and few.completed and many.completed:
            gain = number(many.speedup / few.speedup)
            ideally = ""
            if few.ideal_s and many.ideal_s and few.serial_s and many.serial_s:
                best = (many.serial_s / many.ideal_s) / (few.serial_s / few.ideal_s)
                ideally = f", ideally {number(best)} times" if number(best) != "1" else ", ideally as before"
            verb, comparison = (
                ("are", "as fast") if few.serial_s == many.serial_s else ("do", "as much in the same time")
            )
            return (
                f"{curve.name}: {many.seen_workers} workers instead of {few.seen_workers} {verb} "
                f"{comparison if gain == '1' else f'{gain} times {comparison}'}{ideally} "
                f"({seconds(many.measured_s)} instead of {seconds(few.measured_s)})."
            )
    return ""


def _of_ideals(timed: dict[str, MeasuredCase]) -> str:
    off = {name: case for name, case in timed.items() if not math.isnan(case.off_by)}
    if not off:
        return ""
    name, case = max(off.items(), key=lambda item: abs(item[1].off_by))
    more = "more" if case.off_by >= 0 else "less"
    said = f"{name} took {seconds(case.measured_s)}, {percent(abs(case.off_by))} {more} than its ideal"
    return f"{said}." if len(off) == 1 else f"{said}: of {len(off)} cases the farthest off."


def _of_times(timed: dict[str, MeasuredCase]) -> str:
    quick, slow = (choose(timed, key=lambda name: timed[name].measured_s) for choose in (min, max))
    if quick == slow:
        return f"{quick} took {seconds(timed[quick].measured_s)}."
    gain = timed[slow].measured_s / timed[quick].measured_s
    return (
        f"Fastest is {quick} with {seconds(timed[quick].measured_s)}, slowest {slow} with "
        f"{seconds(timed[slow].measured_s)}: {number(gain)} times as long."
    )
