"""One launch of a case: boot without limits, set them and prove them, run, check, end.

Every step has a deadline; a step that fails ends in an error that names the node.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from parlab.analysis.ideal import ideal_s
from parlab.backend.base import Backend
from parlab.backend.session import Session
from parlab.formatting import Show, plural
from parlab.host.questions import Questions
from parlab.model.case import MPI, PYTHON, Case, Demand
from parlab.model.clocks import estimate
from parlab.model.event import Event
from parlab.model.messages import (
    BOOT,
    END,
    GO,
    START,
    ClocksRead,
    CompareClocks,
    Done,
    Exit,
    Hello,
    Launch,
    Plan,
    Ready,
)
from parlab.model.reading import Busiest
from parlab.model.spec import Spec
from parlab.model.starting import Booted
from parlab.model.workers import Workforce, workforce
from parlab.results.record import Repeat
from parlab.run.collector import Collector
from parlab.run.conversation import Conversation
from parlab.run.limits import STEP_SECONDS, Limits
from parlab.run.looking import Looking
from parlab.run.mpiexec import OPEN_MPI, mpiexec, scale
from parlab.run.observer import Observer, Started
from parlab.run.others import Others

Kind = TypeVar("Kind", bound=Event)

# Measured on 2 cores: 9 ranks boot in under 1 s, 33 in 5 s. A busy laptop takes several times that.
BOOT_SECONDS = 20.0
BOOT_SECONDS_A_NODE = 1.0
RUN_SECONDS, RUN_FACTOR = 30.0, 4.0  # of the ideal
UNPREDICTED_SECONDS = 120.0  # for a case that has no ideal


@dataclass(frozen=True)
class Order:
    """The order for one launch: a case on a size, from a lab's file, with the variables for its ranks.

    It is launch `number` of `of` of this case; with `burn`, a burn proves what the nodes' limits deliver. `seconds` is
    the time for its own code in all, from the start of MPI on; None means a sufficient time for each step.
    """

    case: Case
    spec: Spec
    lab: str  # the name of its file
    env: Mapping[str, str]
    number: int = 1
    of: int = 1
    burn: bool = True
    seconds: float | None = None

    @property
    def what(self) -> str:
        """The case with its size, for errors."""
        return self.case.name if self.case.ran_on else f"{self.case.name} on {plural(self.spec.nodes, 'node')}"


@dataclass(frozen=True)
class Result:
    """The result of one launch: the case's tasks, its workers, its outcome, and the ranks' software and CPU."""

    tasks: tuple[Demand, ...]
    workforce: Workforce
    repeat: Repeat
    software: dict[str, Any]
    cpu: str


class Allowance:
    """The time for a lab's own code in a launch: the time asked for in all, or else a sufficient time for each step."""

    def __init__(self, talk: Conversation, seconds: float | None) -> None:
        self._talk, self._asked, self._left = talk, seconds, seconds

    def gather(self, kind: type[Kind], count: int, enough: float, doing: str) -> list[Kind]:
        """Like a conversation's, until the allowance is used up. Time between two steps does not count."""
        if self._left is None:
            return self._talk.gather(kind, count, enough, doing)
        began = time.monotonic()
        found = self._talk.gather(kind, count, self._left, doing, self._asked)
        self._left = max(0.0, self._left - (time.monotonic() - began))
        return found


def launch(
    backend: Backend,
    session: Session,
    order: Order,
    observer: Observer,
    printed: Show,
    questions: Questions | None = None,
) -> Result:
    """Run the steps of one launch, in order; the limits are lifted when it begins and when it ends.

    `printed` gets each line that the lab prints; `questions` are answered meanwhile. Raises RunError; after that the
    session cannot be used any more.
    """
    case, spec = order.case, order.spec
    collected = Collector(backend, spec, case, observer)
    talk = Conversation(
        session,
        order.what,
        collected.hear,
        printed,
        lambda: collected.queued or backend.diagnosis(session, spec),
        collected.node_of.get,
        backend.remedy(),
        backend.placement(spec.nodes).starter,
        Looking(backend, spec, case, session.labs, collected),
        questions,
    )
    allowance = Allowance(talk, order.seconds)
    limits = Limits(backend, spec, talk, collected, on=case.limits)

    began = time.monotonic()
    plan = _boot(backend, session, order, talk, collected, allowance)
    booted = time.monotonic()
    limits.put_on(burn=order.burn)
    tasks = tuple(plan.tasks)
    force = workforce(case, spec, len(tasks), gil=plan.gil)
    ideal = ideal_s(tasks, force, spec.unit)
    nodes = backend.nodes(spec)
    owed_s = sum(task.burned for task in tasks) * spec.unit * float(spec.speed)
    work = case.name, spec, nodes, len(tasks), force.workers, ideal
    observer.started(Started(*work, order.number, order.of, force.chunk, owed_s))
    others = Others(session.boot, order.env.get("PARLAB_RUN", ""), backend.control_groups(spec))
    done = _run(case, spec, ideal, talk, allowance)
    limits.end()
    busiest = others.busiest()  # after the last reading: looking through all processes takes CPU time, too
    ending = time.monotonic()
    _end(talk, backend.placement(spec.nodes).starter)
    return Result(
        tasks,
        force,
        _repeat(done, collected, limits, busiest, startup_s=booted - began, ending_s=time.monotonic() - ending),
        plan.software | {"gil": plan.gil},
        plan.cpu,
    )


