"""One launch: ranks boot with the limits lifted, the limits go on and are read back, then the case runs.

Every step has a deadline; a step that fails ends in an error that names the node.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from parlab.analysis.ideal import Workforce, ideal_s, workforce
from parlab.backend.base import Backend, Placement
from parlab.backend.session import Event, Session
from parlab.errors import RunError
from parlab.formatting import plural
from parlab.host.places import COMMAND
from parlab.model.case import MPI, PYTHON, Case, Demand
from parlab.model.clocks import Clock, by_the_heads_clock, estimate
from parlab.model.reading import NodeReading
from parlab.model.spec import Spec
from parlab.results.record import NodeRecord, Repeat
from parlab.run.observer import Observer, Started
from parlab.task.recorder import Span
from parlab.thresholds import BURN_WITHIN

# Measured on 2 cores: 9 ranks boot in under 1 s, 33 in 5 s. A laptop that is busy takes several times that.
BOOT_SECONDS = 20.0
BOOT_SECONDS_A_NODE = 1.0
STEP_SECONDS = 15.0  # a word passed on and answered by all
RUN_SECONDS, RUN_FACTOR = 30.0, 4.0  # of the ideal
UNPREDICTED_SECONDS = 120.0  # for a case that has no ideal

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
class Result:
    """What one launch gave: the case's tasks, who did them, what came of it, and what the ranks ran on."""

    tasks: tuple[Demand, ...]
    workforce: Workforce
    repeat: Repeat
    software: dict[str, Any]
    cpu: str


