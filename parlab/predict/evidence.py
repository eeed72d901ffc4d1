"""What a prediction rests on: a case on several sizes of one cluster, from one record or several.

A prediction is for the spec of the records: as many cores a node, of the same speed, and the same unit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from parlab.errors import UsageError
from parlab.formatting import plural
from parlab.model.case import FUTURES, MPI, RIGHT
from parlab.model.node import HEAD, node_name
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.predict.farm import Farm
from parlab.predict.farm_costs import FarmSamples, farm_samples
from parlab.predict.stencil import Stencil, StencilCosts, stencil_costs
from parlab.results.record import MeasuredCase, Run

FITTED = (1, 2, 4)  # the sizes that the costs come from; all larger ones are held out
FEWEST_SIZES = 2
SAME_WORK = 0.01  # of the demand of all tasks

Launches = list[tuple[Sequence[Span], Sequence[float]]]


@dataclass(frozen=True)
class Evidence:
    """A case's work and its costs, and the seconds that it took by number of nodes."""

    case: str  # its name, without the number of nodes
    runs: tuple[str, ...]  # the ids of the records
    spec: Spec  # of the largest size
    fitted: tuple[int, ...]  # the sizes that the costs come from
    measured_s: dict[int, float]  # of all sizes, these and larger ones
    work: Farm | Stencil
    costs: FarmSamples | StencilCosts

    @property
    def is_stencil(self) -> bool:
        """Whether its ranks exchange edges; otherwise a master hands out its tasks."""
        return isinstance(self.work, Stencil)


def name_of(case: MeasuredCase) -> str:
    """A case's name without the number of its nodes, which is the last setting."""
    name = case.name.removesuffix(f"nodes={case.spec.nodes})")
    return name if name == case.name else name.rstrip(", (") + (")" if "=" in name else "")


def evidence(runs: Sequence[Run], wanted: str | None = None, *, disturbed: bool = False) -> Evidence:
    """The evidence in these runs, the most preferred first, for the case `wanted`, or the first that has a prediction.

    With `disturbed`, runs on a busy host are taken, too. Raises UsageError, with the reason, if no case can be
    predicted.
    """
    usable = [run for run in runs if run.stands or (disturbed and run.failure is None and not run.wrong)]
    if not usable:
        _refuse(runs)
    reasons = []
    for name in dict.fromkeys(name_of(case) for case in usable[0].cases):
        if wanted is None or name == wanted or name.partition("(")[0] == wanted:
            try:
                return _of_case(usable, name)
            except _NoPredictionError as error:
                reasons.append(f"{name}: {error}")
    if not reasons:
        names = ", ".join(dict.fromkeys(name_of(case) for case in usable[0].cases))
        raise UsageError(f"{usable[0].id} has no case {wanted!r}, only {names or 'none at all'}")
    raise UsageError(f"{usable[0].id} gives no prediction. {'; '.join(reasons)}.")


class _NoPredictionError(Exception):
    """The reason why a case cannot be predicted."""


def _refuse(runs: Sequence[Run]) -> NoReturn:
    if not runs:
        raise UsageError("no record of it is kept: run it first on 1, 2 and 4 nodes")
    run = runs[0]
    if run.failure is not None:
        why = "it broke off"
    elif run.wrong:
        why = "a result is wrong"
    else:
        why = "it is not a measurement (see its verdict): the costs in it are those of a disturbed host"
    raise UsageError(f"{run.id} gives no prediction: {why}")


