"""One invocation: from a lab and its options to a Run."""

import itertools
import json
import secrets
import subprocess
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parlab.analysis.ideal import ideal_s, serial_s
from parlab.backend.base import Backend
from parlab.backend.cluster import Cluster
from parlab.backend.embedded import CANNOT_SHOW, Embedded
from parlab.backend.engine import FAILURES, NoEngine, connect, told
from parlab.backend.session import Session
from parlab.course.handout import docstring
from parlab.errors import EXIT_CLOSED_PIPE, Interrupted, ParlabError, RunError
from parlab.formatting import Show
from parlab.host.places import INSTALLED, ROOT
from parlab.host.signals import undisturbed
from parlab.judge.verdict import judge
from parlab.lab import Lab
from parlab.model.case import Case
from parlab.model.spec import Spec
from parlab.results.record import Failure, MeasuredCase, Run
from parlab.run.launch import Launch, Result
from parlab.run.observer import Observer
from parlab.run.request import Chosen, Options, read_backend, read_cases, read_cluster, read_repeat, read_specs

GIT_SECONDS = 5


def run_lab(lab: Lab, path: Path, options: Options, observer: Observer) -> Run:
    """Run every case of the lab in `path` on every size asked for; all input is read before anything starts.

    A run that breaks off, or is interrupted, is returned with its failure and the cases that were complete by then.
    Raises UsageError for bad input, and ParlabError for a cluster that does not come up.
    """
    plan = _Plan(
        lab, path, read_cases(lab, options), read_specs(lab, options), read_repeat(options.repeat), docstring(path)
    )
    backend = choose_backend(options.backend, read_cluster(options.cluster), observer.say)
    now = datetime.now().astimezone()
    run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{path.stem}-{secrets.token_hex(3)}"
    cases: list[MeasuredCase] = []
    software: dict[str, Any] = {}
    failure: Failure | None = None
    with backend.hold(f"lab.{path.stem}", observer.say):
        backend.start(plan.largest, observer.say)
        observer.begin(plan.largest, backend.wanted("worker-1", plan.largest))
        try:
            with closing(_run_cases(backend, plan, run_id, observer)) as measured:
                for case, ran_on in measured:
                    software |= ran_on
                    observer.case(case)
                    cases.append(case)
        except (ParlabError, Interrupted) as error:
            failure = Failure(str(error), error.exit_code)
        except BrokenPipeError:  # as by `| head`
            failure = Failure("whoever read the output has closed it", EXIT_CLOSED_PIPE)
        except FAILURES as error:
            failure = Failure(told(error), RunError.exit_code)
        with undisturbed():
            environment = {**_environment(backend), **software, "seed": lab.seed, "git": git_state()}
    return Run(
        id=run_id,
        started=now.isoformat(timespec="seconds"),
        lab=path.stem,
        backend=backend.name,
        spec=plan.largest,
        cases=tuple(cases),
        verdict=judge(
            lab,
            cases,
            environment,
            broke_off=failure is not None,
            overridden=[chosen.case for chosen in plan.cases] != lab.cases,
        ),
        environment=environment,
        failure=failure,
        handout=plan.handout,
    )


@dataclass(frozen=True)
class _Plan:
    """What is to be run: each case of the lab on each size, so many times."""

    lab: Lab
    path: Path
    cases: list[Chosen]
    specs: list[Spec]
    repeats: int
    handout: str  # as the lab's file says it now; learners edit it while it runs

    @property
    def largest(self) -> Spec:
        return max(self.specs, key=lambda spec: spec.nodes)

    @property
    def many_sizes(self) -> bool:
        return len(self.lab.nodes) > 1 or len(self.specs) > 1


def _environment(backend: Backend) -> dict[str, Any]:
    with suppress(*FAILURES):  # an engine that is gone has nothing more to tell
        return backend.environment()
    return {}


