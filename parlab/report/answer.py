"""The first screen: the result of a run in a few words, and a table with bars for every case.

The bars are plain boxes of the page, not charts: they appear at once, follow the window's width, and can be printed.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from parlab.formatting import number, percent, plural, seconds, share, signed_percent, times
from parlab.model.case import RIGHT
from parlab.report.names import Name, short_names
from parlab.report.scaling import WORKER, Curve, curves
from parlab.results.record import Answer, MeasuredCase, Run
from parlab.terminal.breakdowns import IN_SHORT
from parlab.terminal.summary import CATEGORIES, SHOWN_FROM, by_name, ideal_in_words
from parlab.thresholds import EVEN

MOST_METRICS = 3  # of the cases' own, as columns; one less beside ideals, and beside spreads
OUTCOME = "outcome"
ACRONYMS = re.compile(r"\b(cpu|gil|io|mpi|csv)\b")


@dataclass(frozen=True)
class TimeBar:
    """Ideal beside measured, in percent of the longest time of the run."""

    group: str  # the function; cases of one function follow each other below it
    name: str  # in the group
    full: str
    measured: float
    ideal: float | None
    behind: float  # the part of `measured` beyond the ideal
    lost: bool  # whether that is more than labs allow
    cells: tuple[tuple[str, str], ...]  # the other columns: each a heading and its text

    @property
    def tracks(self) -> tuple[tuple[tuple[str, float], ...], ...]:
        """The bars below each other, here one: each its parts, by their look, in percent."""
        return ((("measured", self.measured - self.behind), ("beyond", self.behind)),)


@dataclass(frozen=True)
class Account:
    """The breakdown of a case's time: the percentage of each category, by its name in short."""

    group: str
    name: str
    full: str
    parts: tuple[tuple[str, str, float], ...]  # category, its name, percent


def time_bars(run: Run, names: Mapping[str, Name] | None = None) -> list[TimeBar]:
    """A bar per case, all on one scale; `names` are the short ones, if they are known already."""
    cases = by_name(run)
    longest = longest_s(cases.values())
    names, rows = names or short_names(cases), _columns(run, list(cases.values()))
    return [
        _time_bar(case, full, names[full], longest, tuple(cells))
        for (full, case), cells in zip(cases.items(), rows, strict=True)
    ]


def longest_s(cases: Iterable[MeasuredCase]) -> float:
    """The longest time that is drawn of these cases, in seconds; 1 if there is none."""
    return max((s for case in cases for s in _drawable_s(case)), default=1.0) or 1.0


def _drawable_s(case: MeasuredCase) -> Iterator[float]:
    """Those times of a case that can be drawn."""
    if case.times:
        yield case.measured_s
    if case.ideal_s is not None and case.completed:
        yield case.ideal_s


def _time_bar(case: MeasuredCase, full: str, name: Name, longest: float, cells: tuple[tuple[str, str], ...]) -> TimeBar:
    measured = 100 * case.measured_s / longest if case.times else 0.0
    ideal = 100 * case.ideal_s / longest if case.ideal_s is not None and case.completed else None
    return TimeBar(
        group=name.group,
        name=name.own,
        full=full,
        measured=measured,
        ideal=ideal,
        behind=max(0.0, measured - ideal) if ideal is not None else 0.0,
        lost=case.off_by > EVEN,
        cells=cells,
    )


def _columns(run: Run, cases: Sequence[MeasuredCase]) -> list[list[tuple[str, str]]]:
    """The cells of each case, all with the same headings; a column that would say nothing is left out."""
    repeated = any(len(case.times) > 1 for case in cases)
    ideals = any(case.ideal_s is not None for case in cases)
    metrics = [] if run.command else _telling_metrics(cases)[: MOST_METRICS - ideals - repeated]
    outcomes = any(case.median_repeat.outcome != RIGHT for case in cases)  # else the verdict says so once
    rows = []
    for case in cases:
        row = [("ran as", _ran_as(case)) if run.command else ("workers", str(case.seen_workers))]
        row.append(("measured", seconds(case.measured_s)))
        if repeated:
            row.append(("spread", percent(case.spread) if case.times else "-"))
        if ideals:
            row += [("ideal", ideal_in_words(case)), ("off by", signed_percent(case.off_by))]
            row.append(("speed-up", times(case.speedup)))
            if not metrics:  # else there is no room; the case's figures have it
                row.append(("efficiency", share(case.speedup / case.seen_workers)))
        row += [(name, number(case.metrics[name]) if name in case.metrics else "-") for name in metrics]
        rows.append([*row, (OUTCOME, outcome(case))] if outcomes else row)
    return rows


def _ran_as(case: MeasuredCase) -> str:
    """Of a program's case: its ranks or, if it was traced, the workers that it started itself."""
    if not case.tasks:
        return plural(case.seen_workers, "worker")
    return plural(case.workers, "rank") if "ranks" in case.settings else plural(case.workers, "process")


def _telling_metrics(cases: Sequence[MeasuredCase]) -> list[str]:
    """The cases' own metrics that differ between cases."""
    names = dict.fromkeys(name for case in cases for name in case.metrics)
    shown = {name: {number(case.metrics[name]) for case in cases if name in case.metrics} for name in names}
    return [name for name, values in shown.items() if len(values) > 1 or len(cases) == 1]


