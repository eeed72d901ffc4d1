"""The record of a program's run: a Run with one case, in which each rank's life is one task."""

import secrets
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from parlab.backend.base import Backend
from parlab.judge.verdict import judge
from parlab.model.case import PYTHON, RIGHT, Demand
from parlab.model.job_events import Ended
from parlab.model.span import OK, Span
from parlab.model.workers import Workforce
from parlab.results.record import MeasuredCase, Repeat, Run
from parlab.results.store import in_id
from parlab.run.invocation import git_state
from parlab.run.job import Ask, Outcome


def record(ask: Ask, outcome: Outcome, backend: Backend, now: datetime) -> Run:
    """What is kept of it: the command, never the values of variables."""
    case = _case(ask, outcome, backend)
    environment: dict[str, Any] = {**backend.environment(), "git": git_state()}
    name = in_id(PurePath(ask.job.name).name)
    return Run(
        id=f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(3)}",
        started=now.isoformat(timespec="seconds"),
        lab=ask.job.name,
        backend=backend.name,
        spec=ask.spec,
        cases=(case,),
        verdict=judge((), [case], environment, tuple),
        environment=environment,
        command=("python", *ask.job.command),
        exit_code=outcome.code,
    )


def _case(ask: Ask, outcome: Outcome, backend: Backend) -> MeasuredCase:
    ranks = len(outcome.nodes)
    settings: dict[str, Any] = {} if ask.job.launch == PYTHON else {"ranks": ask.job.ranks}
    if ask.memory is not None:
        settings["memory"] = ask.memory
    names = tuple(node.name for node in backend.nodes(ask.spec))
    repeat = Repeat(
        spans=tuple(_span(end, outcome) for end in outcome.ended),
        outcome=RIGHT if outcome.code == 0 else f"exit code {outcome.code}",
        complaint=f"exit code {outcome.code} is {outcome.whose}" if outcome.code else None,
        startup_s=outcome.startup_s,
        nodes=outcome.limits.records() if outcome.limits is not None else {},
    )
    return MeasuredCase(
        name=ask.job.name if ask.job.launch == PYTHON else f"{ask.job.name}(ranks={ask.job.ranks})",
        settings=settings,
        spec=ask.spec,
        tasks=(Demand(0.0, 0.0),) * ranks,
        workforce=Workforce(ask.job.ranks, min(ask.spec.nodes, ask.job.ranks), ask.spec.cores),
        ideal_s=None,
        serial_s=None,
        repeats=(repeat,),
        launch=ask.job.launch,
        nodes=names,
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
