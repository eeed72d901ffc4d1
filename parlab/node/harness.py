"""Runs one case of a lab, in one process or in each of its MPI ranks, and reports plan, spans and correctness."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from parlab.formatting import at_line
from parlab.lab import Declared, Lab
from parlab.model.case import RIGHT, WRONG, Case
from parlab.model.declaration import Asked
from parlab.model.job_events import Frame
from parlab.model.messages import END, START, Done, Plan, Ready, Spans, from_line
from parlab.model.spec import PERIOD
from parlab.node.apart import apart
from parlab.node.compare import difference
from parlab.node.control import Control, control
from parlab.node.failure import plain, report
from parlab.node.mistakes import is_nothing, no_task, suspect, task_of
from parlab.node.reference import reference
from parlab.task.metrics import take_metrics
from parlab.task.pace import has_gil
from parlab.task.recorder import Task, share_spans, take_recorded

PACKAGES = ("openmpi", "mpi4py", "numpy", "pathos", "joblib", "threadpoolctl", "loky")


class Gate:
    """Holds back the first submission until the limits are on; opens once, for the first thread that comes.

    A forked process may be one that runs a task, so a fork counts as a submission, too.
    """

    def __init__(self, line: Control) -> None:
        self._line, self._lock = line, threading.Lock()
        self.opened: float | None = None  # the time, by the monotonic clock

    @property
    def open(self) -> bool:
        """Whether the first submission has passed."""
        return self.opened is not None

    def __call__(self) -> None:
        """Report that everything is booted, then wait for the start."""
        if self.open:  # before the lock: in a forked child another thread may have held it
            return
        with self._lock:
            if self.open:
                return
            self._line.send(Ready(self._line.rank))
            self._line.await_word(START)
            time.sleep(PERIOD)  # after that, usage in the first capped period is no longer owed
            self.opened = time.monotonic()


class SpanStream:
    """Sends spans as they come in; a flush holds the connection until they are sent."""

    def __init__(self, line: Control) -> None:
        self._line, self._lock, self.count = line, threading.Lock(), 0
        self.elsewhere = False  # whether processes other than this one ran any tasks

    def flush(self) -> None:
        """Send the spans that were recorded since the last time."""
        with self._lock:
            if spans := take_recorded():
                self._line.send(Spans(self._line.rank, spans))
                self.count += len(spans)
                self.elsewhere |= any(span.pid != os.getpid() for span in spans)


def run_case(lab: Lab) -> None:
    """Run the case that PARLAB_CASE asks for.

    An exception that it does not declare is reported and ends the launch. In an MPI launch every rank runs the case;
    only rank 0 runs the serial solution and the comparison with it.
    """
    line = control()
    gate = Gate(line)
    stream = SpanStream(line)
    line.each_sample = stream.flush
    stage, found, serial = "the lab's file", "", None
    try:
        declared = asked_for(lab)
        case = declared.case
        stage = "the serial solution"
        if line.rank == 0:
            settings = {"workers": int(os.environ["PARLAB_WORKERS"])} | declared.settings
            tasks, serial = apart(lambda: reference(lab, settings))
            line.send(Plan(line.rank, tasks, has_gil(), software(), cpu_model()))
        stage = "the case"
        share_spans()
        os.register_at_fork(before=gate)
        outcome, result = attempt(declared, gate)
        returned = time.monotonic()
        stream.flush()
        stage = "the comparison with the serial results"
        if line.rank == 0 and not stream.count and outcome == RIGHT:
            raise no_task(declared, began=True)
        if line.rank == 0 and outcome == RIGHT and (found := unlike(result, serial, lab)):
            outcome, (at, cure) = WRONG, suspect(declared, lab, result, serial, elsewhere=stream.elsewhere)
            found = f"{place_of(at)}{found}. {cure}" if cure else found
    except BaseException as error:
        report(line, sys.argv[0], stage, error)
        raise
    complained = complaint(case, outcome, plain(found)) if line.rank == 0 else None
    assert gate.opened is not None
    line.send(Done(line.rank, outcome, complained, gate.opened, returned, take_metrics()))
    line.await_word(END)


def asked_for(lab: Lab) -> Declared:
    """The case that the launch asks for. Raises RuntimeError if this process has read another case under its number."""
    asked: Asked = from_line(os.environ["PARLAB_CASE"], Asked)
    found = lab.cases[asked.number] if asked.number < len(lab.cases) else None
    if found is None or found.case != asked.case:
        here = "there is none" if found is None else found.case.name
        raise RuntimeError(
            f"the lab's file declares other cases each time it is read: number {asked.number + 1} was "
            f"{asked.case.name}, here it is {here}. A case must not depend on chance, time, place or rank"
        )
    return found.told(asked.overrides)


def attempt(declared: Declared, gate: Gate) -> tuple[str, Any]:
    """Run the case: (RIGHT, its result), or (the name of a declared exception that it raised, None)."""
    plain = task_of(declared)
    try:
        result = declared.function(Task(plain, gate), **declared.settings)
    except Exception as error:
        if not isinstance(error, declared.raises):
            raise
        gate()  # a failure before the first task, e.g. a lambda that cannot be pickled, is still a launch
        return declared.case.outcome, None
    if not gate.open:
        raise no_task(declared, began=False)
    return RIGHT, result


def place_of(line: Frame | None) -> str:
    """The place of a mistake, as a prefix of its description."""
    return "" if line is None else f"{at_line(Path(line.file).name, line.line, line.text)}: "


def unlike(result: Any, serial: Any, lab: Lab) -> str:
    """How a result differs from the serial one; '' if it does not, by the lab's own measure if it has one."""
    if lab.same is None:
        if is_nothing(result) and is_nothing(serial):
            return "its results are None, and so are the serial solution's: nothing was compared"
        return difference(result, serial)
    if lab.same(result, serial):
        return ""
    return difference(result, serial) or "each result equals the serial one, but the lab's `same` says no"


def complaint(case: Case, outcome: str, found: str) -> str | None:
    """How the outcome differs from the case's declaration, as text; None if it does not."""
    if outcome == case.outcome:
        return None
    if case.outcome == RIGHT:
        return found
    declared = "declared to be wrong" if case.outcome == WRONG else f"declared to raise {case.outcome}"
    return f"{declared}, but {found or 'each result equals the serial one'}"


def software() -> dict[str, str]:
    """Versions of the ranks' software; a missing package is left out."""
    from importlib.metadata import PackageNotFoundError, version  # here: all ranks import this module, one asks
    from platform import python_version

    found = {"python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The kernel's name for this machine's CPU; on Arm its implementer and part; '' if the kernel gives none."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return facts.get("model name") or " ".join(facts[key] for key in ("CPU implementer", "CPU part") if key in facts)
