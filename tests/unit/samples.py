"""Made-up spans, readings, repeats, cases and runs, for what comes after a launch; and what is printed of them."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from rich.console import Console

from parlab.judge import verdict as verdicts
from parlab.judge.claims import try_claims
from parlab.lab import Lab
from parlab.model.case import Demand
from parlab.model.node import Node, node_name
from parlab.model.reading import Host, NodeReading
from parlab.model.span import Phase, Span
from parlab.model.spec import Spec
from parlab.model.workers import Workforce
from parlab.results.record import Answer, Claim, Failure, Finding, MeasuredCase, NodeRecord, Repeat, Run, Verdict

SPEED = Fraction(1, 8)
SECONDS = 4.0  # that a repeat takes
SPEC = Spec(nodes=1, cores=2, speed=SPEED, unit=0.5)
ENVIRONMENT = {"kernel": "6.1", "cpu": "Model 1", "cpus": 2, "cgroup_driver": "cgroupfs", "seed": 0, "git": "abc"}


def nodes_of(count: int, limit: Fraction | None = Fraction(1, 4)) -> tuple[Node, ...]:
    """A head and so many nodes."""
    return tuple(Node(index, node_name(index), limit) for index in range(count + 1))


def span(
    node: str = "node-1",
    start: float = 10.0,
    seconds: float = 1.0,
    *,
    cpu_s: float | None = None,
    run_delay_s: float | None = 0.0,
    way_s: float = 0.0,
    pid: int = 1,
    waited_s: float = 0.0,
    phases: tuple[Phase, ...] = (),
) -> Span:
    """A task that computes at full speed, unless `cpu_s` is less; it takes `way_s` to the worker, and back."""
    cpu_s = seconds * float(SPEED) if cpu_s is None else cpu_s
    return Span(
        submitted=start - way_s,
        started=start,
        finished=start + seconds,
        received=start + seconds + way_s,
        cpu_s=cpu_s,
        process_cpu_s=cpu_s,
        waited_s=waited_s,
        run_delay_s=run_delay_s,
        node=node,
        rank=pid,
        pid=pid,
        thread=1,
        phases=phases,
    )


def spans(
    nodes: int = 1, *, tasks: int = 4, gap_s: float = 0.0, delivered: float = 1.0, run_delay_s: float | None = 0.0
) -> tuple[Span, ...]:
    """On each node two processes, each with so many tasks of a second, one after another, `gap_s` apart.

    The tasks get `delivered` of the CPU that they are owed, and are each ready to run, and do not, for `run_delay_s`.
    """
    return tuple(
        span(
            f"node-{node}",
            10.0 + task * (1 + gap_s),
            cpu_s=delivered * float(SPEED),
            run_delay_s=run_delay_s,
            pid=2 * node + core,
        )
        for task in range(tasks)
        for node in range(1, nodes + 1)
        for core in range(2)
    )


def machine(*, busy: float = 0.2, idle: float = 0.8, stolen: float = 0.0, steps: int = 4, cpus: int = 2) -> list[Host]:
    """Readings of the machine under the nodes: what became of its CPU time, as fractions of it."""
    cpu_s = [1000.0 + cpus * SECONDS * step / steps for step in range(steps + 1)]
    return [Host(cpus, busy_s=busy * s, idle_s=idle * s, stolen_s=stolen * s) for s in cpu_s]


def many_spans(workers: int, tasks: int) -> tuple[Span, ...]:
    """Eight workers a node, each with so many tasks of 8 ms, one every 10 ms."""
    return tuple(
        span(f"node-{1 + worker // 8}", 10.0 + 0.01 * task, 0.008, way_s=0.001, pid=worker)
        for worker in range(workers)
        for task in range(tasks)
    )


def usage(
    at: float = 0.0,
    *,
    limit: float | None = 0.25,
    used_s: float | None = 0.0,
    periods: int | None = 0,
    host: Host | None = None,
) -> NodeReading:
    """One reading of a node."""
    return NodeReading(at, limit, used_s, periods, 0, 0.0, host=host)


def readings(
    limit: float | None = 0.25,
    *,
    used_s: float | None = 0.5,
    periods: int | None = 40,
    hosts: Sequence[Host] = (),
) -> tuple[NodeReading, ...]:
    """Five readings in SECONDS, or as many as there are `hosts`; counters run evenly from 7."""
    count = len(hosts) or 5
    parts = [index / (count - 1) for index in range(count)]
    return tuple(
        usage(
            100.0 + SECONDS * part,
            limit=limit,
            used_s=None if used_s is None else 7.0 + used_s * part,
            periods=None if periods is None else 7 + round(periods * part),
            host=hosts[index] if hosts else None,
        )
        for index, part in enumerate(parts)
    )


def worker(wanted: float | None = 0.25, **read: Any) -> NodeRecord:
    """A worker whose limit was as wanted; see `readings`."""
    limit = read.pop("limit", wanted)
    return NodeRecord(wanted, engine=(wanted, wanted), readings=readings(limit, **read))


def head(hosts: Sequence[Host] | None = None, **read: Any) -> NodeRecord:
    """The head, where the machine is read; see `readings`."""
    return worker(0.5, hosts=machine() if hosts is None else hosts, used_s=read.pop("used_s", 0.1), **read)


def repeat(own: Sequence[Span] | None = None, **facts: Any) -> Repeat:
    """A launch on a quiet host that went as it should."""
    own = spans() if own is None else tuple(own)
    nodes = {"head": head(), "node-1": worker(used_s=sum(one.cpu_s for one in own if one.node == "node-1"))}
    given: dict[str, Any] = {"nodes": nodes, "startup_s": 0.4, "shutdown_s": 0.1} | facts
    return Repeat(own, **given)


def noisy_repeat() -> Repeat:
    """A launch while others took all of the machine that the nodes left them."""
    return repeat(nodes={"head": head(machine(busy=1.0, idle=0.0)), "node-1": worker(used_s=1.0)})


def took(seconds: float, **facts: Any) -> Repeat:
    """A launch of one task that took so long."""
    return repeat([span(seconds=seconds)], **facts)


def raised(error: str = "ValueError", *, complaint: str | None = None) -> Repeat:
    """A launch whose case raised before any task came back."""
    return repeat((), outcome=error, complaint=complaint)


def case(*repeats: Repeat, name: str = "pool(nodes=1)", spec: Spec = SPEC, **facts: Any) -> MeasuredCase:
    """As many tasks of two units as left a span, ideally done in SECONDS on one node."""
    repeats = repeats or (repeat(),)
    tasks = (Demand(2.0, 0.0),) * max([1, *(len(repeat.spans) for repeat in repeats)])
    force = Workforce(spec.virtual_cores, spec.nodes, spec.cores)
    given: dict[str, Any] = {
        "settings": {},
        "tasks": tasks,
        "ideal_s": SECONDS,
        "serial_s": 8.0,
        "nodes": tuple(node.name for node in nodes_of(spec.nodes)),
    } | facts
    return MeasuredCase(name=name, spec=spec, workforce=force, repeats=repeats, **given)


def case_on(nodes: int, *, repeats: int = 1) -> MeasuredCase:
    """A case on so many nodes, all alike."""
    uses = {"head": head(), **{f"node-{number}": worker(used_s=1.0) for number in range(1, nodes + 1)}}
    launch = repeat(spans(nodes), nodes=uses)
    spec = replace(SPEC, nodes=nodes)
    return case(*[launch] * repeats, name=f"pool(nodes={nodes})", spec=spec, serial_s=8.0 * nodes)


def lab(*expectations: Any) -> Lab:
    """A lab that expects this."""
    made = Lab(unit=SPEC.unit)
    for expectation in expectations:
        made.expect(expectation)
    return made


def judge(
    lab: Lab, cases: Sequence[MeasuredCase], environment: Mapping[str, Any], *, overridden: bool = False, **facts: bool
) -> Verdict:
    """The verdict on these cases of a lab that is at hand."""
    declared = [expectation.declared for expectation in lab.expectations]
    return verdicts.judge(declared, cases, environment, lambda: try_claims(lab, cases, overridden=overridden), **facts)


def verdict(*claims: Claim, **answers: Answer) -> Verdict:
    """Four answers, yes unless said otherwise."""
    found = {
        name: Finding(answer, f"what shows {name}", f"what helps {name}" if answer is Answer.NO else "")
        for name in ("correct", "held", "quiet", "reproduced")
        for answer in (answers.get(name, Answer.YES),)
    }
    return Verdict(**found, claims=claims)


def run(*cases: MeasuredCase, **facts: Any) -> Run:
    """A run of the lab `sample`, judged without expectations unless a verdict is given."""
    environment = facts.get("environment", ENVIRONMENT)
    given: dict[str, Any] = {
        "id": "20260102T030405-sample-abc123",
        "started": "2026-01-02T03:04:05+01:00",
        "lab": "sample",
        "backend": "cluster",
        "spec": max((one.spec for one in cases), key=lambda spec: spec.nodes, default=SPEC),
        "environment": environment,
    }
    return Run(cases=cases, **{**given, "verdict": facts.get("verdict") or judge(lab(), cases, environment), **facts})


def embedded_run() -> Run:
    """Nobody limits simulated nodes, nor counts what they use; the machine is read on the head."""
    launch = repeat(
        [replace(one, node="simulated-1") for one in spans()],
        nodes={"head": NodeRecord(None, readings=readings(None, used_s=None, periods=None, hosts=machine()))},
    )
    return run(case(launch), backend="embedded", environment={"platform": "Linux", "cpus": 2})


def failed_run(*cases: MeasuredCase, text: str = "node-2 is gone\nlast lines", exit_code: int = 4) -> Run:
    """A run that broke off after these cases."""
    return run(*cases, failure=Failure(text, exit_code))


def judged(*repeats: Repeat, cgroup_driver: str = "cgroupfs") -> Verdict:
    """The verdict on one case of a lab that claims nothing."""
    return judge(lab(), [case(*repeats)], {"cgroup_driver": cgroup_driver})


def on(quietness: NodeRecord | None = None, use: NodeRecord | None = None, **tasks: float) -> Repeat:
    """A launch on one node: its head, which reads the machine, the node, and how its tasks went."""
    own = spans(**tasks)  # type: ignore[arg-type]
    used_s = sum(one.cpu_s for one in own)
    return repeat(own, nodes={"head": quietness or head(), "node-1": use or worker(used_s=used_s)})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def recording(*, terminal: bool = False, width: int = 80) -> Console:
    file = Terminal() if terminal else io.StringIO()
    return Console(width=width, file=file, record=True, highlight=False, force_terminal=terminal)


def shown(show: Callable[..., object], *arguments: object, wide: bool = False, **options: object) -> str:
    """What is printed on a console of 80 columns: nothing is cut short, nor runs over, unless it may be `wide`."""
    console = recording()
    show(console, *arguments, **options)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert wide or max(map(len, lines), default=0) <= 80
    assert not any("…" in line for line in lines)
    return "".join(f"{line}\n" for line in lines)


def in_a_line(text: str) -> str:
    """The text without its line breaks and columns."""
    return " ".join(text.split())
