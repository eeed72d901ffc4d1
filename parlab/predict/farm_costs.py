"""The costs of a task farm, from its spans: what the master pays for a chunk, and what a worker does.

How it works. The master does one thing after another, and each leaves a stamp: a submission or a receipt. So the time
from its last stamp to the next is the cost of the next one, unless the master had to wait for it.

    parameter   its source in the spans                                          seconds
    send_s      from the master's last stamp to a submission: a free worker and a task were there, so it did not wait
    receive_s   from the master's last stamp to a receipt, if the result had arrived by then
    out_s       from a submission to the start of the task
    extra_s     the length of the task, minus what it demands; below 0 where a worker makes up for lost time
    back_s      from the end of the task to its receipt, minus receive_s, if the master did nothing else meanwhile

The first two are medians: the kernel stops a master at its limit, and others use the host, which makes a few of the
gaps long. The simulation applies the limit itself. The other three are used as they were measured, one by one.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TypeVar

from parlab.model.span import Span
from parlab.model.workers import by_worker
from parlab.predict.farm import FarmCosts, VisitCost

T = TypeVar("T")
FEWEST = 10  # samples of a receipt; the median of fewer may be that of a disturbed moment


@dataclass(frozen=True)
class FarmSamples:
    """Everything that spans tell about the costs of a farm, in seconds; see above."""

    send_s: tuple[float, ...]
    receive_s: tuple[float, ...]  # empty: no result had to wait for the master
    first: tuple[VisitCost, ...]
    later: tuple[VisitCost, ...]  # empty: no worker did a second task
    back_s: tuple[float, ...]
    head_cpus: float

    @property
    def receipts_seen(self) -> bool:
        """Whether the cost of a receipt was measured; otherwise it is taken to be about that of a submission."""
        return len(self.receive_s) >= FEWEST

    def costs(self, draw: Random | None = None) -> FarmCosts:
        """The costs, each by its samples. If no receipt was seen, `draw` takes one from 0 to twice a submission's."""
        send_s = statistics.median(self.send_s)
        guess_s = send_s if draw is None else send_s * draw.uniform(0, 2)
        receive_s = statistics.median(self.receive_s) if self.receipts_seen else guess_s
        back_s = tuple(max(0.0, seconds - receive_s) for seconds in self.back_s)
        return FarmCosts(send_s, receive_s, self.first, self.later or self.first, back_s, self.head_cpus)

    def resampled(self, draw: Random) -> "FarmSamples":
        """As many samples, drawn from these with replacement: what another run could have measured (bootstrap)."""
        return FarmSamples(
            _again(self.send_s, draw),
            _again(self.receive_s, draw),
            _again(self.first, draw),
            _again(self.later, draw),
            _again(self.back_s, draw),
            self.head_cpus,
        )


def _again(samples: tuple[T, ...], draw: Random) -> tuple[T, ...]:
    return tuple(draw.choices(samples, k=len(samples))) if samples else ()


def farm_samples(launches: Sequence[tuple[Sequence[Span], Sequence[float]]], head_cpus: float = 1.0) -> FarmSamples:
    """The samples of launches, each its spans and the seconds that their tasks demand, both in the tasks' order.

    The tasks travelled one by one, not in chunks. Raises ValueError if there are fewer than two tasks.
    """
    send_s: list[float] = []
    busy: list[tuple[float, float]] = []  # receipts: time since the master's last stamp, and since the task's end
    back_s: list[float] = []
    first: list[VisitCost] = []
    later: list[VisitCost] = []
    for spans, demands_s in launches:
        demanded = dict(zip(map(id, spans), demands_s, strict=True))
        for own in by_worker(spans).values():
            visits = [VisitCost(s.started - s.submitted, s.finished - s.started - demanded[id(s)]) for s in own]
            first.append(visits[0])
            later += visits[1:]
        stamps = [(span.submitted, False, span) for span in spans] + [(span.received, True, span) for span in spans]
        stamps.sort(key=lambda stamp: stamp[:2])
        for (last, *_), (at, is_receipt, span) in pairwise(stamps):
            if not is_receipt:
                send_s.append(at - last)
            elif last <= span.finished:
                back_s.append(at - span.finished)
            else:
                busy.append((at - last, last - span.finished))
    if not send_s:
        raise ValueError("a farm has two tasks or more")
    if back_s:
        usual_s = statistics.median(back_s)
        receive_s = [since_s for since_s, waited_s in busy if waited_s > usual_s]
    else:  # the master was never idle: the quickest result waited least
        receive_s = [since_s for since_s, _ in busy]
        back_s = [min(since_s + waited_s for since_s, waited_s in busy)]
    return FarmSamples(tuple(send_s), tuple(receive_s), tuple(first), tuple(later), tuple(back_s), head_cpus)
