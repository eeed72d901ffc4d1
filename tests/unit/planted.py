"""Spans with planted costs, by simulations that are as plain as can be and share nothing with parlab/predict."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random

from parlab.model.case import FUTURES, MPI, Demand
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.results.alike import LAB_FILE
from parlab.results.record import MeasuredCase, Run
from tests.unit import samples

SEND, RECEIVE, OUT, EXTRA, BACK = 0.0002, 0.0001, 0.0004, 0.002, 0.0005  # seconds
EXCHANGE_INNER, EXCHANGE_OUTER, STEP_EXTRA = 0.002, 0.004, 0.001
CORES = 2
ENVIRONMENT = {**samples.ENVIRONMENT, LAB_FILE: "the digest"}
SPEC = Spec(nodes=1, cores=CORES, speed=Fraction(1, 8), unit=0.05)


def spread(seconds: float, draw: Random | None) -> float:
    """The cost, up to a fifth more or less."""
    return seconds if draw is None else seconds * draw.uniform(0.8, 1.2)


def a_span(submitted: float, started: float, finished: float, node: str, rank: int) -> Span:
    """A span that is received at its end."""
    made = samples.span(node, 0.0, 1.0, pid=rank)
    return replace(made, submitted=submitted, started=started, finished=finished, received=finished)


def farm_spans(nodes: int, tasks_s: Sequence[float], draw: Random | None = None) -> tuple[Span, ...]:
    """A master without a limit that hands out these tasks, one at a time: step by step, as mpi4py's loop goes."""
    idle = list(range(nodes * CORES))
    out: dict[int, tuple[Span, float]] = {}  # by worker, its span and the arrival of its result
    done: list[Span] = []
    left, now = list(tasks_s), 100.0
    while left or out:
        if left and idle:
            worker, now = idle.pop(0), now + spread(SEND, draw)
            started = now + spread(OUT, draw)
            finished = started + left.pop(0) + spread(EXTRA, draw)
            span = a_span(now, started, finished, f"node-{1 + worker // CORES}", worker + 1)
            out[worker] = span, finished + spread(BACK, draw)
        first = min(out, key=lambda worker: out[worker][1])
        if not (left and idle):
            now = max(now, out[first][1])
        if out[first][1] <= now:
            span, _ = out.pop(first)
            now += spread(RECEIVE, draw)
            done.append(replace(span, received=now))
            idle.append(first)
    return tuple(sorted(done, key=lambda span: span.submitted))


def stencil_spans(
    nodes: int, steps: int, step_s: float, draw: Random | None = None, *, barrier: bool = False, held_up_s: float = 0.0
) -> tuple[Span, ...]:
    """Ranks in a row that wait for their neighbours at each step; `step_s` are seconds of all ranks together.

    With a barrier they wait for all. One step in twenty is held up by `held_up_s`.
    """
    ranks = nodes * CORES
    ends, made = [100.0] * ranks, []
    for step in range(steps):
        before = ends[:]
        for rank in range(ranks):
            around = [other for other in (rank - 1, rank, rank + 1) if 0 <= other < ranks]
            crosses = any(other // CORES != rank // CORES for other in around)
            cost = spread(EXCHANGE_OUTER if crosses else EXCHANGE_INNER, draw) if step else 0.0
            started = max(before if barrier else [before[other] for other in around]) + cost
            ends[rank] = started + step_s / ranks + spread(STEP_EXTRA, draw)
            if draw is not None and held_up_s and draw.random() < 0.05:
                ends[rank] += held_up_s
            made.append(a_span(started, started, ends[rank], f"node-{1 + rank // CORES}", rank))
    return tuple(made)


def a_case(nodes: int, spans: Sequence[Span], demands_s: Sequence[float], launch: str, name: str) -> MeasuredCase:
    """A measured case of these spans, with its ideal."""
    spec = replace(SPEC, nodes=nodes)
    work = [
        replace(s, cpu_s=d * float(SPEC.speed), process_cpu_s=d * float(SPEC.speed))
        for s, d in zip(spans, demands_s, strict=True)
    ]
    return samples.case(
        samples.repeat(work),
        name=f"{name}nodes={nodes})",
        spec=spec,
        launch=launch,
        tasks=tuple(Demand(seconds / SPEC.unit, 0.0) for seconds in demands_s),
        ideal_s=sum(demands_s) / nodes / CORES,
    )


def farm_run(sizes: Sequence[int] = (1, 2, 4), tasks: int = 64, task_s: float = 0.05, seed: int | None = None) -> Run:
    """A run of a farm of equal tasks on these sizes."""
    draw = None if seed is None else Random(seed)
    demands_s = [task_s] * tasks
    cases = [a_case(size, farm_spans(size, demands_s, draw), demands_s, FUTURES, "pool(") for size in sizes]
    return samples.run(*cases, verdict=samples.verdict(), environment=ENVIRONMENT)


def stencil_run(
    sizes: Sequence[int] = (1, 2, 4),
    steps: int = 30,
    step_s: float = 0.4,
    seed: int | None = None,
    *,
    barrier: bool = False,
) -> Run:
    """A run of a stencil on these sizes."""
    draw = None if seed is None else Random(seed)
    cases = []
    for size in sizes:
        demands_s = [step_s / size / CORES] * (steps * size * CORES)
        spans = stencil_spans(size, steps, step_s, draw, barrier=barrier)
        cases.append(a_case(size, spans, demands_s, MPI, "heat(every=1, "))
    return samples.run(*cases, verdict=samples.verdict(), environment=ENVIRONMENT)


def took_s(spans: Sequence[Span]) -> float:
    """Seconds from the first submission to the last receipt."""
    return max(span.received for span in spans) - min(span.submitted for span in spans)
