"""One invocation: from a lab and its options to a Run."""

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from parlab.backend.base import Backend
from parlab.backend.cluster import Cluster
from parlab.backend.embedded import CANNOT_SHOW, Embedded
from parlab.backend.engine import NoEngine, connect
from parlab.errors import ParlabError
from parlab.lab import Case, Lab
from parlab.launch import Launch, Outcome
from parlab.options import Options, read_backend, read_cluster, read_json, read_specs
from parlab.predict import ideal_units
from parlab.record import MeasuredCase, Repeat, Run, write_json
from parlab.signals import undisturbed
from parlab.spec import Spec
from parlab.verdict import judge
from parlab.words import Show, plural


def run_lab(lab: Lab, path: Path, options: Options, show: Show) -> Run:
    """Run every case of the lab in `path` on every size asked for; all input is read before anything starts.

    Raises UsageError for bad input, RunError and LimitError as parlab.launch does.
    """
    specs = read_specs(lab, options)
    record = None if options.json is None else read_json(options.json)
    backend = choose_backend(options.backend, read_cluster(options.cluster), show)
    largest = max(specs, key=lambda spec: spec.nodes)
    with backend.hold(f"lab.{path.stem}", show):
        backend.start(largest, show)
        cases = tuple(_run_cases(backend, lab, path, specs, largest, show))
        environment = backend.environment()
    run = Run(path.stem, backend.name, largest, cases, judge(lab, cases), environment)
    if record is not None:
        write_json(run, record)
    return run


def choose_backend(wanted: str | None, cluster: str, show: Show) -> Backend:
    """Take the cluster where an engine answers, else embedded; or the one that is wanted. Raises UsageError."""
    if wanted is None or read_backend(wanted) == "cluster":
        try:
            return Cluster(connect(), cluster)
        except NoEngine:
            if wanted is not None:
                raise
    show(CANNOT_SHOW)
    return Embedded()


def _run_cases(
    backend: Backend, lab: Lab, path: Path, specs: list[Spec], largest: Spec, show: Show
) -> Iterator[MeasuredCase]:
    run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
    many_sizes = len(lab.nodes) > 1 or len(specs) > 1
    session = backend.session(path.parent)
    done = False
    try:
        session.await_launcher()
        for index, case in enumerate(lab.cases):
            for spec in specs:
                env = {"PARLAB_RUN": run_id, "PARLAB_CASE": str(index)}
                what = f"{case.name} on {plural(spec.nodes, 'node')}"
                outcome = Launch(backend, session, spec, what, show).run(path.name, env)
                yield _measured(case.on(spec.nodes) if many_sizes else case, spec, outcome)
        done = True
    finally:
        with undisturbed():
            session.close()
            if not done:
                backend.stop()
                with suppress(ParlabError):  # a node that is gone has no limit to put back
                    backend.set_limits(largest, largest.node_cpus)


def _measured(case: Case, spec: Spec, outcome: Outcome) -> MeasuredCase:
    return MeasuredCase(
        name=case.name,
        settings=case.settings,
        spec=spec,
        ideal_s=ideal_units(outcome.tasks, spec.workers) * spec.unit,
        serial_s=ideal_units(outcome.tasks, 1) * spec.unit,
        repeats=(Repeat(tuple(outcome.spans), outcome.wrong),),
    )
