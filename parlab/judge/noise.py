"""Whether the host had enough CPU, from readings of the machine under the nodes and from the CPU time of the tasks.

Nothing here uses the times at which tasks were handed out: a slow dispatcher leaves workers idle, not short of CPU.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from parlab.formatting import decimal, percent
from parlab.host.places import COMMAND
from parlab.model.reading import Busiest, Host, NodeReading
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.results.record import MeasuredCase, NodeRecord, Repeat
from parlab.thresholds import (
    FEW_TICKS_S,
    FOREIGN,
    FULL,
    HELD_UP,
    HELD_UP_S,
    IDLE_NONE,
    OTHERS,
    STOLEN,
    UNDELIVERED,
    UNDELIVERED_S,
)


@dataclass(frozen=True)
class Load:
    """The use of the host's CPU time in a repeat, as fractions of that time."""

    cpus: int
    idle: float
    stolen: float
    others: float  # used by processes outside the nodes
    full: float  # fraction of the time in which no CPU was idle
    seconds: float  # from the first reading to the last


def load(repeat: Repeat) -> Load | None:
    """Add up the readings of the machine, made on the first rank's node; None if there are none."""
    readings = _of_host(repeat)
    if len(readings) < 2 or (passed := _passed(readings[0], readings[-1])) <= 0:
        return None
    first, last = readings[0], readings[-1]
    steps = [(_passed(earlier, later), later.idle_s - earlier.idle_s) for earlier, later in pairwise(readings)]
    steps = [(cpu_s, idle) for cpu_s, idle in steps if cpu_s > FEW_TICKS_S * last.cpus]
    return Load(
        cpus=last.cpus,
        idle=(last.idle_s - first.idle_s) / passed,
        stolen=(last.stolen_s - first.stolen_s) / passed,
        others=max(0.0, last.busy_s - first.busy_s - _ours(repeat, first, last)) / passed,
        full=sum(cpu_s for cpu_s, idle in steps if idle < IDLE_NONE * cpu_s) / passed,
        seconds=passed / last.cpus,
    )


def _of_host(repeat: Repeat) -> list[Host]:
    return [reading.host for use in repeat.nodes.values() for reading in use.readings if reading.host is not None]


def _passed(earlier: Host, later: Host) -> float:
    """CPU seconds that the machine had between two readings."""
    return (later.busy_s - earlier.busy_s) + (later.idle_s - earlier.idle_s) + (later.stolen_s - earlier.stolen_s)


def _ours(repeat: Repeat, first: Host, last: Host) -> float:
    """CPU seconds that the nodes used; for simulated nodes, which share a machine, those of the launch's processes."""
    if first.ours_s is not None and last.ours_s is not None:
        return last.ours_s - first.ours_s
    used = [used_s(use.readings) for use in repeat.nodes.values()]
    counted = [seconds for seconds in used if seconds is not None]
    return sum(counted) if counted else sum(span.cpu_s for span in repeat.spans)


def used_s(readings: Sequence[NodeReading]) -> float | None:
    """CPU seconds that a node used from its first reading to its last; None if the kernel does not report them."""
    if not readings or readings[0].used_s is None or readings[-1].used_s is None:
        return None
    return readings[-1].used_s - readings[0].used_s


def undelivered(repeat: Repeat, spec: Spec) -> float | None:
    """Fraction of the CPU time owed to busy workers that they did not get; None if the kernel does not report it.

    A node owes each busy process a virtual core, up to its number of cores. It failed to deliver only the CPU time that
    these lacked while their tasks were runnable, and while the node's limit would have allowed it.
    """
    owed_s = lacking_s = 0.0
    spans_of: dict[str, list[Span]] = {}
    for span in repeat.spans:
        spans_of.setdefault(span.node, []).append(span)
    for node, spans in spans_of.items():
        if any(span.run_delay_s is None for span in spans):
            return None
        owed, stalled = _owed_s(spans, spec), sum(span.run_delay_s or 0.0 for span in spans)
        lacking = min(owed - _given_s(spans), stalled * float(spec.speed))
        owed_s += owed
        lacking_s += max(0.0, min(lacking, _room_s(repeat.nodes.get(node), spans)))
    return lacking_s / owed_s if owed_s else 0.0


def _owed_s(spans: Sequence[Span], spec: Spec) -> float:
    """CPU seconds: `speed` for each process with a task, up to `cores` of them, minus the waiting time of the tasks."""
    edges = [edge for span in spans for edge in ((span.started, 1, span.pid), (span.finished, -1, span.pid))]
    tasks: Counter[int] = Counter()  # each process's current tasks: its threads share one virtual core
    last, core_s = 0.0, 0.0
    for at, change, pid in sorted(edges):
        core_s += min(sum(count > 0 for count in tasks.values()), spec.cores) * (at - last)
        tasks[pid] += change
        last = at
    return max(0.0, core_s - sum(span.waiting_s for span in spans)) * float(spec.speed)


