"""What a prediction rests on: a case on several sizes of one cluster, from one record or several.

A prediction is for the spec of the records: as many cores a node, of the same speed, and the same unit. Several records
are of the same lab file, host and backend, and all sizes do the same work. A size that failed, or does other work, is
left out, and so is told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from parlab.errors import UsageError
from parlab.formatting import plural
from parlab.model.case import FUTURES
from parlab.model.spec import Spec
from parlab.predict.farm import Farm
from parlab.predict.farm_costs import FarmSamples
from parlab.predict.stencil import Stencil, StencilCosts
from parlab.predict.work import NoPredictionError, farm_of, same_work, see_that_it_fits, stencil_of, why_not
from parlab.results.alike import alike
from parlab.results.record import MeasuredCase, Run

FITTED = (1, 2, 4)  # the sizes that the costs come from; all larger ones are held out
FEWEST_SIZES = 2


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
    left_out: dict[int, str]  # why a size in the records is not used

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

    The first run that gives a prediction is used, with sizes of other runs that are like it. For benchmarks: with
    `disturbed`, runs on a busy host are taken, too, and the model need not fit. Raises UsageError, with the reason, if
    no case can be predicted.
    """
    usable = [run for run in runs if run.stands or (disturbed and run.failure is None and not run.wrong)]
    if not usable:
        _refuse(runs)
    reasons: dict[str, list[str]] = {}  # by the id of a run
    for run in usable:
        alternatives = [run, *(other for other in usable if other is not run and _like(other, run))]
        for name in _names(run):
            if wanted is None or name == wanted or name.partition("(")[0] == wanted:
                try:
                    return _of_case(alternatives, name, fits=not disturbed)
                except NoPredictionError as error:
                    reasons.setdefault(run.id, []).append(f"{name}: {error}")
    if not reasons:
        names = ", ".join(dict.fromkeys(name for run in usable for name in _names(run)))
        lacks = f"no case {wanted!r}, only {names}" if names and wanted is not None else "no cases"
        raise UsageError(f"{usable[0].id} has {lacks}")
    newest, why = next(iter(reasons.items()))
    others = f" Nor {'does' if len(reasons) == 2 else 'do'} {plural(len(reasons) - 1, 'other record')}."
    raise UsageError(f"{newest} gives no prediction. {'; '.join(why)}.{others if len(reasons) > 1 else ''}")


def _names(run: Run) -> Iterator[str]:
    yield from dict.fromkeys(name_of(case) for case in run.cases)


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


def _like(one: Run, other: Run) -> bool:
    return one.backend == other.backend and alike(one.environment, other.environment)


def _of_case(runs: Sequence[Run], name: str, *, fits: bool) -> Evidence:
    """The evidence for a case of the first run; other runs add sizes. Raises NoPredictionError."""
    base = _base(case for case in runs[0].cases if name_of(case) == name)
    by_size: dict[int, MeasuredCase] = {}
    left_out: dict[int, str] = {}
    ids: dict[str, None] = {}
    for run in runs:
        for case in run.cases:
            size = case.spec.nodes
            if size in by_size or name_of(case) != name or not _comparable(case, base):
                continue
            why = why_not(case) or ("" if same_work(case, base) else "it does other work there")
            if why:
                left_out.setdefault(size, why)
            else:
                by_size[size] = case
                ids[run.id] = None
    left_out = {size: why for size, why in sorted(left_out.items()) if size not in by_size}
    fitted = tuple(size for size in FITTED if size in by_size)
    if len(fitted) < FEWEST_SIZES:
        _refuse_sizes(by_size, left_out)
    cases = [by_size[size] for size in fitted]
    model = farm_of if base.launch == FUTURES else stencil_of
    work, costs = model(cases)
    if fits:
        see_that_it_fits(work, costs, cases)
    return Evidence(
        case=name,
        runs=tuple(ids),
        spec=by_size[max(by_size)].spec,
        fitted=fitted,
        measured_s={size: by_size[size].measured_s for size in sorted(by_size)},
        work=work,
        costs=costs,
        left_out=left_out,
    )


def _base(cases: Iterator[MeasuredCase]) -> MeasuredCase:
    """The size that others are compared with: one that is as it should be, and that the costs may come from."""
    return min(cases, key=lambda case: (bool(why_not(case)), case.spec.nodes not in FITTED, case.spec.nodes))


def _comparable(case: MeasuredCase, base: MeasuredCase) -> bool:
    def way(case: MeasuredCase) -> tuple[object, ...]:
        return case.launch, case.spec.cores, case.spec.speed, case.spec.unit, case.limited

    return way(case) == way(base)


def _refuse_sizes(by_size: dict[int, MeasuredCase], left_out: dict[int, str]) -> NoReturn:
    reasons = set(left_out.values())
    if not by_size and len(reasons) == 1:  # true of all sizes
        raise NoPredictionError(reasons.pop())
    has = ", ".join(str(size) for size in sorted(by_size)) or "none"
    why = "; ".join(f"{plural(size, 'node')}: {why}" for size, why in left_out.items())
    raise NoPredictionError(f"it needs two of the sizes 1, 2 and 4 nodes, and has {has}" + (f" ({why})" if why else ""))
