"""One invocation: a lab and a request become a Run."""

import itertools
import secrets
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from parlab.analysis.ideal import ideal_s, other_work, serial_s
from parlab.backend.base import Backend
from parlab.backend.engine import FAILURES, describe
from parlab.backend.session import Session
from parlab.course.handout import docstring
from parlab.errors import EXIT_CLOSED_PIPE, Interrupted, ParlabError, RunError
from parlab.host.places import INSTALLED, RESULTS, ROOT
from parlab.host.questions import Questions
from parlab.host.signals import undisturbed
from parlab.judge.uncertainty import Known
from parlab.judge.verdict import judge
from parlab.model.case import RIGHT, Case
from parlab.model.declaration import Asked
from parlab.model.messages import to_line
from parlab.model.spec import Spec
from parlab.results.alike import LAB_FILE
from parlab.results.record import Answer, Claim, Failure, MeasuredCase, Run, Verdict
from parlab.results.store import earlier_runs, in_id
from parlab.run.lab_file import LabFile
from parlab.run.launch import Order, Result, launch
from parlab.run.observer import Observer
from parlab.run.output import LabOutput
from parlab.run.plan import Chosen, Plan, left_out, make_plan
from parlab.run.request import Request

GIT_SECONDS = 5


def run_lab(
    path: Path, request: Request, backend: Backend, observer: Observer, questions: Questions | None = None
) -> Run:
    """Run a lab's file: every case that the request chooses, on every size.

    A run that breaks off or is interrupted is returned with its failure and the cases that were complete by then.
    `questions` are answered while a launch runs. Raises UsageError for a file that is no lab and for a request that the
    lab cannot meet, and ParlabError for a cluster that does not come up.
    """
    now, digest = datetime.now().astimezone(), sha256(path.read_bytes()).hexdigest()[:12]  # it may be edited meanwhile
    with (
        backend.hold(f"lab.{path.stem}", observer.say),
        backend.ready(observer.say),
        _opened(backend, path) as session,
    ):
        session.await_launcher(observer.say)
        file = LabFile(session, backend.placement(0), path.name)
        plan = make_plan(file.declaration(request), path, request, docstring(path))
        for line in left_out(plan, request):
            observer.say(line)
        backend.start(plan.largest, observer.say)
        observer.begin(plan.largest, backend.nodes(plan.largest), sum(1 for _ in _each(plan)))
        return _run(Bench(backend, session, file, plan, observer, digest, request.timeout, questions), now)


@dataclass(frozen=True)
class Bench:
    """Everything that is needed to measure the cases of a run."""

    backend: Backend
    session: Session
    file: LabFile
    plan: Plan
    observer: Observer
    digest: str  # of the lab's file
    seconds: float | None  # of each launch
    questions: Questions | None


@contextmanager
def _opened(backend: Backend, path: Path) -> Iterator[Session]:
    """A session for the length of the block."""
    session = backend.session(path)
    try:
        yield session
    finally:
        with undisturbed(), suppress(*FAILURES):  # fails if the head is gone
            session.close()


def _run(bench: Bench, now: datetime) -> Run:
    backend, plan = bench.backend, bench.plan
    run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{in_id(plan.path.stem)}-{secrets.token_hex(3)}"
    measured: list[tuple[Chosen, MeasuredCase]] = []
    software: dict[str, Any] = {}
    failure: Failure | None = None
    verdict: Verdict | None = None

    output = LabOutput(RESULTS / f"{run_id}.txt", bench.observer.say)

    def judged(try_claims: Callable[[], tuple[Claim, ...]], *, broke_off: bool) -> Verdict:
        cases = [case for _, case in measured]
        return judge(plan.lab.claims, cases, environment, try_claims, broke_off=broke_off)

    try:
        with closing(output), _in_full(output), _lifted(backend, plan.largest, bench.observer):
            for chosen, case, ran_on in _run_cases(bench, run_id, output):
                software |= ran_on
                bench.observer.case(case)
                measured.append((chosen, case))
            environment = _environment(bench, software)
            verdict = judged(lambda: _claims(bench, measured, environment), broke_off=False)
    except (ParlabError, Interrupted) as error:
        failure = Failure(str(error), error.exit_code)
    except BrokenPipeError:  # e.g. by `| head`
        failure = Failure("the reader of the output has gone", EXIT_CLOSED_PIPE)
    except FAILURES as error:
        failure = Failure(describe(error), RunError.exit_code)
    if verdict is None or failure is not None:
        with undisturbed():
            environment = _environment(bench, software)
        verdict = judged(tuple, broke_off=True)
    return Run(
        id=run_id,
        started=now.isoformat(timespec="seconds"),
        lab=plan.path.stem,
        backend=backend.name,
        spec=plan.largest,
        cases=tuple(case if verdict.quiet.answer is Answer.NO else _nameless(case) for _, case in measured),
        verdict=verdict,
        environment=environment,
        failure=failure,
        handout=plan.handout,
    )