def _given_s(spans: Sequence[Span]) -> float:
    """CPU seconds that processes used while they had tasks, including other threads: of the pool, or of readings.

    Concurrent tasks of a process have each measured the usage of the whole process: at each instant their mean counts.
    """
    edges: dict[int, list[tuple[float, int, float]]] = {}
    for span in spans:
        rate = span.process_cpu_s / (span.finished - span.started) if span.finished > span.started else 0.0
        edges.setdefault(span.pid, []).extend([(span.started, 1, rate), (span.finished, -1, rate)])
    given_s = 0.0
    for of_process in edges.values():
        running, rates, last = 0, 0.0, 0.0
        for at, change, rate in sorted(of_process):
            if running:
                given_s += (at - last) * rates / running
            running, rates, last = running + change, rates + change * rate, at
    return given_s


def _room_s(use: NodeRecord | None, spans: Sequence[Span]) -> float:
    """CPU seconds that the node's limit would still have allowed while it had tasks.

    A node at its limit got all that the host owed it; if its tasks lack CPU then, its own processes used it, e.g. MPI.
    """
    if use is None or use.wanted is None or (used := used_s(use.readings)) is None:
        return float("inf")
    busy_s = max(span.finished for span in spans) - min(span.started for span in spans)
    return use.wanted * busy_s - used


def foreign_use(nodes: Mapping[str, NodeRecord]) -> Iterator[str]:
    """Processes that are not the run's and took more than a small part of a node's CPU, as text."""
    for name, use in nodes.items():
        if use.wanted is None or len(use.readings) < 2:
            continue
        before, after = use.readings[0], use.readings[-1]
        given = use.wanted * (after.at - before.at)
        for pid, process in after.foreign.items():
            took = process.cpu_s - (before.foreign[pid].cpu_s if pid in before.foreign else 0.0)
            if took > max(FOREIGN * given, FEW_TICKS_S):
                yield f"{process.name} (process {pid}) used {decimal(took)} of {name}'s {decimal(given)} CPU seconds"


class Disturbance(NamedTuple):
    """A reason why a repeat was disturbed by noise on the host: the observation and the remedy."""

    what: str
    cure: str


def disturbances(repeat: Repeat, spec: Spec) -> Iterator[Disturbance]:
    """All disturbances of a repeat."""
    close = "close other programs on the host, and run again"
    for stranger in foreign_use(repeat.nodes):
        yield Disturbance(stranger, f"{COMMAND} down ends it; then run again")
    found = load(repeat)
    if found is not None and found.stolen > STOLEN and found.stolen * found.seconds > FEW_TICKS_S:
        yield Disturbance(
            f"the hypervisor gave {percent(found.stolen, 0)} of the host's CPU time to other machines",
            "run it when they are idle, or on another machine",
        )
    if found is not None and found.full > FULL and found.others > OTHERS:
        yield Disturbance(
            f"something else used {found.others * found.cpus:.1f} of the host's {found.cpus} CPUs"
            f"{_most_of_it(repeat.busiest, found)}; none was idle in {percent(found.full, 0)} of the time",
            close,
        )
    held_up_s, used = sum(span.held_up_s for span in repeat.spans), sum(span.cpu_s for span in repeat.spans)
    if held_up_s > HELD_UP * used and held_up_s > HELD_UP_S * float(spec.speed):
        yield Disturbance(
            f"the machine stood still while tasks computed, for {percent(held_up_s / used)} of their CPU time",
            "it is a virtual one, under others that are busy: run it when they are idle, or on another machine",
        )
    lacking = undelivered(repeat, spec)
    if lacking is not None and lacking > UNDELIVERED and lacking * (repeat.measured_s or 0.0) > UNDELIVERED_S:
        yield Disturbance(f"{percent(lacking)} of the CPU time that tasks were owed was not delivered", close)


def _most_of_it(busiest: Busiest | None, found: Load) -> str:
    """The process that used most of the others' CPU; '' if it is unknown, or if its usage is too small to be read."""
    if busiest is None or busiest.cpu_s < max(FEW_TICKS_S, OTHERS * found.seconds):
        return ""
    return f", {busiest.name} (process {busiest.pid}) {busiest.cpu_s / found.seconds:.1f} of them"


def disturbed(case: MeasuredCase) -> list[Disturbance]:
    """The disturbances of a case if so many of its repeats had one that the median may be one of them; else []."""
    found = [list(disturbances(repeat, case.spec)) for repeat in case.repeats]
    spoiled = [reasons for reasons in found if reasons]
    if len(spoiled) <= (len(found) - 1) // 2:
        return []
    return [Disturbance(f"{case.name}: {what}", cure) for reasons in spoiled for what, cure in reasons]
