"""The prediction of a case by number of nodes: ideal, predicted with an interval, measured where there is a record.

How it works. The interval comes from 39 simulations. Each draws its costs anew from the measured ones, with
replacement, and then simulates. One more run of the same kind is as likely to be the quickest or the slowest of the
40 as any other: it lies between the quickest and the slowest of the 39 with a probability of 38/40, or 95 %. That
covers the spread within the records' launches, and not what differs between two launches or two hosts.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil
from random import Random

from parlab.model.spec import Spec
from parlab.predict.evidence import Evidence
from parlab.predict.farm import Farm, FarmCosts, farm_s, hierarchy_s
from parlab.predict.farm_costs import FarmSamples
from parlab.predict.stencil import Stencil, StencilCosts, stencil_s

DRAWS = 39
BUSY = 0.5  # of a sub-master's time: with half of the workers that it could feed it delays none of them


@dataclass(frozen=True)
class Size:
    """The case on a number of nodes, in seconds."""

    nodes: int
    ideal_s: float
    predicted_s: float  # the median
    low_s: float
    high_s: float
    measured_s: float | None = None  # None: no record has this size
    fitted: bool = False  # the costs come from it, too

    @property
    def off_by(self) -> float | None:
        """Measured against predicted: 0.02 is 2 % slower than predicted; None if there is no measurement."""
        return None if self.measured_s is None else self.measured_s / self.predicted_s - 1


@dataclass(frozen=True)
class Master:
    """How far one master goes, and what would help, on the largest number of nodes."""

    chunks_a_second: float  # that it hands out at most
    busy_at: float  # nodes that keep it busy all the time
    receipts_seen: bool  # its cost of a receipt was measured
    chunk: int  # the quickest number of tasks in a chunk
    chunk_s: float  # seconds with that
    group: int | None = None  # nodes for each sub-master; None: one master is enough
    group_s: float | None = None


@dataclass(frozen=True)
class Prediction:
    """A case on some numbers of nodes, by the costs of the records `runs` on the `fitted` numbers of nodes."""

    case: str
    runs: tuple[str, ...]
    spec: Spec
    fitted: tuple[int, ...]
    tasks: int  # of a stencil, its steps
    chunk: int  # tasks that the master hands out at once
    sizes: tuple[Size, ...]
    costs_s: dict[str, float]  # each cost by its name in seconds, of several the median
    master: Master | None = None  # None: there is none, or it costs nothing


def predict(
    known: Evidence, nodes: Sequence[int], *, many: int | None = None, chunk: int = 1, seed: int = 0
) -> Prediction:
    """The prediction for these numbers of nodes; for a farm, also with another number of tasks or another chunk."""
    work, samples, nodes = known.work, known.costs, sorted(set(nodes))
    if isinstance(work, Farm) and isinstance(samples, FarmSamples):
        tasks = replace(work, many=work.many if many is None else many, chunk=chunk)
        same = tasks == work
        sizes = _farm_sizes(tasks, samples, nodes, known.spec.cores, seed)
        costs_s = _farm_costs_s(samples.costs())
        master = _master(tasks, samples, max(nodes) * known.spec.cores, known.spec.cores, seed)
        count = tasks.many
    else:
        assert isinstance(work, Stencil)
        assert isinstance(samples, StencilCosts)
        sizes, same, master, count = (
            _stencil_sizes(work, samples, nodes, known.spec.cores, seed),
            True,
            None,
            work.steps,
        )
        costs_s = _stencil_costs_s(samples)
    if same:
        measured = known.measured_s
        sizes = [replace(s, measured_s=measured.get(s.nodes), fitted=s.nodes in known.fitted) for s in sizes]
    return Prediction(known.case, known.runs, known.spec, known.fitted, count, chunk, tuple(sizes), costs_s, master)


def _farm_sizes(tasks: Farm, samples: FarmSamples, nodes: Sequence[int], cores: int, seed: int) -> list[Size]:
    draw = Random(seed)
    drawn = [samples.resampled(draw).costs(draw) for _ in range(DRAWS)]
    return [
        _size(
            number,
            farm_s(tasks, number * cores, FarmCosts(), draw),
            [farm_s(tasks, number * cores, costs, draw) for costs in drawn],
        )
        for number in nodes
    ]


def _stencil_sizes(work: Stencil, samples: StencilCosts, nodes: Sequence[int], cores: int, seed: int) -> list[Size]:
    draw = Random(seed)
    drawn = [samples.resampled(draw) for _ in range(DRAWS)]
    return [
        _size(
            number,
            work.steps * work.step_s / (number * cores),
            [stencil_s(work, number, cores, costs, draw) for costs in drawn],
        )
        for number in nodes
    ]


def _size(nodes: int, ideal_s: float, simulated_s: Sequence[float]) -> Size:
    return Size(nodes, ideal_s, statistics.median(simulated_s), min(simulated_s), max(simulated_s))


def _farm_costs_s(costs: FarmCosts) -> dict[str, float]:
    return {
        "send_s": costs.send_s,
        "receive_s": costs.receive_s,
        "out_s": statistics.median(visit.out_s for visit in costs.later),
        "extra_s": statistics.median(visit.extra_s for visit in costs.later),
        "back_s": statistics.median(costs.back_s),
    }


def _stencil_costs_s(costs: StencilCosts) -> dict[str, float]:
    inner, outer = (list(chain.from_iterable(ranks)) for ranks in (costs.inner, costs.outer))
    return {
        "inner_exchange_s": statistics.median(step.exchange_s for step in inner),
        "outer_exchange_s": statistics.median(step.exchange_s for step in outer),
        "extra_s": statistics.median(step.extra_s for step in (*inner, *outer)),
        "extra_per_s": costs.extra_per_s,
        "variance_per_s": costs.variance_per_s,
    }


def _master(tasks: Farm, samples: FarmSamples, workers: int, cores: int, seed: int) -> Master | None:
    costs = samples.costs()
    if not costs.send_s + costs.receive_s:
        return None
    chunks = [2**power for power in range(max(1, tasks.many // workers).bit_length())]
    times = {chunk: farm_s(replace(tasks, chunk=chunk), workers, costs, Random(seed)) for chunk in chunks}
    best = min(times, key=lambda chunk: times[chunk])
    most = costs.most_workers(tasks.chunk_s)
    group = max(1, int(BUSY * most / cores))
    found = Master(
        chunks_a_second=costs.chunks_a_second,
        busy_at=most / cores,
        receipts_seen=samples.receipts_seen,
        chunk=best,
        chunk_s=times[best],
    )
    if workers <= most or group * cores >= workers or ceil(workers / (group * cores)) >= tasks.many:
        return found
    return replace(found, group=group, group_s=hierarchy_s(tasks, workers, group * cores, costs, Random(seed)))
