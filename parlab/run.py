"""One invocation: from a lab and its options to a Run."""

import secrets
import time
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

from parlab.backend.base import Backend
from parlab.backend.cluster import Cluster
from parlab.backend.embedded import CANNOT_SHOW, Embedded
from parlab.backend.engine import FAILURES, NoEngine, connect
from parlab.backend.session import Session
from parlab.errors import ParlabError
from parlab.lab import Case, Lab
from parlab.launch import Launch, Outcome
from parlab.options import Options, read_backend, read_cluster, read_json, read_specs
from parlab.predict import ideal_s, serial_s
from parlab.record import MeasuredCase, Repeat, Run, write_json
from parlab.signals import undisturbed
from parlab.spec import Spec
from parlab.verdict import judge
from parlab.words import Show


class Watcher(Protocol):
    """Is told of a run as it goes on; it cannot change it."""

    def say(self, text: str) -> None:
        """Hear a line for the user."""

    def begin(self, backend: str, spec: Spec) -> None:
        """Hear where it runs, and the largest spec; launches follow."""

    def case(self, case: MeasuredCase) -> None:
        """Hear that a case was measured."""

    def end(self, run: Run) -> None:
        """Hear what came out."""


def run_lab(lab: Lab, path: Path, options: Options, view: Watcher) -> Run:
    """Run every case of the lab in `path` on every size asked for; all input is read before anything starts.

    Raises UsageError for bad input, RunError and LimitError as parlab.launch does.
    """
    specs = read_specs(lab, options)
    record = None if options.json is None else read_json(options.json)
    backend = choose_backend(options.backend, read_cluster(options.cluster), view.say)
    largest = max(specs, key=lambda spec: spec.nodes)
    cases = []
    with backend.hold(f"lab.{path.stem}", view.say):
        backend.start(largest, view.say)
        view.begin(backend.name, largest)
        with closing(_run_cases(backend, lab, path, specs, largest, view.say)) as measured:
            for case in measured:
                view.case(case)
                cases.append(case)
        environment = backend.environment()
    run = Run(path.stem, backend.name, largest, tuple(cases), judge(lab, cases), environment)
    view.end(run)
    if record is not None:
        try:
            write_json(run, record)
        except OSError as error:
            raise ParlabError(f"the record could not be written to {record}: {error}") from error
    return run


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
    backend: Backend, lab: Lab, path: Path, specs: list[Spec], largest: Spec, show: Show
) -> Generator[MeasuredCase, None, None]:
    run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
    many_sizes = len(lab.nodes) > 1 or len(specs) > 1
    session = backend.session(path.parent)
    held, done = False, False  # a cluster that was never ours is not to be touched
    try:
        session.await_launcher(show)
        held = True
        for index, case in enumerate(lab.cases):
            for spec in specs:
                env = {"PARLAB_RUN": run_id, "PARLAB_CASE": str(index)}
                outcome = Launch(backend, session, spec, case, show).run(path.name, env)
                yield _measured(case.on(spec.nodes) if many_sizes else case, spec, outcome)
        done = True
    finally:
        with undisturbed():
            _clean_up(backend, session, largest, touched=held and not done)


def _clean_up(backend: Backend, session: Session, spec: Spec, *, touched: bool) -> None:
    """End what a session started, and if it ended badly what it left; one step's failure does not stop the next."""
    with suppress(*FAILURES):  # a head that is gone cannot be hung up on, a node that is gone has no limit
        session.close()
    if touched:
        with suppress(*FAILURES):
            backend.stop()
        with suppress(*FAILURES):
            backend.set_limits(spec, spec.node_cpus)


def _measured(case: Case, spec: Spec, outcome: Outcome) -> MeasuredCase:
    return MeasuredCase(
        name=case.name,
        settings=case.settings,
        spec=spec,
        ideal_s=ideal_s(outcome.tasks, spec, case),
        serial_s=serial_s(outcome.tasks, spec),
        repeats=(Repeat(tuple(outcome.spans), outcome.wrong),),
    )