def _nameless(case: MeasuredCase) -> MeasuredCase:
    """Without the names of the user's other processes: a record is handed on, and they explain nothing in it."""
    return replace(case, repeats=tuple(replace(repeat, busiest=None) for repeat in case.repeats))


def _claims(
    bench: Bench, measured: Sequence[tuple[Chosen, MeasuredCase]], environment: Mapping[str, Any]
) -> tuple[Claim, ...]:
    """The results of the lab's claims. Earlier runs are read only if it has any."""
    if not bench.plan.lab.claims:
        return ()
    known = Known.of(earlier_runs(bench.plan.path.stem), bench.backend.name, environment)
    return bench.file.claims(bench.plan, measured, known)


@contextmanager
def _in_full(output: LabOutput) -> Iterator[None]:
    """If the block fails with too many details for a screen, keep them in the run's text file, and say so."""
    try:
        yield
    except RunError as error:
        if error.details:
            raise RunError(f"{error}\nThe details are {output.keep(error.details)}") from error
        raise


@contextmanager
def _lifted(backend: Backend, spec: Spec, observer: Observer) -> Iterator[None]:
    """Lift the nodes' limits within the block, between launches; set them again at the end.

    If the block fails, its processes left in the nodes are ended; one step's failure does not stop the next.
    """
    try:
        backend.set_limits(spec, None)
        yield
        backend.set_limits(spec, spec.node_cpus)
    except BaseException:
        with undisturbed():
            with suppress(BrokenPipeError):
                observer.say("ending what was started ...")
            with suppress(*FAILURES):  # a node that is gone has no ranks and no limit
                backend.stop()
            with suppress(*FAILURES):
                backend.set_limits(spec, spec.node_cpus)
        raise


def _environment(bench: Bench, software: Mapping[str, Any]) -> dict[str, Any]:
    """The machine, the engine and the software, for the record."""
    found: dict[str, Any] = {}
    with suppress(*FAILURES):  # an engine that is gone reports nothing
        found = bench.backend.environment()
    return {**found, **software, "seed": bench.plan.lab.seed, "git": git_state(), LAB_FILE: bench.digest}


def git_state() -> str | None:
    """The commit of this checkout, with `-dirty` if it was changed; None outside a git checkout."""
    if INSTALLED:  # an environment may be inside a repository, but not inside ours
        return None
    commit_itself = ("--always", "--dirty", "--abbrev=40", "--exclude=*")  # not its distance from a tag
    command = ["git", "-C", str(ROOT), "describe", *commit_itself]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _run_cases(bench: Bench, run_id: str, output: LabOutput) -> Iterator[tuple[Chosen, MeasuredCase, dict[str, Any]]]:
    """Measure the cases, one after another; each comes with its ranks' software and CPU."""
    plan = bench.plan
    burned: set[tuple[Spec, frozenset[int]]] = set()  # sizes, and the numbers of their nodes
    ids = (f"{run_id}.{number}" for number in itertools.count())  # a launch must find the leftovers of the previous one
    for chosen, spec in _each(plan):
        case = chosen.case.on(spec.nodes) if plan.many_sizes else chosen.case
        results, repeats = [], max(plan.repeats, case.repeat)
        places = frozenset(case.node_of(rank, spec) for rank in range(case.ranks(spec.virtual_cores)))
        for number in range(1, repeats + 1):
            burn = (spec, places) not in burned  # a single one shows what the engine delivers to all of them
            env = _told(plan, chosen) | {"PARLAB_RUN": next(ids)}
            order = Order(case, spec, plan.path.name, env, number, repeats, burn, bench.seconds)
            output.begin(order.what)
            told = (bench.observer, output.line, bench.questions)
            results.append(launch(bench.backend, bench.session, order, *told))
            output.end()
            if case.limits:
                burned.add((spec, places))
        names = tuple(node.name for node in bench.backend.nodes(spec))
        yield chosen, _measured(plan, case, spec, names, results), {**results[-1].software, "cpu": results[-1].cpu}


def _each(plan: Plan) -> Iterable[tuple[Chosen, Spec]]:
    """Each chosen case with each size that it runs on."""
    return ((chosen, spec) for chosen in plan.cases for spec in plan.specs if chosen.case.runs_on(spec.nodes))


def _told(plan: Plan, chosen: Chosen) -> dict[str, str]:
    """The variables that tell ranks their case."""
    asked = Asked(chosen.number, plan.lab.cases[chosen.number], chosen.overrides)
    seed = str(plan.lab.seed)
    return {"PARLAB_CASE": to_line(asked).decode().strip(), "PARLAB_SEED": seed, "PYTHONHASHSEED": seed}


def _measured(plan: Plan, case: Case, spec: Spec, nodes: tuple[str, ...], results: list[Result]) -> MeasuredCase:
    tasks, force = results[0].tasks, results[0].workforce
    ideal = ideal_s(tasks, force, spec.unit)
    right = [result.repeat.spans for result in results if result.repeat.outcome == RIGHT]
    if any(other_work(tasks, spans, spec) for spans in right):  # MeasuredCase.surprises says so
        ideal = None
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
