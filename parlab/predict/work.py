"""A case's work and its costs, from the case on several sizes: a farm of tasks, or a stencil."""

import statistics
from collections.abc import Iterable, Sequence
from random import Random

from parlab.formatting import percent, plural
from parlab.model.case import FUTURES, MPI, RIGHT
from parlab.model.node import HEAD, node_name
from parlab.model.span import Span
from parlab.predict.farm import Farm, farm_s
from parlab.predict.farm_costs import FarmSamples, farm_samples
from parlab.predict.stencil import Stencil, StencilCosts, stencil_costs, stencil_s, waits_for_all
from parlab.results.record import MeasuredCase

SAME_WORK = 0.01  # of a task's demand, or of that of all tasks
SHORT = 0.75  # of a task's demand; a worker that makes up for lost time may have a few that are as short
MANY_SHORT = 0.10  # of all tasks
MOST_OFF = 0.10  # of the time on a size that the costs come from
DRAWS = 5  # simulations of such a size

Launches = list[tuple[Sequence[Span], Sequence[float]]]


class NoPredictionError(Exception):
    """The reason why a case cannot be predicted."""


def why_not(case: MeasuredCase) -> str:
    """The reason why nothing can be predicted from this case, in words; '' if there is none."""
    if case.launch not in (FUTURES, MPI):
        return "its workers are on one node"
    if case.ideal_s is None:
        return "it has no ideal, as its tasks demand no units"
    if not case.completed or case.declared != RIGHT:
        return f"its outcome is {case.median_repeat.outcome}"
    if case.workers != case.spec.virtual_cores:
        return f"it has {plural(case.workers, 'worker')}, not one a core"
    if surprises := case.surprises():
        return surprises[0]
    if not _launches([case]):
        return "no launch did all of its tasks"
    if case.launch == FUTURES and case.workforce.chunk != 1:
        return "its tasks travel in chunks: the costs of one task do not show"
    return ""


def same_work(one: MeasuredCase, other: MeasuredCase) -> bool:
    """Whether two sizes do the same: a farm the same tasks, other cases as much in all."""
    mine, its = _demands_s(one), _demands_s(other)
    if one.launch != FUTURES:
        mine, its = [sum(mine)], [sum(its)]
    return len(mine) == len(its) and all(abs(a - b) <= SAME_WORK * max(a, b) for a, b in zip(mine, its, strict=True))


def farm_of(cases: Sequence[MeasuredCase]) -> tuple[Farm, FarmSamples]:
    """The farm of these sizes, and the samples of its costs. Raises NoPredictionError."""
    launches = _launches(cases)
    _, tasks_s = launches[-1]
    if len(tasks_s) < 2:
        raise NoPredictionError("it has one task only")
    limits = [repeat.nodes[head].wanted for repeat in cases[-1].repeats if (head := node_name(HEAD)) in repeat.nodes]
    limit = limits[0] if limits and limits[0] is not None else 1.0
    return Farm(tuple(tasks_s), len(tasks_s)), farm_samples(launches, limit)


def stencil_of(cases: Sequence[MeasuredCase]) -> tuple[Stencil, StencilCosts]:
    """The stencil of these sizes, and its costs. Raises NoPredictionError."""
    launches = _launches(cases)
    steps = {_steps(spans) for spans, _ in launches}
    if len(steps) != 1 or not (count := min(steps)) or count < 2:
        raise NoPredictionError("it is no stencil: its ranks do not all do the same number of steps")
    if waits_for_all(launches):
        raise NoPredictionError("it is no stencil: each rank waits for all others at each step, not for its neighbours")
    costs = stencil_costs(launches)
    if costs is None:
        raise NoPredictionError("it is no stencil: its ranks do not wait for their neighbours at each step")
    return Stencil(count, sum(launches[-1][1]) / count), costs


def see_that_it_fits(work: Farm | Stencil, costs: FarmSamples | StencilCosts, cases: Sequence[MeasuredCase]) -> None:
    """Raise NoPredictionError if a size that the costs come from takes another time or order than they assume."""
    _see_that_tasks_are_in_order(_launches(cases))
    for case in cases:
        nodes, cores, draw = case.spec.nodes, case.spec.cores, Random(0)
        if isinstance(work, Farm) and isinstance(costs, FarmSamples):
            times_s = [farm_s(work, nodes * cores, costs.costs(draw), draw) for _ in range(DRAWS)]
        else:
            assert isinstance(work, Stencil)
            assert isinstance(costs, StencilCosts)
            times_s = [stencil_s(work, nodes, cores, costs, draw) for _ in range(DRAWS)]
        off_by = case.measured_s / statistics.median(times_s) - 1
        if abs(off_by) > MOST_OFF:
            raise NoPredictionError(
                f"the model does not fit: on {plural(nodes, 'node')}, where its costs come from, it is off by "
                f"{percent(off_by, 0)}"
            )


def _demands_s(case: MeasuredCase) -> list[float]:
    return [(task.burned + task.waited) * case.spec.unit for task in case.tasks]


def _launches(cases: Iterable[MeasuredCase]) -> Launches:
    """The spans of each launch, and the seconds that their tasks demand."""
    return [
        (repeat.spans, _demands_s(case))
        for case in cases
        for repeat in case.repeats
        if len(repeat.spans) == len(case.tasks)
    ]


def _see_that_tasks_are_in_order(launches: Launches) -> None:
    """Raise NoPredictionError if the spans are in another order than the demands, which come from the serial solution.

    The costs could not tell a longer task from a dearer one.
    """
    for spans, demands_s in launches:
        pairs = zip(spans, demands_s, strict=True)
        short = sum(span.finished - span.started < SHORT * demand_s for span, demand_s in pairs)
        if short > MANY_SHORT * len(spans):
            raise NoPredictionError(
                f"{short} of {plural(len(spans), 'task')} took less than they demand: "
                f"does it submit them in another order than the serial solution?"
            )


def _steps(spans: Iterable[Span]) -> int:
    """The steps of each rank; 0 if some do more than others."""
    count: dict[int, int] = {}
    for span in spans:
        count[span.rank] = count.get(span.rank, 0) + 1
    return next(iter(count.values())) if len(set(count.values())) == 1 else 0
