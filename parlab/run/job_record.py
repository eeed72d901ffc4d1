"""The record of a program's run: a Run with a case for each size, in which the life of each rank is one task.

If the program was traced, another case has the tasks of its pools and executors.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from parlab.backend.base import Backend
from parlab.judge.verdict import judge
from parlab.model.case import PYTHON, RIGHT, Demand
from parlab.model.job_events import PEAK, Ended
from parlab.model.span import OK, Span
from parlab.model.workers import Workforce, first_submission, most_at_once
from parlab.results.record import Answer, Failure, Finding, MeasuredCase, Repeat, Run, Verdict
from parlab.results.store import in_id
from parlab.run.asked import Ask, Outcome
from parlab.run.invocation import git_state
from parlab.run.sweep import Sweep


def record(
    ran: Sequence[tuple[Ask, Sequence[Outcome]]],
    sweep: Sweep | None,
    backend: Backend,
    now: datetime,
    failure: Failure | None = None,
) -> Run:
    """The record of a run, with one case per size. It has the command, never the values of variables.

    `failure` is the reason why parlab did not start or finish the remaining launches; the program's own failure is an
    outcome.
    """
    ask, last = ran[0][0], ran[-1][1][-1]
    cases = [_case(asked, outcomes, sweep, backend) for asked, outcomes in ran]
    if sweep is not None and sweep.weak is None and cases[0].completed:
        cases = [replace(case, serial_s=cases[0].measured_s) for case in cases]  # the baseline of a sweep's speed-ups
    tasks = [_tasks_case(asked, outcomes, case) for (asked, outcomes), case in zip(ran, cases, strict=True)]
    environment: dict[str, Any] = {**backend.environment(), "git": git_state()}
    name = in_id(PurePath(ask.job.name).name)
    return Run(
        id=f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(3)}",
        started=now.isoformat(timespec="seconds"),
        lab=ask.job.name,
        backend=backend.name,
        spec=max((asked.spec for asked, _ in ran), key=lambda spec: spec.virtual_cores),
        cases=(*cases, *(case for case in tasks if case is not None)),
        verdict=_of_a_program(
            judge((), cases, environment, tuple, broke_off=failure is not None),
            ask,
            backend,
            broke_off=failure is not None,
        ),
        environment=environment,
        failure=failure,
        command=("python", *ask.job.command),
        exit_code=last.code,
    )


def _of_a_program(verdict: Verdict, ask: Ask, backend: Backend, *, broke_off: bool) -> Verdict:
    """The verdict on a program, which claims nothing. Without a limit nothing slows it down: it is not paced."""
    verdict = replace(verdict, reproduced=Finding(Answer.NO_CLAIMS, "a program makes none"))
    if verdict.correct.answer is Answer.YES:
        each_time = "each time before this run broke off" if broke_off else "each time it ran"
        verdict = replace(verdict, correct=Finding(Answer.YES, f"it ended with exit code 0, {each_time}"))
    if ask.limits and any(node.limit is not None for node in backend.nodes(ask.spec)):
        return verdict
    why = "--no-limits" if not ask.limits else f"{backend.name}, nodes have no limits"
    held = Finding(Answer.CANNOT, f"there were none ({why}): it ran as quick as this machine is")
    return replace(verdict, held=held)


def _repeat(outcome: Outcome) -> Repeat:
    return Repeat(
        spans=tuple(_span(end, outcome) for end in outcome.ended),
        outcome=RIGHT if outcome.code == 0 else f"exit code {outcome.code}",
        complaint=f"exit code {outcome.code} is {outcome.whose}" if outcome.code else None,
        startup_s=outcome.startup_s,
        nodes=outcome.limits.records() if outcome.limits is not None else {},
        metrics=_peaks(outcome),
    )


def _peaks(outcome: Outcome) -> dict[str, float]:
    """A node's peak is the sum of its ranks' peaks."""
    peaks: dict[str, float] = {}
    for end in outcome.ended:
        name = f"{PEAK}{outcome.nodes.get(end.rank, '?')}"
        peaks[name] = peaks.get(name, 0.0) + end.peak / 1e6
    return peaks


def _case(ask: Ask, outcomes: Sequence[Outcome], sweep: Sweep | None, backend: Backend) -> MeasuredCase:
    names = tuple(node.name for node in backend.nodes(ask.spec))
    settings: dict[str, Any] = {} if ask.job.launch == PYTHON else {"ranks": ask.job.ranks}
    if sweep is not None and sweep.key != "ranks":
        settings[sweep.key] = getattr(ask.spec, sweep.key)
    sizes = [f"{name}={value}" for name, value in settings.items()]
    if ask.memory is not None:
        settings["memory"] = ask.memory
    return MeasuredCase(
        name=f"{ask.job.name}({', '.join(sizes)})" if sizes else ask.job.name,
        settings=settings,
        spec=ask.spec,
        tasks=(Demand(0.0, 0.0),) * max(len(outcome.nodes) for outcome in outcomes),
        workforce=Workforce(ask.job.ranks, min(ask.spec.nodes, ask.job.ranks), ask.spec.cores),
        ideal_s=None,
        serial_s=None,
        repeats=tuple(map(_repeat, outcomes)),
        launch=ask.job.launch,
        nodes=names,
    )


def _tasks_case(ask: Ask, outcomes: Sequence[Outcome], ranks: MeasuredCase) -> MeasuredCase | None:
    """The tasks that the program itself has handed out; None if there were none, or if tracing was off.

    Their demand and their intended workers are unknown: the workers that ran tasks are counted. The case of the ranks
    has the program's outcome and the limits. The readings are here, too, so that they can be drawn below the tasks.
    """
    repeats = [
        _tasks_repeat(outcome.tasks.spans, outcome.ended, repeat)
        for repeat, outcome in zip(ranks.repeats, outcomes, strict=True)
        if outcome.tasks is not None and outcome.tasks.spans
    ]
    if not repeats:
        return None
    workers = max(most_at_once(repeat.spans) for repeat in repeats)
    nodes = max(len(repeat.by_node) for repeat in repeats)
    return replace(
        ranks,
        name=f"{ask.job.name}: tasks",
        tasks=(),
        workforce=Workforce(workers, nodes, ask.spec.cores),
        serial_s=None,
        repeats=tuple(repeats),
    )


def _tasks_repeat(spans: tuple[Span, ...], ended: Sequence[Ended], ranks: Repeat) -> Repeat:
    """One run's tasks; start-up and shut-down are the program's time before the first and after the last."""
    first, last = first_submission(spans), max(span.received for span in spans)
    return Repeat(
        spans=spans,
        startup_s=max(0.0, first - min((end.began for end in ended), default=first)),
        shutdown_s=max(0.0, max((end.at for end in ended), default=last) - last),
        nodes=ranks.nodes,
    )


def _span(end: Ended, outcome: Outcome) -> Span:
    return Span(
        submitted=end.began,
        started=end.began,
        finished=end.at,
        received=end.at,
        cpu_s=end.cpu_s,
        process_cpu_s=end.cpu_s,
        waited_s=0.0,
        run_delay_s=None,
        node=outcome.nodes.get(end.rank, ""),
        rank=end.rank,
        pid=end.pid,
        thread=0,
        outcome=OK if end.code == 0 else f"exit code {end.code}",
    )