def mpiexec(placement: Placement, spec: Spec, case: Case, lab: str, exported: Iterable[str]) -> list[str]:
    """Spell out the command: rank 0 on the head, where the case asks for it, the others dealt out to the workers.

    Bound to no core, and free to be more than the cores there are: the limits are the kernel's, not Open MPI's.
    """
    head, *nodes = placement.hosts
    ranks = case.ranks(spec.virtual_cores)
    numbers = [case.node_of(rank, spec) for rank in range(ranks)]
    hosts = [head if number is None else nodes[number] for number in numbers]
    slots = ",".join(f"{host}:{len(list(group))}" for host, group in groupby(hosts))
    placing = ["--host", slots, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none", "-n", str(ranks)]
    exports = [word for name in exported for word in ("-x", name)]
    program = [placement.python, "-m", "parlab.node.rank", case.launch, lab]
    return [str(Path(placement.python).with_name("mpiexec")), *placing, *exports, *program]


class Launch:
    """The steps of one launch, in order; each reads events until it has what it waits for."""

    def __init__(self, backend: Backend, session: Session, spec: Spec, case: Case, observer: Observer) -> None:
        self.backend, self.session, self.spec, self.case, self.observer = backend, session, spec, case, observer
        self.what = case.name if case.ran_on else f"{case.name} on {plural(spec.nodes, 'node')}"
        self._last_lines: list[str] = []
        self._unshown: list[str] | None = []  # standard output until the lab runs: it may be Open MPI complaining
        self._over = False  # the case: what is said on standard error then is about its processes' end
        self._come: dict[str, list[Event]] = defaultdict(list)
        self._nodes: dict[int, str] = {}  # by rank
        self._clocks: dict[int, Clock] = {}
        self._readings: dict[str, list[NodeReading]] = defaultdict(list)
        self._engine: list[dict[str, float | None]] = []  # its limits, each time that it was asked
        self._spans: list[Span] = []
        self._running = case.ranks(spec.virtual_cores) if case.launch == MPI else 1  # ranks that run the case
        self._speakers = 0  # ranks that speak for their node

    def run(self, lab: str, env: dict[str, str], *, number: int = 1, of: int = 1, burn: bool = True) -> Result:
        """Boot, cap, check, start, check, end; with `burn`, see first what an unpaced burn gets under the limits.

        `number` of so many is told to the observer. Raises RunError; the session is of no use after that.
        """
        backend, spec, case = self.backend, self.spec, self.case
        backend.set_limits(spec, None)
        launched = time.monotonic()
        plan = self._boot(lab, env)
        startup_s = time.monotonic() - launched
        burned = self._limit(burn=burn)
        tasks = tuple(Demand(*task) for task in plan["tasks"])
        force = workforce(case, spec, len(tasks), gil=plan["gil"])
        ideal = ideal_s(tasks, force, spec.unit)
        self.observer.started(Started(case.name, spec, len(tasks), force.workers, ideal, number, of))
        done = self._run_tasks(ideal)
        backend.set_limits(spec, None)  # taking ranks down is as slow under a cap as booting them
        ending = time.monotonic()
        self._end()
        first = min((span.submitted for span in self._spans), default=done["opened"])
        last = max((span.received for span in self._spans), default=done["returned"])
        repeat = Repeat(
            spans=tuple(sorted(self._spans, key=lambda span: (span.submitted, span.started))),
            outcome=done["outcome"],
            complaint=done["complaint"],
            startup_s=startup_s + max(0.0, first - done["opened"]),  # the rest: a pool that started under the limits
            shutdown_s=done["returned"] - last + time.monotonic() - ending,
            nodes=self._nodes_use(burned),
            clocks={self._nodes[rank]: clock for rank, clock in self._clocks.items()},
            metrics=done["metrics"],
        )
        backend.set_limits(spec, spec.node_cpus)
        return Result(tasks, force, repeat, plan["software"] | {"gil": plan["gil"]}, plan["cpu"])

    def _boot(self, lab: str, env: dict[str, str]) -> Event:
        """Start the ranks and wait until each that runs the case is about to submit its first task; the plan."""
        placement = self.backend.placement(self.spec)
        env = {**OPEN_MPI, **placement.env, **self._scale(), **env}
        argv = mpiexec(placement, self.spec, self.case, f"{self.session.labs}/{lab}", (*env, "PARLAB_CONTROL"))
        self.session.send("launch", argv=argv, env=env)
        within = BOOT_SECONDS + BOOT_SECONDS_A_NODE * self.spec.nodes
        hellos = self._gather("hello", self.case.ranks(self.spec.virtual_cores), within, "booting the ranks")
        self._speakers = len({event["host"] for event in hellos})
        (plan,) = self._gather("plan", 1, within, "the serial solution, in which only burn() and wait() take no time")
        self._show_output()
        self._gather("ready", self._running, within, "starting the case, up to its first task")
        self._compare_clocks(hellos)
        return plan

    def _limit(self, *, burn: bool) -> dict[str, float | None]:
        """Put the limits on, unless the case is without, and read them back; what a burn got on each node."""
        burned: dict[str, float | None] = {}
        if self.case.limits:
            self.backend.set_limits(self.spec, self.spec.node_cpus)
            self._engine.append(self.backend.engine_limits(self.spec))
            burned = self._burn() if burn else {}
            if any(self._fell_short(node, cpus) for node, cpus in burned.items()):
                burned = self._burn()  # a spell of something else on the host: once is no proof
        self._check_limits()
        return burned

    def _run_tasks(self, ideal: float | None) -> Event:
        """Let the case go on to its end, and read the limits again; what rank 0 says of it."""
        self.session.send("say", word="start")
        within = RUN_SECONDS + RUN_FACTOR * ideal if ideal else UNPREDICTED_SECONDS
        done = self._gather("done", self._running, within, "running the case")
        self._check_limits()
        if self.case.limits:
            self._engine.append(self.backend.engine_limits(self.spec))
        return min(done, key=lambda event: int(event["rank"]))  # its result was compared, its figures count

    def _end(self) -> None:
        self._over = True
        self.session.send("say", word="end")
        (end,) = self._gather("exit", 1, STEP_SECONDS, "ending mpiexec")
        if end["code"] != 0:
            raise self._failed(f"the case was done, but mpiexec ended with exit code {end['code']}")

    def _nodes_use(self, burned: dict[str, float | None]) -> dict[str, NodeRecord]:
        return {
            node: NodeRecord(
                self.backend.wanted(node, self.spec) if self.case.limits else None,
                tuple(limits[node] for limits in self._engine if node in limits),
                burned.get(node),
                tuple(readings),
            )
            for node, readings in self._readings.items()
        }

    def _scale(self) -> dict[str, str]:
        """What the processes of a node are told of its size; Slurm would tell them of the cores of their task."""
        speed, cores, unit = float(self.spec.speed), self.spec.cores, self.spec.unit
        scale = {"PARLAB_SPEED": str(speed), "PARLAB_CORES": str(cores), "PARLAB_UNIT": str(unit)}
        per_task = cores if self.case.launch == PYTHON else 1
        workers = self.case.workers(self.spec.virtual_cores)
        return scale | {"PARLAB_WORKERS": str(workers), "SLURM_CPUS_PER_TASK": str(per_task)}

    def _compare_clocks(self, hellos: list[Event]) -> None:
        """Where a rank runs under another kernel than the first, find out how far its clock is ahead."""
        boots = {event["rank"]: event["boot"] for event in hellos}
        others = [rank for rank, boot in boots.items() if boot != boots[0]]
        if others:
            self.session.send("clocks", ranks=others)
            (event,) = self._gather("clocks", 1, STEP_SECONDS, "comparing the clocks of the nodes")
            self._clocks = {int(rank): estimate(found) for rank, found in event["exchanges"].items()}

    def _burn(self) -> dict[str, float | None]:
        self.session.send("say", word="burn")
        found = self._gather("burned", self._speakers, STEP_SECONDS, "an unpaced burn in the nodes")
        return {self._nodes[event["rank"]]: event["cpus"] for event in found}

    def _fell_short(self, node: str, cpus: float | None) -> bool:
        wanted = self.backend.wanted(node, self.spec)
        return cpus is not None and wanted is not None and cpus < (1 - BURN_WITHIN) * wanted

    def _check_limits(self) -> None:
        self.session.send("say", word="check")
        for event in self._gather("limit", self._speakers, STEP_SECONDS, "reading the limits inside the nodes"):
            self._readings[self._nodes[event["rank"]]].append(NodeReading.from_node(event["usage"]))

    def _gather(self, wanted: str, count: int, seconds: float, what: str) -> list[Event]:
        """The next `count` events of one kind, within `seconds`; others that come meanwhile are kept."""
        until, found = time.monotonic() + seconds, self._come[wanted]
        while len(found) < count:
            progress = f"{what}: {len(found)} of {count} done"
            try:
                event = self.session.next_event(until)
            except TimeoutError:
                raise self._failed(f"{progress} after {seconds:g} s") from None
            except EOFError:
                raise self._failed("the launcher on the head is gone") from None
            if event["event"] == "exit" != wanted:
                silent = event["code"] == 0 and wanted == "plan"
                hint = ": does the lab end with a main guard and `lab.main()`?" if silent else ""
                if event["code"] > 128 and wanted != "hello":
                    hint = f": signal {event['code'] - 128}. If the lab's own code ended its process, look there first"
                raise self._failed(f"{progress} when mpiexec ended with exit code {event['code']}{hint}")
            self._take(event)
        return self._come.pop(wanted)

    def _take(self, event: Event) -> None:
        try:
            self._understand(event)
        except ValueError as error:
            raise self._failed(f"its kernel's files do not read as they are documented: {error}") from error

    def _understand(self, event: Event) -> None:
        match event["event"]:
            case "output":
                self._heard(event)
            case "failed":
                raise RunError(f"{self.what}: {event['stage']} raised {event['error']}\n{event['trace'].rstrip()}")
            case "spans":
                spans = [self._span(facts) for facts in event["spans"]]
                self._spans += spans
                self.observer.spans(spans)
            case "usage":
                node, usage = self._nodes[event["rank"]], NodeReading.from_node(event["usage"])
                self._readings[node].append(usage)
                self.observer.usage(node, usage)
            case "hello":
                node = self._node(event["host"], event["rank"])
                self._nodes[event["rank"]] = node
                if ended := event["ended"]:
                    what = plural(len(ended), "process")
                    self.observer.say(f"{node}: ended {what} that an earlier run had left behind")
                self._come["hello"].append(event)
            case kind:
                self._come[kind].append(event)

    def _span(self, facts: dict[str, Any]) -> Span:
        span = Span.from_json(facts | {"node": self._node(facts["node"], facts["rank"])})
        clock = self._clocks.get(span.rank)
        return span if clock is None else by_the_heads_clock(span, clock)

    def _node(self, host: str, rank: int) -> str:
        return self.backend.node_name(host, self.case.node_of(rank, self.spec))

    def _heard(self, event: Event) -> None:
        text = event["text"]
        self._last_lines = [*self._last_lines[-11:], text] if text.strip() else self._last_lines
        if self._unshown is None and not (self._over and event["stream"] == "stderr"):
            self.observer.say(text)
        elif self._unshown is not None and event["stream"] == "stdout":
            self._unshown.append(text)

    def _show_output(self) -> None:
        """The lab runs: from here on, what comes on standard output is its own."""
        for text in self._unshown or ():
            self.observer.say(text)
        self._unshown = None

    def _failed(self, reason: str) -> RunError:
        parts = [f"{self.what}: {reason}."]
        if diagnosis := self.backend.diagnosis(self.session, self.spec):
            parts.append(diagnosis)
        if self._last_lines:
            parts.append("The last lines of mpiexec:\n  " + "\n  ".join(self._last_lines))
        parts.append(f"Try again; if it stays, {COMMAND} down and run it once more.")
        return RunError("\n".join(parts))
