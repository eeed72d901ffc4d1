"""One invocation: from a lab and a request to a Run."""

import itertools
import json
import secrets
import subprocess
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parlab.analysis.ideal import ideal_s, serial_s
from parlab.backend.base import Backend
from parlab.backend.engine import FAILURES, describe
from parlab.backend.session import Session
from parlab.errors import EXIT_CLOSED_PIPE, Interrupted, ParlabError, RunError
from parlab.host.places import INSTALLED, ROOT
from parlab.host.signals import undisturbed
from parlab.judge.verdict import judge
from parlab.model.case import Case
from parlab.model.spec import Spec
from parlab.results.record import Failure, MeasuredCase, Run
from parlab.run.launch import Order, Result, launch
from parlab.run.observer import Observer
from parlab.run.plan import Chosen, Plan

GIT_SECONDS = 5


def run_lab(plan: Plan, backend: Backend, files: Iterable[Path], observer: Observer) -> Run:
    """Run every case of the plan on every size, with these files of the lab's folder at hand.

    A run that breaks off, or is interrupted, is returned with its failure and the cases that were complete by then.
    Raises UsageError for a size that does not fit, and ParlabError for a cluster that does not come up.
    """
    lab, path = plan.lab, plan.path
    now = datetime.now().astimezone()
    run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{path.stem}-{secrets.token_hex(3)}"
    cases: list[MeasuredCase] = []
    software: dict[str, Any] = {}
    failure: Failure | None = None
    with backend.hold(f"lab.{path.stem}", observer.say):
        backend.start(plan.largest, observer.say)
        observer.begin(plan.largest, backend.nodes(plan.largest))
        try:
            with closing(_run_cases(backend, plan, files, run_id, observer)) as measured:
                for case, ran_on in measured:
                    software |= ran_on
                    observer.case(case)
                    cases.append(case)
        except (ParlabError, Interrupted) as error:
            failure = Failure(str(error), error.exit_code)
        except BrokenPipeError:  # as by `| head`
            failure = Failure("whoever read the output has closed it", EXIT_CLOSED_PIPE)
        except FAILURES as error:
            failure = Failure(describe(error), RunError.exit_code)
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


def _run_cases(
    backend: Backend, plan: Plan, files: Iterable[Path], run_id: str, observer: Observer
) -> Generator[tuple[MeasuredCase, dict[str, Any]], None, None]:
    """Measure the cases, one after another; each comes with what its ranks ran on."""
    session = backend.session(plan.path.parent, files)
    held, done = False, False  # a cluster that was never ours is not to be touched
    try:
        session.await_launcher(observer.say)
        held = True
        backend.set_limits(plan.largest, None)  # between launches they stay lifted
        burned: set[tuple[Spec, frozenset[int]]] = set()  # sizes, and which of their nodes
        ids = (f"{run_id}.{number}" for number in itertools.count())  # what one launch leaves, the next is to find
        for chosen, spec in _each(plan):
            case = chosen.case.on(spec.nodes) if plan.many_sizes else chosen.case
            results = []
            places = frozenset(case.node_of(rank, spec) for rank in range(case.ranks(spec.virtual_cores)))
            for number in range(1, plan.repeats + 1):
                burn = (spec, places) not in burned  # once shows what the engine delivers to all of them at once
                env = _told(plan, chosen) | {"PARLAB_RUN": next(ids)}
                order = Order(case, spec, plan.path.name, env, number=number, of=plan.repeats, burn=burn)
                results.append(launch(backend, session, order, observer))
                if case.limits:
                    burned.add((spec, places))
            names = tuple(node.name for node in backend.nodes(spec))
            yield _measured(plan, case, spec, names, results), {**results[-1].software, "cpu": results[-1].cpu}
        backend.set_limits(plan.largest, plan.largest.node_cpus)
        done = True
    finally:
        with undisturbed():
            if held and not done:
                with suppress(BrokenPipeError):
                    observer.say("ending what was started ...")
            _clean_up(backend, session, plan.largest, touched=held and not done)


def _each(plan: Plan) -> Iterable[tuple[Chosen, Spec]]:
    """Each chosen case with each size that it runs on."""
    return ((chosen, spec) for chosen in plan.cases for spec in plan.specs if chosen.case.runs_on(spec.nodes))


def _told(plan: Plan, chosen: Chosen) -> dict[str, str]:
    """What ranks are told of the case, in their environment."""
    seed = str(plan.lab.seed)
    return {
        "PARLAB_CASE": str(chosen.number),
        "PARLAB_SETTINGS": json.dumps(chosen.overrides),
        "PARLAB_SEED": seed,
        "PYTHONHASHSEED": seed,
    }


def _clean_up(backend: Backend, session: Session, spec: Spec, *, touched: bool) -> None:
    """End what a session started, and if it ended badly what it left; one step's failure does not stop the next."""
    with suppress(*FAILURES):  # a head that is gone cannot be hung up on, a node that is gone has no limit
        session.close()
    if touched:
        with suppress(*FAILURES):
            backend.stop()
        with suppress(*FAILURES):
            backend.set_limits(spec, spec.node_cpus)


def _measured(plan: Plan, case: Case, spec: Spec, nodes: tuple[str, ...], results: list[Result]) -> MeasuredCase:
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
        lesson_s=case.lesson_s if spec.unit == plan.lab.unit else None,
        nodes=nodes,
    )
