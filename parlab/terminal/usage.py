"""What a program used, from its record: CPU by node, throttling, the imbalance of its ranks; for terminal and page."""

from collections.abc import Callable, Mapping
from statistics import mean

from parlab.formatting import decimal, percent, seconds
from parlab.model.job_events import PEAK
from parlab.model.workers import in_order
from parlab.results.record import Repeat
from parlab.thresholds import IMBALANCE

MOST_NODES = 4  # up to this many are listed one by one; for more, the range is given


def usage(repeat: Repeat) -> list[tuple[str, str]]:
    """The facts of one launch of a program, each with its name; see docs/own-programs.md."""
    cpu = by_node(cpu_by_node(repeat), lambda value: seconds(value) if value else "0 s")
    facts = [("start-up", seconds(repeat.startup_s)), ("CPU", cpu)]
    peaks = {name.removeprefix(PEAK): mb for name, mb in repeat.metrics.items() if name.startswith(PEAK)}
    if peaks:
        facts.append(("peak memory", by_node(peaks, lambda mb: f"{mb:.0f} MB")))
    return [*facts, ("throttled", throttled(repeat)), ("imbalance", imbalance(repeat))]


def cpu_by_node(repeat: Repeat) -> dict[str, float]:
    """CPU seconds of the ranks, by node."""
    cpu_s: dict[str, float] = {}
    for span in repeat.spans:
        cpu_s[span.node] = cpu_s.get(span.node, 0.0) + span.cpu_s
    return cpu_s


def by_node(values: Mapping[str, float], say: Callable[[float], str]) -> str:
    """The values with their nodes or, for many nodes, their range and their sum."""
    names = in_order(values)
    if len(names) <= MOST_NODES:
        return ", ".join(f"{name} {say(values[name])}" for name in names) or "-"
    ascending = sorted(values.values())
    return f"{say(ascending[0])} to {say(ascending[-1])} a node, {say(sum(ascending))} in all"


def throttled(repeat: Repeat) -> str:
    """The share of periods in which each node was throttled."""
    shares = {}
    for name, use in repeat.nodes.items():
        if use.wanted is not None and len(use.readings) > 1:
            first, last = use.readings[0], use.readings[-1]
            periods = (last.periods or 0) - (first.periods or 0)
            shares[name] = ((last.throttled or 0) - (first.throttled or 0)) / periods if periods > 0 else 0.0
    if not shares:
        return "no node has a limit"
    limit = next(use.wanted for use in repeat.nodes.values() if use.wanted is not None)
    return f"{by_node(shares, lambda share: percent(share, 0))} of periods, at {decimal(limit)} CPU"


def imbalance(repeat: Repeat) -> str:
    """The rank that used far more CPU than the others, if there is one."""
    if len(repeat.spans) < 2:
        return "one process"
    average = mean(span.cpu_s for span in repeat.spans)
    most = max(repeat.spans, key=lambda span: span.cpu_s)
    if average == 0 or most.cpu_s <= (1 + IMBALANCE) * average:
        return f"none: no rank used {percent(IMBALANCE, 0)} more CPU than the mean, {seconds(average)}"
    where = f"rank {most.rank} on {most.node or '?'}"
    return f"{where} used {seconds(most.cpu_s)} of CPU, {most.cpu_s / average:.1f} times the mean"