def outcome(case: MeasuredCase) -> str:
    """The outcome; unless it is `right`, as declared, with a note whether it is as the lab declares."""
    outcome = case.median_repeat.outcome
    if case.complaint is not None:
        return f"{outcome}, not as declared: {case.complaint}"
    return outcome if outcome == RIGHT else f"{outcome}, as declared"


def accounts_of(run: Run, names: Mapping[str, Name] | None = None) -> list[Account]:
    """The breakdown of the time of each case's last-finishing worker, without categories that no case has.

    Empty for a program: its spans do not tell when it waited, nor when it was ready and did not run.
    """
    cases = by_name(run)
    if run.command:
        return []
    timed = {name: case.breakdown().shares() for name, case in cases.items() if case.times and case.measured_s}
    shown = [kind for kind in CATEGORIES if any(shares[kind] > SHOWN_FROM for shares in timed.values())]
    names = names or short_names(cases)
    return [
        Account(names[full].group, names[full].own, full, tuple((k, IN_SHORT[k], 100 * shares[k]) for k in shown))
        for full, shares in timed.items()
    ]


def sentence(run: Run) -> str:
    """What the run shows, in a few words: the claims that hold; without any, what its times say.

    Cases are compared only if their work is the same and their results are right; '' if nothing can be said.
    """
    if held := [claim.name for claim in run.verdict.claims if claim.answer is Answer.YES]:
        return " ".join(map(_as_sentence, held))
    right = {
        name: case
        for name, case in by_name(run).items()
        if case.times and case.tasks and case.median_repeat.outcome == RIGHT
    }
    return _of_sizes(run) or _of_ideals(right) or _of_one(right)


def _as_sentence(claim: str) -> str:
    """A claim's name, which is that of a function, as a sentence: with capitals where these belong."""
    text = ACRONYMS.sub(lambda acronym: acronym[0].upper(), claim)
    return f"{text[:1].upper()}{text[1:]}."


def _of_sizes(run: Run) -> str:
    """The best size of the curve with the most work, and whether more workers lose."""
    alike = [curve for curve in curves(run) if _comparable(curve)]
    if not alike:
        return ""
    curve = max(alike, key=lambda curve: curve.reference_s(curve.cases[0]))
    few, quickest = curve.cases[0], min(case.measured_s for case in curve.cases)
    best = next(case for case in curve.cases if case.measured_s <= (1 + EVEN) * quickest)
    noun = "rank" if curve.baseline is not None and curve.counts == WORKER else curve.counts
    size = plural(curve.size(best), noun)
    level = best.measured_s > quickest  # more workers are quicker, but too little for that to tell
    rating = f"with {size} as fast as with any (within {percent(EVEN, 0)})" if level else f"fastest with {size}"
    clause = f"{curve.name}: {rating}, {seconds(best.measured_s)}"
    if curve.size(best) != curve.size(few):
        clause += f", {number(few.measured_s / best.measured_s)} times as fast as with {curve.size(few)}"
        clause += f" ({seconds(few.measured_s)})"
        if few.ideal_s and best.ideal_s:
            clause += f", ideally {number(few.ideal_s / best.ideal_s)} times"
    return f"{clause}{_of_more(curve, best, noun, level=level)}."


def _of_more(curve: Curve, best: MeasuredCase, noun: str, *, level: bool) -> str:
    """What more workers than the best number do: those that are slower, each with its time."""
    more = [case for case in curve.cases if curve.size(case) > curve.size(best)]
    slower = [case for case in more if case.measured_s > (1 + EVEN) * best.measured_s]
    if not slower:
        return f"; more {noun}s gain nothing" if more and not level else ""
    times_of = ", ".join(f"{curve.size(case)} take {seconds(case.measured_s)}" for case in slower)
    return f"; {f'more {noun}s are slower' if slower == more else 'slower'}: {times_of}"


def _comparable(curve: Curve) -> bool:
    """Whether all of its cases did the same work, and rightly."""
    work = {(case.serial_s, case.spec.unit) for case in curve.cases}
    return len(work) == 1 and all(case.median_repeat.outcome == RIGHT for case in curve.cases)


def _of_ideals(right: dict[str, MeasuredCase]) -> str:
    off = {name: case for name, case in right.items() if not math.isnan(case.off_by)}
    if not off:
        return ""
    name, case = max(off.items(), key=lambda item: abs(item[1].off_by))
    more = "more" if case.off_by >= 0 else "less"
    clause = f"{name} took {seconds(case.measured_s)}, {percent(abs(case.off_by))} {more} than its ideal"
    return f"{clause}." if len(off) == 1 else f"{clause}: of {len(off)} cases the farthest off."


def _of_one(right: dict[str, MeasuredCase]) -> str:
    """The time of the only case; the times of several, whose work is not known to be the same, say nothing."""
    return (
        "".join(f"{name} took {seconds(case.measured_s)}." for name, case in right.items()) if len(right) == 1 else ""
    )
