"""The record of one invocation: what was asked, what came out, where it ran.

Schema 1: {schema, lab, backend, spec, cases, environment}; see Run, Measured and Repeat for the fields.
"""

import json
import os
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
        return {"measured_s": self.measured_s, "by_node": self.by_node, "wrong": self.wrong}


@dataclass(frozen=True)
class Measured:
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
        """The first repeat's complaint about its result, if any."""
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


class Cases(Mapping[str, Measured]):
    """The measured cases by name, for a lab's expectations."""

    def __init__(self, cases: tuple[Measured, ...]) -> None:
        self._cases = {case.name: case for case in cases}

    def __getitem__(self, name: str) -> Measured:
        return self._cases[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cases)

    def __len__(self) -> int:
        return len(self._cases)


@dataclass(frozen=True)
class Run:
    """Everything about one invocation."""

    lab: str
    backend: str
    spec: Spec
    cases: tuple[Measured, ...]
    environment: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "lab": self.lab,
            "backend": self.backend,
            "spec": self.spec.to_json(),
            "cases": [case.to_json() for case in self.cases],
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
