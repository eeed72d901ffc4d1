"""A stencil on any number of ranks, simulated: each computes a step, and exchanges edges with its neighbours.

How it works. The ranks stand in a row. A rank begins a step once it and both neighbours have done the last one, and
the edges have been exchanged:

    started(rank, step) = max(finished(rank - 1, rank, rank + 1; step - 1)) + exchange_s
    finished(rank, step) = started + demand of the step + extra_s                                    in seconds

So a delay of one rank spreads to others, a rank a step, as it does in a real stencil. `exchange_s` holds LogGP's L,
o and G for one edge; its size does not change with the number of ranks, so there is nothing to tell them apart.
An exchange within a node and one between two nodes are measured apart. The source of both costs are the spans: the
difference of the left and right side. They are used as they were measured, one by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from parlab.model.span import Span

CELLS = 60_000  # steps of ranks that are simulated; a stencil of more is steady
FEWEST_STEPS = 20
NOT_WAITING = 0.1  # of all steps; a rank that makes up for lost time may seem to begin too early by a little


class Step(NamedTuple):
    """The costs of one step of a rank, in seconds: the exchange before it, and its length beyond its demand."""

    exchange_s: float
    extra_s: float


@dataclass(frozen=True)
class StencilCosts:
    """The costs of steps as they were measured.

    `first` are the first steps of ranks; `inner` those with all neighbours on the rank's own node; `outer` the others.
    """

    first: tuple[Step, ...] = (Step(0.0, 0.0),)
    inner: tuple[Step, ...] = (Step(0.0, 0.0),)
    outer: tuple[Step, ...] = (Step(0.0, 0.0),)

    def resampled(self, draw: Random) -> "StencilCosts":
        """As many steps, drawn from these with replacement: what another run could have measured (bootstrap)."""
        return StencilCosts(*(tuple(draw.choices(p, k=len(p))) for p in (self.first, self.inner, self.outer)))


@dataclass(frozen=True)
class Stencil:
    """The work of a stencil: so many steps, each of which demands `step_s` seconds of one core, for all ranks."""

    steps: int
    step_s: float


def stencil_s(work: Stencil, nodes: int, cores: int, costs: StencilCosts, draw: Random) -> float:
    """Seconds from the first rank's start to the last one's end; a rank a core, and the work divided evenly.

    Raises ValueError for fewer than one step, node or core.
    """
    if min(work.steps, nodes, cores) < 1:
        raise ValueError("steps, nodes and cores are whole numbers from 1")
    ranks = nodes * cores
    steps = min(work.steps, max(FEWEST_STEPS, CELLS // ranks))
    own_s = work.step_s / ranks
    first = draw.choices(costs.first, k=ranks)
    ends = [exchange_s + max(0.0, own_s + extra_s) for exchange_s, extra_s in first]
    half_s, half = 0.0, steps // 2
    began_s = min(exchange_s for exchange_s, _ in first)
    outer = [is_outer(rank, ranks, cores) for rank in range(ranks)]
    for step in range(1, steps):
        if step == half:
            half_s = max(ends)
        drawn_outer = iter(draw.choices(costs.outer, k=sum(outer)))
        drawn_inner = iter(draw.choices(costs.inner, k=ranks - sum(outer)))
        drawn = [next(drawn_outer) if is_out else next(drawn_inner) for is_out in outer]
        ready = map(max, ends, [ends[0], *ends[:-1]], [*ends[1:], ends[-1]])
        ends = [at + cost[0] + max(0.0, own_s + cost[1]) for at, cost in zip(ready, drawn, strict=True)]
    end_s = max(ends)
    if work.steps > steps:  # steady: a step takes as long as in the second half
        end_s += (work.steps - steps) * (end_s - half_s) / (steps - half)
    return end_s - began_s


def is_outer(rank: int, ranks: int, cores: int) -> bool:
    """Whether a rank has a neighbour on another node, with `cores` ranks a node."""
    return any(0 <= other < ranks and other // cores != rank // cores for other in (rank - 1, rank + 1))


def stencil_costs(launches: Iterable[tuple[Sequence[Span], Sequence[float]]]) -> StencilCosts | None:
    """The costs of launches, each its spans and the seconds that their steps demand, in the same order.

    None if the ranks do not wait for their neighbours: then it is no stencil. If all launches were on one node, or all
    had one rank a node, the other kind of exchange was not measured, and is taken to cost the same.
    """
    first: list[Step] = []
    pools: dict[bool, list[Step]] = {False: [], True: []}
    for spans, demands_s in launches:
        own: dict[int, list[tuple[Span, float]]] = {}
        for span, demand_s in sorted(zip(spans, demands_s, strict=True), key=lambda pair: pair[0].started):
            own.setdefault(span.rank, []).append((span, demand_s))
        began = min(span.started for span in spans)
        for rank, steps in own.items():
            around = [own[other] for other in (rank - 1, rank, rank + 1) if other in own]
            outer = any(other[0][0].node != steps[0][0].node for other in around)
            for number, (span, demand_s) in enumerate(steps):
                ready = max(other[number - 1][0].finished for other in around) if number else began
                cost = Step(span.started - ready, span.finished - span.started - demand_s)
                (pools[outer] if number else first).append(cost)
    inner, outside = pools[False] or pools[True], pools[True] or pools[False]
    early = sum(step.exchange_s < 0 for step in (*pools[False], *pools[True]))
    if not inner or early > NOT_WAITING * (len(pools[False]) + len(pools[True])):
        return None
    return StencilCosts(tuple(first), tuple(inner), tuple(outside))
