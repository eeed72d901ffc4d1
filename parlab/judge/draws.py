"""Cases that could have been measured: a claim's answers for them show its certainty.

How it works. A draw resamples a case's launches, with replacement, like a bootstrap: so everything that differs between
launches (outcomes, counts, the order of tasks) differs between draws. Then each quantity of these launches is scaled,
all launches by one factor, so that their median is a value drawn from the distribution of the true one: so a single
launch has a spread, too, and the certainty of few launches is not overestimated. CPU time has its own factor, with the
same certainty as the time.

A claim is any function of cases, so a drawn case is a MeasuredCase like any other. Its spans are computed on access;
few claims need them.
"""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from random import Random
from typing import Any

from parlab.analysis.spread import Estimate
from parlab.judge.uncertainty import START_UP, TIME
from parlab.model.span import Span
from parlab.model.workers import first_submission
from parlab.results.record import MeasuredCase, Repeat

CPU = "CPU time"
Factors = Mapping[str, float]  # by quantity; quantities that are not named do not change


class Moved(Repeat):
    """A launch whose quantities are multiplied by factors; its spans are computed on access."""

    def __init__(self, launch: Repeat, factors: Factors) -> None:
        own = {field.name: getattr(launch, field.name) for field in fields(Repeat) if field.name != "spans"}
        own["startup_s"] = launch.startup_s * factors.get(START_UP, 1.0)
        own["metrics"] = {name: value * factors.get(name, 1.0) for name, value in launch.metrics.items()}
        took_s = launch.measured_s
        own["measured_s"] = None if took_s is None else took_s * factors.get(TIME, 1.0)
        self.__dict__.update(own, _launch=launch, _factors=factors)  # the class is frozen

    def __getattr__(self, name: str) -> Any:
        if name != "spans":
            raise AttributeError(name)
        found = _moved(self._launch.spans, self._factors.get(TIME, 1.0), self._factors.get(CPU, 1.0))
        self.__dict__["spans"] = found
        return found


def _moved(spans: tuple[Span, ...], time: float, cpu: float) -> tuple[Span, ...]:
    if not spans:
        return spans
    start = first_submission(spans)

    def at(stamp: float) -> float:
        return start + (stamp - start) * time

    return tuple(
        replace(
            span,
            submitted=at(span.submitted),
            started=at(span.started),
            finished=at(span.finished),
            received=at(span.received),
            cpu_s=span.cpu_s * cpu,
            process_cpu_s=span.process_cpu_s * cpu,
            waited_s=span.waited_s * time,
            run_delay_s=None if span.run_delay_s is None else span.run_delay_s * time,
            phases=tuple(replace(own, started=at(own.started), finished=at(own.finished)) for own in span.phases),
        )
        for span in spans
    )


def moved(case: MeasuredCase, factors: Factors) -> MeasuredCase:
    """The case with these quantities of all its launches multiplied."""
    return replace(case, repeats=tuple(Moved(launch, factors) for launch in case.repeats))


def drawn(case: MeasuredCase, estimates: Mapping[str, Estimate], random: Random) -> MeasuredCase:
    """A case that could have been measured."""
    launches = random.choices(case.repeats, k=len(case.repeats)) if len(case.repeats) > 1 else list(case.repeats)
    factors = {}
    for quantity, found in estimates.items():
        if values := [value for launch in launches if (value := _read(launch, quantity))]:
            factors[quantity] = found.draw(random) / statistics.median(values)
    if TIME in estimates:
        factors[CPU] = estimates[TIME].draw(random) / estimates[TIME].median
    return replace(case, repeats=tuple(Moved(launch, factors) for launch in launches))


def _read(launch: Repeat, quantity: str) -> float | None:
    if quantity == TIME:
        return launch.measured_s
    return launch.startup_s if quantity == START_UP else launch.metrics.get(quantity)


def bisected(flips: Callable[[float], bool], steps: tuple[float, ...]) -> float:
    """The smallest change, as the logarithm of a factor, that flips an answer; infinity if none of the steps does.

    It is bisected between the last step that does not flip it and the first that does, down to a fiftieth of itself.
    """
    low, high = 0.0, next((step for step in steps if flips(step)), math.inf)
    if math.isinf(high):
        return high
    low = max((step for step in steps if step < high), default=0.0)
    while high - low > high / 50:
        middle = (low + high) / 2
        low, high = (low, middle) if flips(middle) else (middle, high)
    return high
