"""A case's work and its costs, from the case on several sizes: a farm of tasks, or a stencil."""

from collections.abc import Iterable, Sequence

from parlab.formatting import plural
from parlab.model.case import FUTURES, MPI, RIGHT
from parlab.model.node import HEAD, node_name
from parlab.model.span import Span
from parlab.predict.farm import Farm
from parlab.predict.farm_costs import FarmSamples, farm_samples
from parlab.predict.stencil import Stencil, StencilCosts, stencil_costs
from parlab.results.record import MeasuredCase

SAME_WORK = 0.01  # of a task's demand, or of that of all tasks

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
    costs = stencil_costs(launches)
    if costs is None:
        raise NoPredictionError("it is no stencil: its ranks do not wait for their neighbours at each step")
    return Stencil(count, sum(launches[-1][1]) / count), costs


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


def _steps(spans: Iterable[Span]) -> int:
    """The steps of each rank; 0 if some do more than others."""
    count: dict[int, int] = {}
    for span in spans:
        count[span.rank] = count.get(span.rank, 0) + 1
    return next(iter(count.values())) if len(set(count.values())) == 1 else 0