def git_state() -> str | None:
    """The commit of this checkout, `-dirty` where it was changed; None outside of a git checkout."""
    if INSTALLED:  # whatever repository an environment lies in is not ours
        return None
    commit_itself = ("--always", "--dirty", "--abbrev=40", "--exclude=*")  # and not its distance from a tag
    command = ["git", "-C", str(ROOT), "describe", *commit_itself]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def choose_backend(wanted: str | None, cluster: str, show: Show) -> Backend:
    """Take the cluster where an engine answers, else embedded; or the one that is wanted. Raises UsageError."""
    if wanted is None or read_backend(wanted) == "cluster":
        try:
            return Cluster(connect(), cluster)
        except NoEngine as error:
            if wanted is not None:
                raise
            show(f"no cluster: {error.reason}")
    show(CANNOT_SHOW)
    return Embedded()


def _run_cases(
    backend: Backend, plan: _Plan, run_id: str, observer: Observer
) -> Generator[tuple[MeasuredCase, dict[str, Any]], None, None]:
    """Measure the cases, one after another; each comes with what its ranks ran on."""
    session = backend.session(plan.path.parent)
    held, done = False, False  # a cluster that was never ours is not to be touched
    try:
        session.await_launcher(observer.say)
        held = True
        burned: set[tuple[Spec, frozenset[int | None]]] = set()  # sizes, and which of their nodes
        launches = itertools.count()
        for chosen in plan.cases:
            for spec in (spec for spec in plan.specs if chosen.case.runs_on(spec.nodes)):
                case = chosen.case.on(spec.nodes) if plan.many_sizes else chosen.case
                env = {
                    "PARLAB_CASE": str(chosen.number),
                    "PARLAB_SETTINGS": json.dumps(chosen.overrides),
                    "PARLAB_SEED": str(plan.lab.seed),
                    "PYTHONHASHSEED": str(plan.lab.seed),
                }
                results = []
                places = frozenset(case.node_of(rank, spec) for rank in range(case.ranks(spec.virtual_cores)))
                for number in range(1, plan.repeats + 1):
                    launch = Launch(backend, session, spec, case, observer)
                    burn = (spec, places) not in burned  # once shows what the engine delivers to all of them at once
                    env["PARLAB_RUN"] = f"{run_id}.{next(launches)}"  # what one launch leaves, the next is to find
                    results.append(launch.run(plan.path.name, env, number=number, of=plan.repeats, burn=burn))
                    if case.limits:
                        burned.add((spec, places))
                yield _measured(plan.lab, case, spec, results), {**results[-1].software, "cpu": results[-1].cpu}
        done = True
    finally:
        with undisturbed():
            if held and not done:
                with suppress(BrokenPipeError):
                    observer.say("ending what was started ...")
            _clean_up(backend, session, plan.largest, touched=held and not done)


def _clean_up(backend: Backend, session: Session, spec: Spec, *, touched: bool) -> None:
    """End what a session started, and if it ended badly what it left; one step's failure does not stop the next."""
    with suppress(*FAILURES):  # a head that is gone cannot be hung up on, a node that is gone has no limit
        session.close()
    if touched:
        with suppress(*FAILURES):
            backend.stop()
        with suppress(*FAILURES):
            backend.set_limits(spec, spec.node_cpus)


def _measured(lab: Lab, case: Case, spec: Spec, results: list[Result]) -> MeasuredCase:
    tasks, force = results[0].tasks, results[0].workforce
    ideal = ideal_s(tasks, force, spec.unit)
    return MeasuredCase(
        name=case.name,
        settings=case.settings,
        spec=spec,
        tasks=tasks,
        workforce=force,
        ideal_s=ideal,
        serial_s=None if ideal is None else serial_s(tasks, spec.unit),
        repeats=tuple(result.repeat for result in results),
        declared=case.outcome,
        launch=case.launch,
        lesson_s=case.lesson_s if spec.unit == lab.unit else None,
    )
