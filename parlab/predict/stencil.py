"""A stencil on any number of ranks, simulated: each computes a step, and exchanges edges with its neighbours.

How it works. The ranks stand in a row. A rank begins a step once it and both neighbours have done the last one, and
the edges have been exchanged:

    started(rank, step) = max(finished(rank - 1, rank, rank + 1; step - 1)) + exchange_s
    finished(rank, step) = started + demand of the step + extra_s                                    in seconds

So a delay of one rank spreads to others, a rank a step, as it does in a real stencil. `exchange_s` holds LogGP's L,
o and G for one edge; its size does not change with the number of ranks, so there is nothing to tell them apart.
An exchange within a node and one between two nodes are measured apart. The source of both costs are the spans: the
difference of the left and right side. A rank of the simulation follows a rank that was measured, from a random step on:
one that was held up makes up for it in the next steps. What holds up several ranks at once is drawn for each by itself.

More ranks have shorter steps. So the costs are drawn from steps of the size whose steps are nearest in length, and
`extra_s` is corrected for the difference, by two lines through the sizes:

    the median of extra_s changes by `extra_per_s` seconds for each second of demand
    the variance of extra_s changes by `variance_per_s` seconds^2 for each second of demand

The latter holds for disturbances at random times. Neither slope is below 0; with steps of one length both are 0.
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import log, sqrt
from random import Random
from typing import NamedTuple

from parlab.model.span import Span

CELLS = 60_000  # steps of ranks that are simulated; a stencil of more is steady
FEWEST_STEPS = 20
ALIKE = 1.2  # factor between the lengths of steps that count as equally long: rows cannot always be divided evenly
BLOCK = 8  # steps of a rank that stay together when costs are drawn anew
FOLLOWS = (
    0.5  # s a rank starts later for each s that the slowest of all ranks is later; 1 for a barrier, 0 for a stencil
)
TELLS = 1e-5  # s; if the slowest is later by an amount that varies less, nothing shows which ranks are waited for
NOT_WAITING = 0.1  # of all steps; a rank that makes up for lost time may seem to begin too early by a little


class StepCost(NamedTuple):
    """The costs of one step of a rank, in seconds: the exchange before it, its length beyond its demand, the demand."""

    exchange_s: float
    extra_s: float
    demand_s: float = 0.0


Steps = tuple[StepCost, ...]  # of one rank, in the order of time


@dataclass(frozen=True)
class StencilCosts:
    """The costs of steps as they were measured.

    `first` are the first steps of ranks. Of the others, in the order of time, `inner` are those of each rank with all
    neighbours on its own node, and `outer` those of each other rank.
    """

    first: tuple[StepCost, ...] = (StepCost(0.0, 0.0),)
    inner: tuple[Steps, ...] = ((StepCost(0.0, 0.0),),)
    outer: tuple[Steps, ...] = ((StepCost(0.0, 0.0),),)

    @cached_property
    def extra_s(self) -> dict[float, list[float]]:
        """`extra_s` of all steps but the first, by their demand in seconds."""
        by_demand: dict[float, list[float]] = {}
        for step in chain.from_iterable((*self.inner, *self.outer)):
            by_demand.setdefault(step.demand_s, []).append(step.extra_s)
        return by_demand

    @cached_property
    def extra_per_s(self) -> float:
        """The slope of the medians of `extra_s`, in seconds per second of demand."""
        return _slope({demand_s: statistics.median(extra_s) for demand_s, extra_s in self.extra_s.items()})

    @cached_property
    def variance_per_s(self) -> float:
        """The slope of the variances of `extra_s`, in seconds^2 per second of demand."""
        return _slope({demand_s: statistics.pvariance(extra_s) for demand_s, extra_s in self.extra_s.items()})

    def with_demand(self, ranks: Sequence[Steps], demand_s: float) -> list[list[tuple[float, float]]]:
        """The exchange and the length in seconds of the steps nearest in length, if they demanded `demand_s`."""
        nearest = min(
            (steps[0].demand_s for steps in ranks), key=lambda other: abs(log((other or 1) / (demand_s or 1)))
        )
        return [
            [(step.exchange_s, self._length_s(step, demand_s)) for step in steps]
            for steps in ranks
            if nearest / ALIKE <= steps[0].demand_s <= nearest * ALIKE
        ]

    def _length_s(self, step: StepCost, demand_s: float) -> float:
        middle, variance = self._spread.get(step.demand_s, (step.extra_s, 0.0))
        longer_s = demand_s - step.demand_s
        wider = sqrt(max(0.0, 1 + self.variance_per_s * longer_s / variance)) if variance else 1.0
        return max(0.0, demand_s + middle + self.extra_per_s * longer_s + wider * (step.extra_s - middle))

    @cached_property
    def _spread(self) -> dict[float, tuple[float, float]]:
        """The median and the variance of `extra_s`, by demand."""
        return {
            demand_s: (statistics.median(all_), statistics.pvariance(all_)) for demand_s, all_ in self.extra_s.items()
        }

    def resampled(self, draw: Random) -> "StencilCosts":
        """As many ranks and steps, put together from blocks of steps of these: what another run could have measured.

        This is the moving block bootstrap (Künsch, 1989). Ranks with steps of one length exchange their blocks.
        """
        first = tuple(draw.choices(self.first, k=len(self.first)))
        return StencilCosts(first, _again(self.inner, draw), _again(self.outer, draw))


def _slope(of: Mapping[float, float]) -> float:
    """The slope of a line through these values by their demand; 0 if it would be less, or if there is one value."""
    return max(0.0, statistics.linear_regression(list(of), list(of.values())).slope) if len(of) > 1 else 0.0


def _again(ranks: Sequence[Steps], draw: Random) -> tuple[Steps, ...]:
    alike: dict[float, list[Steps]] = {}
    for steps in ranks:
        alike.setdefault(steps[0].demand_s, []).append(steps)
    resampled = []
    for steps in ranks:
        new: list[StepCost] = []
        while len(new) < len(steps):
            source = draw.choice(alike[steps[0].demand_s])
            begin = draw.randrange(max(1, len(source) - BLOCK + 1))
            new += source[begin : begin + BLOCK]
        resampled.append(tuple(new[: len(steps)]))
    return tuple(resampled)


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
    inner, outer = costs.with_demand(costs.inner, own_s), costs.with_demand(costs.outer, own_s)
    first = draw.choices(
        list(chain.from_iterable(costs.with_demand([(step,) for step in costs.first], own_s))), k=ranks
    )
    ends = [exchange_s + length_s for exchange_s, length_s in first]
    half_s, half = 0.0, steps // 2
    began_s = min(exchange_s for exchange_s, _ in first)
    followed = [outer if is_outer(rank, ranks, cores) else inner for rank in range(ranks)]
    ways = [_from_anywhere(pool, draw) for pool in followed]
    for step in range(1, steps):
        if step == half:
            half_s = max(ends)
        drawn = [next(way, None) for way in ways]
        for rank, cost in enumerate(drawn):
            if cost is None:  # the measured rank was done
                ways[rank] = _from_anywhere(followed[rank], draw)
                drawn[rank] = next(ways[rank])
        ready = map(max, ends, [ends[0], *ends[:-1]], [*ends[1:], ends[-1]])
        ends = [at + cost[0] + cost[1] for at, cost in zip(ready, drawn, strict=True) if cost]
    end_s = max(ends)
    if work.steps > steps:  # steady: a step takes as long as in the second half
        end_s += (work.steps - steps) * (end_s - half_s) / (steps - half)
    return end_s - began_s


def _from_anywhere(ranks: Sequence[list[tuple[float, float]]], draw: Random) -> Iterator[tuple[float, float]]:
    """The steps of one of these ranks, from a random one on."""
    steps = draw.choice(ranks)
    return iter(steps[draw.randrange(len(steps)) :])


def is_outer(rank: int, ranks: int, cores: int) -> bool:
    """Whether a rank has a neighbour on another node, with `cores` ranks a node."""
    return any(0 <= other < ranks and other // cores != rank // cores for other in (rank - 1, rank + 1))


def stencil_costs(launches: Iterable[tuple[Sequence[Span], Sequence[float]]]) -> StencilCosts | None:
    """The costs of launches, each its spans and the seconds that their steps demand, in the same order.

    None if the ranks do not wait for their neighbours: then it is no stencil. If all launches were on one node, or all
    had one rank a node, the other kind of exchange was not measured, and is taken to cost the same.
    """
    first: list[StepCost] = []
    pools: dict[bool, list[Steps]] = {False: [], True: []}
    for spans, demands_s in launches:
        own: dict[int, list[tuple[Span, float]]] = {}
        for span, demand_s in sorted(zip(spans, demands_s, strict=True), key=lambda pair: pair[0].started):
            own.setdefault(span.rank, []).append((span, demand_s))
        began = min(span.started for span in spans)
        for rank, mine in own.items():
            around = [own[other] for other in (rank - 1, rank, rank + 1) if other in own]
            outer = any(other[0][0].node != mine[0][0].node for other in around)
            costs = []
            for number, (span, demand_s) in enumerate(mine):
                ready = max(other[number - 1][0].finished for other in around) if number else began
                extra_s = span.finished - span.started - demand_s
                costs.append(StepCost(span.started - ready, extra_s, round(demand_s, 9)))
            first.append(costs[0])
            pools[outer].append(tuple(costs[1:]))
    later = list(chain.from_iterable((*pools[False], *pools[True])))
    if not later or sum(step.exchange_s < 0 for step in later) > NOT_WAITING * len(later):
        return None
    inner, outside = pools[False] or pools[True], pools[True] or pools[False]
    return StencilCosts(tuple(first), tuple(inner), tuple(outside))


def waits_for_all(launches: Iterable[tuple[Sequence[Span], Sequence[float]]]) -> bool:
    """Whether each rank waits for all, e.g. in a barrier, and not for its neighbours only.

    Then a rank starts later if the slowest of all ranks ends later than its neighbours, and hardly ever before that.
    With three ranks or fewer this does not show, nor if the ranks are always equally late.
    """
    behind_s: list[float] = []  # from the last end among the neighbours to the last of all; less its mean for the rank
    late_s: list[float] = []  # from the last end among the neighbours to the start; less its mean for the rank
    early = 0
    for spans, _ in launches:
        own: dict[int, list[Span]] = {}
        for span in sorted(spans, key=lambda span: span.started):
            own.setdefault(span.rank, []).append(span)
        slowest = [max(span.finished for span in step) for step in zip(*own.values(), strict=True)]
        for rank, mine in own.items():
            around = [own[other] for other in (rank - 1, rank, rank + 1) if other in own]
            ready = [max(span.finished for span in step) for step in zip(*around, strict=True)]
            pairs = [
                (last - near, span.started - near)
                for last, near, span in zip(slowest, ready, mine[1:], strict=False)
                if last > near
            ]
            if pairs:
                means = [statistics.fmean(values) for values in zip(*pairs, strict=True)]
                behind_s += [behind - means[0] for behind, _ in pairs]
                late_s += [late - means[1] for _, late in pairs]
                early += sum(late < behind for behind, late in pairs)
    varies = sum(behind**2 for behind in behind_s)
    if not behind_s or varies < TELLS**2 * len(behind_s) or early > NOT_WAITING * len(behind_s):
        return False
    return sum(behind * late for behind, late in zip(behind_s, late_s, strict=True)) > FOLLOWS * varies
