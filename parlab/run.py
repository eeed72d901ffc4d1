"""One invocation: from a lab and options to a Run, on the backend that is there."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parlab.backend.base import Backend, Show
from parlab.backend.embedded import CANNOT_SHOW, Embedded
from parlab.backend.engine import NoEngine, connect
from parlab.catalog import load_lab
from parlab.errors import ParlabError, UsageError
from parlab.lab import Case, Lab
from parlab.launch import Launch
from parlab.lock import only_user
from parlab.predict import ideal_units
from parlab.record import Measured, Repeat, Run, write_json
from parlab.signals import undisturbed
from parlab.spec import Spec, plural, read_cluster, read_specs

BACKENDS = ("cluster", "embedded")


@dataclass(frozen=True)
class Options:
    """What the command line says, unread; None is the lab's own, or whatever is there."""

    nodes: str | None = None
    cores: str | None = None
    speed: str | None = None
    unit: str | None = None
    cluster: str = "default"
    backend: str | None = None
    json: str | None = None


def run_lab(path: Path, options: Options, show: Show) -> Run:
    """Run every case of a lab on every size asked for; all input is read and checked before anything starts.

    Raises UsageError for bad input, RunError and LimitError as parlab.launch does.
    """
    lab = load_lab(path)
    specs = read_specs(lab, options.nodes, options.cores, options.speed, options.unit)
    record = None if options.json is None else _writable(options.json)
    read_cluster(options.cluster)
    backend = choose_backend(options.backend, options.cluster, path.parent, show)
    largest = max(specs, key=lambda spec: spec.nodes)
    with (
        only_user(options.cluster, f"lab.{path.stem}", show) if backend.name == "cluster" else contextlib.nullcontext()
    ):
        backend.start(largest, show)
        cases = tuple(_run_cases(backend, lab, path, specs, show))
        run = Run(path.stem, backend.name, largest, cases, backend.environment())
    if record is not None:
        write_json(run, record)
    return run


def choose_backend(wanted: str | None, cluster: str, labs: Path, show: Show) -> Backend:
    """The cluster where an engine answers, else embedded; or the one that is wanted. Raises UsageError."""
    if wanted is not None and wanted not in BACKENDS:
        raise UsageError(f"--backend takes {' or '.join(BACKENDS)}, not {wanted!r}")
    if wanted != "embedded":
        try:
            from parlab.backend.cluster import Cluster

            return Cluster(connect(), cluster, labs)
        except NoEngine:
            if wanted == "cluster":
                raise
    show(CANNOT_SHOW)
    return Embedded(labs)


def _run_cases(backend: Backend, lab: Lab, path: Path, specs: list[Spec], show: Show) -> Iterator[Measured]:
    largest = max(specs, key=lambda spec: spec.nodes)
    run = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
    session = backend.session(run)
    clean = False
    try:
        session.await_launcher()
        for index, case in enumerate(lab.cases):
            for spec in specs:
                what = f"{case.name} on {plural(spec.nodes, 'node')}"
                env = {"PARLAB_RUN": run, "PARLAB_CASE": str(index)}
                outcome = Launch(backend, session, spec, what, show).run(path.name, env)
                yield Measured(
                    name=_name(lab, case, spec),
                    settings=case.settings,
                    spec=spec,
                    ideal_s=ideal_units(outcome.tasks, spec.workers) * spec.unit,
                    serial_s=ideal_units(outcome.tasks, 1) * spec.unit,
                    repeats=(Repeat(tuple(outcome.spans), outcome.wrong),),
                )
        clean = True
    finally:
        with undisturbed():
            session.close()
            if not clean:
                backend.stop()
                with contextlib.suppress(ParlabError):  # a node that is gone has no limit to put back
                    backend.limits(largest, largest.node_cpus)


def _name(lab: Lab, case: Case, spec: Spec) -> str:
    """A case's name, with the size where the lab is about sizes."""
    if len(lab.nodes) == 1:
        return case.name
    return Case(case.function, case.launch, case.settings | {"nodes": spec.nodes}).name


def _writable(name: str) -> Path:
    path = Path(name)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"--json takes a file in a folder that can be written to, not {name!r}")
    return path


def run_file(name: str) -> None:
    """`python labs/NAME.py`: the lab on this machine, with the table; exits as `./invoke lab.NAME` would."""
    from parlab.console import exit_code, run_and_show

    with exit_code():
        run_and_show(Path(name).resolve(), Options(backend="embedded"))
