"""Summaries of runs, in a line or a table, for the terminal and for pages alike."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from parlab.analysis.breakdown import breakdown
from parlab.analysis.spread import Estimate
from parlab.formatting import percent, seconds, signed_percent
from parlab.judge.uncertainty import NOTHING_KNOWN, time_ratio
from parlab.model.workers import by_worker
from parlab.results.alike import HOST
from parlab.results.record import Answer, Claim, MeasuredCase, Run
from parlab.thresholds import UNEXPLAINED, UNEXPLAINED_S

CATEGORIES = {
    "computing": "computing",
    "waiting": "waiting",
    "contended": "contended",
    "transfer": "transfer",
    "idle_queued": "idle though work was queued",
    "idle_no_work": "idle as no task was there",
    "unexplained": "unexplained",
}
INVALID = "Invalid measurement: ignore these numbers."
WITHIN_NOISE = "Launches of one case differ as much (95 %); --repeat 5 in both runs tells smaller differences."
SHOWN_FROM = 0.0005  # of the time; less is displayed as 0.0 %


def most_off_by(run: Run) -> float:
    """The deviation of the case that is farthest off its ideal; nan if no case has an ideal."""
    offs = (case.off_by for case in run.cases if not math.isnan(case.off_by))
    return max(offs, key=abs, default=math.nan)


def in_short(run: Run) -> str:
    """The verdict in a word or two."""
    if run.failure is not None:
        return "broke off"
    if run.exit_code is not None:
        return f"exit code {run.exit_code}"
    if run.wrong:
        return "wrong"
    if not run.verdict.is_measurement:
        return "not a measurement"
    answer = run.verdict.reproduced.answer
    if answer in (Answer.YES, Answer.NO_CLAIMS):
        return "reproduced" if answer is Answer.YES else answer.value
    return f"reproduced: {answer.value}"


def remarks(run: Run) -> Iterator[str]:
    """Warnings about the cases' numbers: work that was not predicted, and unexplained time."""
    for case in run.cases:
        for surprise in case.surprises():
            yield f"not as predicted: {case.name}: {surprise}"
        node, share = _most_unexplained(case)
        if share > UNEXPLAINED and share * case.measured_s > UNEXPLAINED_S and case.ideal_s is not None:
            what = f"a worker on {node} was neither running, runnable, nor in wait()"
            if any(span.run_delay_s is None for span in case.median_repeat.spans):
                what = f"nothing tells what a worker of {node} did: this kernel does not say when one is ready"
            yield f"unexplained: {case.name}: in {percent(share)} of the time {what}"


def _most_unexplained(case: MeasuredCase) -> tuple[str, float]:
    """The worker of the median repeat with the largest unexplained share: its node, and the share."""
    spans, speed, name = case.median_repeat.spans, float(case.spec.speed), "unexplained"
    shares = {worker: breakdown(own, spans, speed).shares()[name] for worker, own in by_worker(spans).items()}
    (node, *_), share = max(shares.items(), key=lambda item: item[1], default=(("",), 0.0))
    return node, share


def claim_in_words(claim: Claim) -> str:
    """The claim, the reason why it is not shown, and its margin."""
    words = ": ".join(filter(None, (claim.name, claim.why)))
    return f"{words} ({claim.margin})" if claim.margin else words


def ideal_in_words(case: MeasuredCase) -> str:
    """The ideal time, e.g. `8.00 s`; `-` if there is no ideal, or if not all of the work was done."""
    return seconds(case.ideal_s) if case.completed else "-"


def times_in_words(case: MeasuredCase) -> str:
    """E.g. `ideal 2.00 s, measured 2.03 s`, for the drawn launch; no ideal if there is none or work is left undone."""
    ideal = "" if case.ideal_s is None or not case.completed else f"ideal {seconds(case.ideal_s)}, "
    return f"{ideal}measured {seconds(case.median_repeat.measured_s)}"


def sizes(run: Run) -> str:
    """Nodes x cores x speed: `1,2,4 x 2 x 1/8` for a run on three sizes."""
    nodes = ",".join(dict.fromkeys(str(case.spec.nodes) for case in run.cases)) or str(run.spec.nodes)
    return f"{nodes} x {run.spec.cores} x {run.spec.speed}"


def by_name(run: Run) -> dict[str, MeasuredCase]:
    """The cases by name; if several share a name, a number is added to the later ones: `pool, 2`."""
    cases: dict[str, MeasuredCase] = {}
    counts = Counter[str]()
    for case in run.cases:
        counts[case.name] += 1
        cases[case.name if counts[case.name] == 1 else f"{case.name}, {counts[case.name]}"] = case
    return cases


