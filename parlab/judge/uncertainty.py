"""The quantities that a case measures, and the uncertainty of each.

A case measures its time, its start-up, and the metrics that it takes itself. Metrics that are whole numbers in all
launches are counts: their only spread is the one between launches.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parlab.analysis.spread import Estimate, Spread, estimate
from parlab.model.span import Span
from parlab.results.alike import alike
from parlab.results.record import MeasuredCase, Run
from parlab.thresholds import PACED_SPREAD, START_UP_SPREAD, UNPACED_SPREAD

TIME, START_UP = "time", "start-up"
Key = tuple[str, str, str]  # a case's name and size, and a quantity


def measured_by(case: MeasuredCase) -> dict[str, list[float]]:
    """The measurements of each launch, by quantity; without counts, and without quantities that a launch lacks."""
    launches = [repeat for repeat in case.repeats if repeat.measured_s is not None]
    found = {TIME: [r.measured_s or 0.0 for r in launches], START_UP: [r.startup_s for r in launches]}
    for name in case.metrics:
        values = [launch.metrics.get(name, 0.0) for launch in launches]
        if not all(float(value).is_integer() for value in values):
            found[name] = values
    return {quantity: values for quantity, values in found.items() if values and min(values) > 0}


def stated(case: MeasuredCase, quantity: str) -> float:
    """The assumed spread of one launch if none is known: small for paced time, larger for the rest."""
    return START_UP_SPREAD if quantity == START_UP else math.hypot(PACED_SPREAD, UNPACED_SPREAD * _unpaced(case))


def _unpaced(case: MeasuredCase) -> float:
    """The unpaced part of a case's time: outside its ideal, or without a task that computes or waits."""
    ideal, measured = case.ideal_s, case.measured_s
    if not ideal or math.isnan(case.off_by):
        return 1.0
    beside, spans = abs(measured - ideal) / max(measured, ideal), case.median_repeat.spans
    lengths = sum(span.finished - span.started for span in spans)
    paced = sum(
        min(span.finished - span.started, span.cpu_s / float(case.spec.speed) + span.waiting_s) for span in spans
    )
    return min(beside, max(0.0, 1 - _covered(spans) / measured * paced / lengths)) if lengths else beside


def _covered(spans: Sequence[Span]) -> float:
    """Seconds in which at least one task ran."""
    covered_s, until = 0.0, -math.inf
    for span in sorted(spans, key=lambda span: span.started):
        covered_s += max(0.0, span.finished - max(span.started, until))
        until = max(until, span.finished)
    return covered_s


@dataclass(frozen=True)
class Known:
    """The spread of launches in earlier runs, by case, size and quantity."""

    spreads: Mapping[Key, Spread] = field(default_factory=dict)

    @classmethod
    def of(cls, earlier: Iterable[Run], backend: str, environment: Mapping[str, Any]) -> "Known":
        """The spread from those of these runs that measured the same lab file, on the same host and backend.

        Launches of different runs count as much as those of one run: so the spread includes differences between runs.
        """
        found: dict[Key, list[float]] = defaultdict(list)
        for run in earlier:
            if run.stands and run.backend == backend and alike(run.environment, environment):
                for case in run.cases:
                    for quantity, values in measured_by(case).items():
                        found[_key(case, quantity)] += values
        return cls({key: Spread.of(values) for key, values in found.items()})

    def estimates(self, case: MeasuredCase) -> dict[str, Estimate]:
        """Each quantity of a case, with its uncertainty."""
        return {
            quantity: estimate(values, self.spreads.get(_key(case, quantity), Spread()), stated(case, quantity))
            for quantity, values in measured_by(case).items()
        }


NOTHING_KNOWN = Known()


def time_ratio(one: MeasuredCase, other: MeasuredCase, known: Known) -> Estimate:
    """The time of the other case, divided by the time of this one."""
    return known.estimates(other)[TIME].over(known.estimates(one)[TIME])


def _key(case: MeasuredCase, quantity: str) -> Key:
    return case.name, f"{case.spec} with units of {case.spec.unit:g} s", quantity
