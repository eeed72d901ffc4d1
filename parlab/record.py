"""The record of one invocation: what was asked, what came out, where it ran.

Schema 1, times in seconds:

    schema, lab, backend, environment
    spec      {nodes, cores, speed, unit} of the largest cluster of the invocation
    cases[]   {name, settings, spec, workers, ideal_s, measured_s (median), off_by (0.02 is 2 % slower), speedup,
              by_node {node: tasks, in the first repeat}, repeats[] {measured_s, by_node, wrong, spans[]}}
    claims[]  {name, holds, why}: the lab's expectations
"""

import json
import os
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parlab.spans import Span
from parlab.spec import Spec

SCHEMA = 1


@dataclass(frozen=True)
class Repeat:
    """One launch of a case, by its spans. Times in seconds."""

    spans: tuple[Span, ...]
    wrong: str | None = None

    @property
    def measured_s(self) -> float:
        """From the first submission to the last receipt; start-up and shut-down of the ranks lie outside."""
        return max(span.received for span in self.spans) - min(span.submitted for span in self.spans)

    @property
    def by_node(self) -> dict[str, int]:
        """How many tasks each node did, of those that did any; in the order of their numbers."""
        counts = Counter(span.node for span in self.spans)
        return {node: counts[node] for node in sorted(counts, key=lambda node: (len(node), node))}

    def to_json(self) -> dict[str, Any]:
        """As in the record."""
        spans = [span.to_json() for span in self.spans]
        return {"measured_s": self.measured_s, "by_node": self.by_node, "wrong": self.wrong, "spans": spans}


@dataclass(frozen=True)
class MeasuredCase:
    """One case on one size of cluster: ideal beside measured."""

    name: str
    settings: Mapping[str, Any]
    spec: Spec
    ideal_s: float
    serial_s: float  # all tasks one after another on one virtual core
    repeats: tuple[Repeat, ...]

    @property
    def workers(self) -> int:
        return self.spec.workers

    @property
    def measured_s(self) -> float:
        """The median of the repeats."""
        return statistics.median(repeat.measured_s for repeat in self.repeats)

    @property
    def units(self) -> float:
        """The measured time in the lab's units."""
        return self.measured_s / self.spec.unit

    @property
    def off_by(self) -> float:
        """Measured against ideal: 0.02 is 2 % slower."""
        return self.measured_s / self.ideal_s - 1

    @property
    def speedup(self) -> float:
        """How many times faster than all tasks one after another on one virtual core."""
        return self.serial_s / self.measured_s

    @property
    def by_node(self) -> dict[str, int]:
        """How many tasks each node did in the first repeat."""
        return self.repeats[0].by_node

    @property
    def wrong(self) -> str | None:
        """The first complaint about a result, of whichever repeat; None where all are right."""
        return next((repeat.wrong for repeat in self.repeats if repeat.wrong), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "settings": dict(self.settings),
            "spec": self.spec.to_json(),
            "workers": self.workers,
            "ideal_s": self.ideal_s,
            "measured_s": self.measured_s,
            "off_by": self.off_by,
            "speedup": self.speedup,
            "by_node": self.by_node,
            "repeats": [repeat.to_json() for repeat in self.repeats],
        }


@dataclass(frozen=True)
class Claim:
    """One of the lab's expectations: whether it holds, and if not, why."""

    name: str
    holds: bool
    why: str


@dataclass(frozen=True)
class Run:
    """Everything about one invocation."""

    lab: str
    backend: str
    spec: Spec
    cases: tuple[MeasuredCase, ...]
    claims: tuple[Claim, ...]
    environment: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "lab": self.lab,
            "backend": self.backend,
            "spec": self.spec.to_json(),
            "cases": [case.to_json() for case in self.cases],
            "claims": [asdict(claim) for claim in self.claims],
            "environment": dict(self.environment),
        }


def write_json(run: Run, path: Path) -> None:
    """Write the record; a reader sees the old file or the new one, never half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(json.dumps(run.to_json(), indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