def _boot(
    backend: Backend,
    session: Session,
    order: Order,
    talk: Conversation,
    collected: Collector,
    allowance: Allowance,
) -> Plan:
    """Start the ranks and wait until each that runs the case is about to submit its first task."""
    case, spec, placement = order.case, order.spec, backend.placement(order.spec.nodes)
    env = {**OPEN_MPI, **placement.env, **scale(spec, case), **order.env}
    rank = ("-m", "parlab.node.rank", case.launch, f"{session.labs}/{order.lab}")
    argv = mpiexec(placement, spec, case, (*env, "PARLAB_CONTROL"), rank)
    talk.send(Launch(argv, env))
    within = BOOT_SECONDS + BOOT_SECONDS_A_NODE * spec.nodes
    hellos = talk.gather(Hello, case.ranks(spec.virtual_cores), within, "starting the ranks")
    talk.say(BOOT)
    if case.launch != PYTHON:
        talk.gather(Booted, case.ranks(spec.virtual_cores), within, "starting MPI")
        talk.say(GO)
    (plan,) = allowance.gather(Plan, 1, within, "the serial solution")
    talk.show_output()
    allowance.gather(Ready, _running(case, spec), within, "starting the case, up to its first task")
    _compare_clocks(hellos, session.boot, talk, collected)
    return plan


def _running(case: Case, spec: Spec) -> int:
    """The number of ranks that run the case."""
    return case.ranks(spec.virtual_cores) if case.launch == MPI else 1


def _compare_clocks(hellos: list[Hello], boot: str, talk: Conversation, collected: Collector) -> None:
    """If ranks run under another kernel than the launcher, find out how far their clocks are ahead of the head's."""
    others = [hello.rank for hello in hellos if hello.boot != boot]
    if others:
        talk.send(CompareClocks(others))
        (read,) = talk.gather(ClocksRead, 1, STEP_SECONDS, "comparing the clocks of the nodes")
        collected.set_clocks({rank: estimate(exchanges) for rank, exchanges in read.exchanges.items()})


def _run(case: Case, spec: Spec, ideal: float | None, talk: Conversation, allowance: Allowance) -> Done:
    """Let the case go on to its end; return rank 0's message: its result was compared, and its metrics count."""
    talk.say(START)
    within = RUN_SECONDS + RUN_FACTOR * ideal if ideal else UNPREDICTED_SECONDS
    done = allowance.gather(Done, _running(case, spec), within, "running the case")
    return min(done, key=lambda event: event.rank)


def _end(talk: Conversation, starter: str) -> None:
    talk.say(END)
    (end,) = talk.gather(Exit, 1, STEP_SECONDS, f"ending {starter}")
    if end.code != 0:
        raise talk.failed(f"the case was done, but {starter} ended with exit code {end.code}")


def _repeat(
    done: Done, collected: Collector, limits: Limits, busiest: Busiest | None, *, startup_s: float, ending_s: float
) -> Repeat:
    """The record of the launch. A pool's time to start under the limits is start-up, too."""
    spans = collected.spans
    opened, returned = (collected.by_the_head(done.rank, at) for at in (done.opened, done.returned))
    first = min((span.submitted for span in spans), default=opened)
    last = max((span.received for span in spans), default=returned)
    return Repeat(
        spans=tuple(sorted(spans, key=lambda span: (span.submitted, span.started))),
        outcome=done.outcome,
        complaint=done.complaint,
        startup_s=startup_s + max(0.0, first - opened),
        shutdown_s=returned - last + ending_s,
        nodes=limits.records(),
        clocks=collected.clocks(),
        metrics=done.metrics,
        busiest=busiest,
    )