def _of_case(runs: Sequence[Run], name: str) -> Evidence:
    """The evidence for a case of the first run; other runs add sizes. Raises _NoPredictionError."""
    found: dict[int, MeasuredCase] = {}
    ids: dict[str, None] = {}
    base = next(case for case in runs[0].cases if name_of(case) == name)
    for run in runs:
        for case in run.cases:
            if name_of(case) == name and run.backend == runs[0].backend and _comparable(case, base):
                if case.spec.nodes not in found:
                    ids[run.id] = None
                found.setdefault(case.spec.nodes, case)
    _see_that_it_has_an_ideal(found.values())
    fitted = tuple(size for size in FITTED if size in found)
    if len(fitted) < FEWEST_SIZES:
        has = ", ".join(str(size) for size in sorted(found))
        raise _NoPredictionError(f"it needs two of the sizes 1, 2 and 4 nodes, and has {has}")
    cases = [found[size] for size in fitted]
    model = _farm if base.launch == FUTURES else _stencil
    work, costs = model(cases)
    return Evidence(
        case=name,
        runs=tuple(ids),
        spec=found[max(found)].spec,
        fitted=fitted,
        measured_s={size: found[size].measured_s for size in sorted(found)},
        work=work,
        costs=costs,
    )


def _comparable(case: MeasuredCase, base: MeasuredCase) -> bool:
    def way(case: MeasuredCase) -> tuple[object, ...]:
        return case.launch, case.spec.cores, case.spec.speed, case.spec.unit, case.limited

    return way(case) == way(base)


def _see_that_it_has_an_ideal(cases: Iterable[MeasuredCase]) -> None:
    for case in cases:
        if case.launch not in (FUTURES, MPI):
            raise _NoPredictionError("its workers are on one node")
        if case.ideal_s is None:
            raise _NoPredictionError("it has no ideal, as its tasks demand no units")
        if not case.completed or case.declared != RIGHT:
            raise _NoPredictionError(f"its outcome is {case.median_repeat.outcome}")
        if case.workers != case.spec.virtual_cores:
            raise _NoPredictionError(f"it has {plural(case.workers, 'worker')}, not one a core")
        if surprises := case.surprises():
            raise _NoPredictionError(surprises[0])


def _launches(cases: Iterable[MeasuredCase]) -> Launches:
    """The spans of each launch, and the seconds that their tasks demand."""
    return [
        (repeat.spans, [(task.burned + task.waited) * case.spec.unit for task in case.tasks])
        for case in cases
        for repeat in case.repeats
        if len(repeat.spans) == len(case.tasks)
    ]


def _farm(cases: Sequence[MeasuredCase]) -> tuple[Farm, FarmSamples]:
    if any(case.workforce.chunk != 1 for case in cases):
        raise _NoPredictionError("its tasks travel in chunks: the costs of one task do not show")
    launches = _launches(cases)
    _, tasks_s = launches[-1]
    if any(abs(sum(other) - sum(tasks_s)) > SAME_WORK * sum(tasks_s) for _, other in launches):
        raise _NoPredictionError("it has other tasks on other sizes")
    if len(tasks_s) < 2:
        raise _NoPredictionError("it has one task only")
    limits = [repeat.nodes[head].wanted for repeat in cases[-1].repeats if (head := node_name(HEAD)) in repeat.nodes]
    limit = limits[0] if limits and limits[0] is not None else 1.0
    return Farm(tuple(tasks_s), len(tasks_s)), farm_samples(launches, limit)


def _stencil(cases: Sequence[MeasuredCase]) -> tuple[Stencil, StencilCosts]:
    launches = _launches(cases)
    steps = {_steps(spans) for spans, _ in launches}
    if len(steps) != 1 or not (count := min(steps)) or count < 2:
        raise _NoPredictionError("it is no stencil: its ranks do not all do the same number of steps")
    demand_s = [sum(demands_s) for _, demands_s in launches]
    if max(demand_s) - min(demand_s) > SAME_WORK * max(demand_s):
        raise _NoPredictionError("it has other tasks on other sizes")
    costs = stencil_costs(launches)
    if costs is None:
        raise _NoPredictionError("it is no stencil: its ranks do not wait for their neighbours at each step")
    return Stencil(count, demand_s[-1] / count), costs


def _steps(spans: Iterable[Span]) -> int:
    """The steps of each rank; 0 if some do more than others."""
    count: dict[int, int] = {}
    for span in spans:
        count[span.rank] = count.get(span.rank, 0) + 1
    return next(iter(count.values())) if len(set(count.values())) == 1 else 0
