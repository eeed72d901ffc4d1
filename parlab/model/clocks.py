"""One clock for all spans.

Processes under one kernel share its monotonic clock: the same boot id, so no offset. A node with a kernel of its own
is asked for its time several times; the exchange with the shortest round trip says most (Cristian, "Probabilistic
clock synchronization", 1989): the answer was given somewhere within it, so its middle is off by half of it at most.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from parlab.model.span import Span

Exchange = tuple[float, float, float]  # sent and received by the head's clock; in between, the node's


@dataclass(frozen=True)
class Clock:
    """How far a node's clock is ahead of the head's, in seconds, and by how much that may be wrong."""

    offset_s: float = 0.0
    uncertainty_s: float = 0.0


def estimate(exchanges: Iterable[Exchange]) -> Clock:
    """The offset by the quickest of the exchanges. Raises ValueError when there is none."""
    sent, at, received = min(exchanges, key=lambda exchange: exchange[2] - exchange[0])
    return Clock(at - (sent + received) / 2, (received - sent) / 2)


def by_the_heads_clock(span: Span, clock: Clock, submitter: Clock | None = None) -> Span:
    """The span with the stamps that were made in the worker set back by the offset, and the submitter's by its own.

    However uncertain that is, a task starts after its submission and ends before its receipt.
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
