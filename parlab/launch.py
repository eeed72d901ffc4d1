"""One launch: ranks boot with the limits lifted, the limits go on and are read back, then the case runs.

Every step has a deadline; a step that fails ends in an error that names the node.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parlab.backend.base import Backend, Placement
from parlab.backend.session import Event, Session
from parlab.errors import RunError
from parlab.lab import Case, Units
from parlab.predict import ideal_s
from parlab.spans import Span
from parlab.spec import Spec
from parlab.words import Show, plural

# Measured on 2 cores: 9 ranks boot in under 1 s, 33 in 5 s. A laptop that is busy takes several times that.
BOOT_SECONDS = 20.0
BOOT_SECONDS_A_NODE = 1.0
STEP_SECONDS = 15.0  # a word passed on and answered by all
RUN_SECONDS, RUN_FACTOR = 30.0, 4.0  # of the ideal

# For Open MPI 5 in containers. Without ob1 over TCP it tries every transport there is; idle ranks yield the core; UCX
# floods stderr; cross-memory attach is refused without a capability that no node gets.
OPEN_MPI = {
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,sm,tcp",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_osc": "^ucx",
    "OMPI_MCA_smsc": "^cma",
}


@dataclass(frozen=True)
class Outcome:
    """What one launch gave; `spans` carry the nodes' own names."""

    tasks: list[Units]
    spans: list[Span]
    wrong: str | None


def mpiexec(placement: Placement, spec: Spec, lab: str, exported: Iterable[str]) -> list[str]:
    """Spell out the command: rank 0 on the first host, then `cores` ranks on each of the others.

    Bound to no core, and free to be more than the cores there are: the limits are the kernel's, not Open MPI's.
    """
    head, *workers = placement.hosts
    slots = ",".join([f"{head}:1", *(f"{host}:{spec.cores}" for host in workers)])
    placing = ["--host", slots, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none", "-n", str(spec.workers + 1)]
    exports = [word for name in exported for word in ("-x", name)]
    program = [placement.python, "-m", "parlab.node.rank", lab]
    return [str(Path(placement.python).with_name("mpiexec")), *placing, *exports, *program]


class Launch:
    """The steps of one launch, in order; each reads events until it has what it waits for."""

    def __init__(self, backend: Backend, session: Session, spec: Spec, case: Case, show: Show) -> None:
        self.backend, self.session, self.spec, self.case, self.show = backend, session, spec, case, show
        self.what = f"{case.name} on {plural(spec.nodes, 'node')}"
        self.last: list[str] = []
        self.held_back: list[str] | None = []  # standard output until the lab runs: it may be Open MPI complaining

    def run(self, lab: str, env: dict[str, str]) -> Outcome:
        """Boot, cap, check, start, check, end. Raises RunError or LimitError; the session is of no use after that."""
        backend, spec = self.backend, self.spec
        placement = backend.placement(spec)
        env = {**OPEN_MPI, **placement.env, **self._scale(), **env}
        backend.set_limits(spec, None)
        argv = mpiexec(placement, spec, f"{self.session.labs}/{lab}", (*env, "PARLAB_CONTROL"))
        self.session.send("launch", argv=argv, env=env)
        boot = BOOT_SECONDS + BOOT_SECONDS_A_NODE * spec.nodes
        (plan,) = self._gather("plan", 1, boot, "booting the ranks")
        self._show_output()
        self._gather("ready", 1, boot, "starting the case, up to its first task")

        backend.set_limits(spec, spec.node_cpus)
        self._check_limits()
        self.session.send("say", word="start")
        tasks = [Units(*task) for task in plan["tasks"]]
        most = RUN_SECONDS + RUN_FACTOR * ideal_s(tasks, spec, self.case)
        (done,) = self._gather("done", 1, most, "running the case")
        self._check_limits()

        backend.set_limits(spec, None)  # taking ranks down is as slow under a cap as booting them
        self.session.send("say", word="end")
        (end,) = self._gather("exit", 1, STEP_SECONDS, "ending mpiexec")
        if end["code"] != 0:
            raise self._failed(f"the case was done, but mpiexec ended with exit code {end['code']}")
        backend.set_limits(spec, spec.node_cpus)
        return Outcome(tasks, [self._named(span) for span in done["spans"]], done["wrong"])

    def _scale(self) -> dict[str, str]:
        speed, cores, unit = float(self.spec.speed), self.spec.cores, self.spec.unit
        return {"PARLAB_SPEED": str(speed), "PARLAB_CORES": str(cores), "PARLAB_UNIT": str(unit)}

    def _named(self, facts: dict[str, Any]) -> Span:
        return Span(**facts | {"node": self.backend.node_name(facts["node"], facts["rank"], self.spec)})

    def _check_limits(self) -> None:
        self.session.send("say", word="check")
        found = self._gather("limit", self.spec.workers + 1, STEP_SECONDS, "reading the limits inside the nodes")
        self.backend.check_limits(self.spec, {event["rank"]: event["cpus"] for event in found})

    def _gather(self, wanted: str, count: int, seconds: float, what: str) -> list[Event]:
        """The next `count` events of one kind, within `seconds`."""
        found: list[Event] = []
        for event in self._events(seconds, lambda: f"{what}: {len(found)} of {count} done after {seconds:g} s"):
            if event["event"] == wanted:
                found.append(event)
                if len(found) == count:
                    return found
            elif event["event"] == "exit":
                raise self._failed(
                    f"{what}: {len(found)} of {count} done when mpiexec ended with exit code {event['code']}"
                )
        raise AssertionError("events end only by an exception")

    def _events(self, seconds: float, progress: Callable[[], str]) -> Iterator[Event]:
        until = time.monotonic() + seconds
        while True:
            try:
                event = self.session.next_event(until)
            except TimeoutError:
                raise self._failed(progress()) from None
            except EOFError:
                raise self._failed("the launcher on the head is gone") from None
            if event["event"] == "output":
                self._heard(event)
            elif event["event"] == "hello" and event["ended"]:
                node = self.backend.node_name(event["host"], event["rank"], self.spec)
                self.show(f"{node}: ended {plural(len(event['ended']), 'process')} that an earlier run had left behind")
            elif event["event"] == "failed":
                raise RunError(f"{self.what} raised {event['error']}\n{event['trace'].rstrip()}")
            yield event

    def _heard(self, event: Event) -> None:
        text = event["text"]
        self.last = [*self.last[-11:], text] if text.strip() else self.last
        if event["stream"] != "stdout":
            return
        if self.held_back is None:
            self.show(text)
        else:
            self.held_back.append(text)

    def _show_output(self) -> None:
        """The lab runs: from here on, what comes on standard output is its own."""
        for text in self.held_back or ():
            self.show(text)
        self.held_back = None

    def _failed(self, reason: str) -> RunError:
        parts = [f"{self.what}: {reason}."]
        if diagnosis := self.backend.diagnosis(self.session, self.spec):
            parts.append(diagnosis)
        if self.last:
            parts.append("The last lines of mpiexec:\n  " + "\n  ".join(self.last))
        parts.append("Try again; if it stays, ./invoke down and run it once more.")
        return RunError("\n".join(parts))
