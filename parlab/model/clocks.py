"""One clock for all spans.

Processes under one kernel share its monotonic clock: the same boot id means no offset. A node with its own kernel is
asked for its time several times. The exchange with the shortest round trip is the best (Cristian, "Probabilistic clock
synchronization", 1989): the answer was given during the exchange, so its middle is off by half of it at most.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from parlab.model.span import Span

Exchange = tuple[float, float, float]  # sent and received by the head's clock; the node's time in between


@dataclass(frozen=True)
class Clock:
    """How far a node's clock is ahead of the head's, in seconds, and the possible error of that."""

    offset_s: float = 0.0
    uncertainty_s: float = 0.0


def estimate(exchanges: Iterable[Exchange]) -> Clock:
    """The offset from the quickest of the exchanges. Raises ValueError if there is none."""
    sent, at, received = min(exchanges, key=lambda exchange: exchange[2] - exchange[0])
    return Clock(at - (sent + received) / 2, (received - sent) / 2)


def by_the_heads_clock(span: Span, clock: Clock, submitter: Clock | None = None) -> Span:
    """The span with the worker's stamps set back by the clock's offset, and the submitter's by the submitter's.

    Even if the offset is uncertain, a task starts after its submission and ends before its receipt.
    """
    if submitter is not None:
        ahead_s = submitter.offset_s
        span = replace(span, submitted=span.submitted - ahead_s, received=span.received - ahead_s)

    def set_back(at: float) -> float:
        return min(max(at - clock.offset_s, span.submitted), span.received)

    phases = tuple(
        replace(phase, started=set_back(phase.started), finished=set_back(phase.finished)) for phase in span.phases
    )
    return replace(span, started=set_back(span.started), finished=set_back(span.finished), phases=phases)