def comparison_rows(first: Run, second: Run) -> Iterator[tuple[str, ...]]:
    """A row for each case of either run: its name, ideal, both times, their ratio, and both deviations from the ideal.

    Cases of different labs are different work, even if they share a name: each has its own row, without a ratio.
    """
    for name, (one, other) in paired(first, second).items():
        yield name, *_side_by_side(one, other)


def paired(first: Run, second: Run) -> dict[str, tuple[MeasuredCase | None, MeasuredCase | None]]:
    """Each case of either run, by name, with the case of that name in the other run, if that ran the same lab."""
    ours, theirs = by_name(first), by_name(second)
    if first.lab == second.lab:
        return {name: (ours.get(name), theirs.get(name)) for name in {**ours, **theirs}}
    alone = {f"{first.lab}: {name}": (case, None) for name, case in ours.items()}
    return {**alone, **{f"{second.lab}: {name}": (None, case) for name, case in theirs.items()}}


def differences(first: Run, second: Run) -> list[str]:
    """The differences between two runs, a line each; specs and hosts first."""
    return [*hindrances(first, second), *other_differences(first, second)]


def hindrances(first: Run, second: Run) -> list[str]:
    """The differences that a reader must know before times of both runs are compared."""
    lines = []
    if first.id == second.id:
        lines.append("A and B are the same run")
    if first.lab != second.lab:
        lines.append(f"different labs: {first.lab} and {second.lab}; no case of one is set against one of the other")
    elif first.command != second.command:
        lines.append(f"different commands: {' '.join(first.command)} and {' '.join(second.command)}")
    if first.backend != second.backend:
        lines.append(f"different backends: {first.backend} and {second.backend}")
    if first.spec != second.spec:
        specs = (f"{spec} with units of {spec.unit:g} s" for spec in (first.spec, second.spec))
        lines.append(f"different specs: {', and '.join(specs)}")
    hosts = _unlike(first.environment, second.environment, HOST)
    if hosts:
        lines.append(f"different hosts: {'; '.join(hosts)}")
    return lines


def other_differences(first: Run, second: Run) -> list[str]:
    """All other differences of the environments, in at most one line."""
    rest = sorted((first.environment.keys() | second.environment.keys()) - set(HOST))
    others = _unlike(first.environment, second.environment, rest)
    return [f"also different: {'; '.join(others)}"] if others else []


def _unlike(first: Mapping[str, Any], second: Mapping[str, Any], names: Any) -> list[str]:
    pairs = ((name, first.get(name), second.get(name)) for name in names)
    in_both = ((name, one, other) for name, one, other in pairs if None not in (one, other))
    return [f"{name} {one} and {other}" for name, one, other in in_both if one != other]


def _side_by_side(one: MeasuredCase | None, other: MeasuredCase | None) -> list[str]:
    ideals = dict.fromkeys(ideal_in_words(case) for case in (one, other) if case is not None)
    offs = [math.nan if case is None else case.off_by for case in (one, other)]
    ratio = _ratio(one, other)
    return [
        ", ".join(ideals),
        *(measured_in_words(case) for case in (one, other)),
        "-" if ratio is None else f"{ratio.median:.3f} ±{percent(ratio.within)}",
        *map(signed_percent, offs),
    ]


def _ratio(one: MeasuredCase | None, other: MeasuredCase | None) -> Estimate | None:
    """The time of `other` over that of `one`; None if the work differs, or if one of them did not complete it."""
    if one is None or other is None or not (one.completed and other.completed and one.times and other.times):
        return None
    alike = ideal_in_words(one) == ideal_in_words(other) and one.spec.unit == other.spec.unit
    return time_ratio(one, other, NOTHING_KNOWN) if alike else None


def not_significant(first: Run, second: Run) -> list[str]:
    """Cases whose times in both runs differ by no more than launches of one case: the ratio's interval includes 1."""
    return [name for name, ratio in ratios(first, second).items() if is_within_noise(ratio)]


def ratios(first: Run, second: Run) -> dict[str, Estimate]:
    """The time of B over that of A, for each case whose work is the same in both."""
    found = {name: _ratio(*pair) for name, pair in paired(first, second).items()}
    return {name: ratio for name, ratio in found.items() if ratio is not None}


def is_within_noise(ratio: Estimate) -> bool:
    """Whether the interval of a ratio includes 1."""
    low, high = ratio.interval
    return low <= 1 <= high


def measured_in_words(case: MeasuredCase | None) -> str:
    """The measured time, e.g. `4.00 s`; `0.50 s, OSError` if the case broke off; no time if nothing was done."""
    if case is None:
        return "-"
    took = [] if math.isnan(case.measured_s) else [seconds(case.measured_s)]
    return ", ".join(took if case.completed else [*took, case.median_repeat.outcome])
