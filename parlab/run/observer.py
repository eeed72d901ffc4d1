"""Observes a run: a subscriber to its spans and readings, nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from parlab.model.node import Node
from parlab.model.reading import NodeReading
from parlab.model.span import Span
from parlab.model.spec import Spec
from parlab.results.record import MeasuredCase


@dataclass(frozen=True)
class Started:
    """A case whose first task is being sent."""

    name: str
    spec: Spec
    nodes: tuple[Node, ...]  # of the spec, the head's first
    tasks: int
    workers: int
    ideal_s: float | None
    repeat: int  # from 1
    repeats: int
    chunk: int = 1  # tasks that are sent, and come back, in one message
    owed_s: float = 0.0  # host CPU seconds that all its tasks together compute


class Observer(Protocol):
    """Hears about a run while it goes on; cannot change it."""

    def say(self, text: str) -> None:
        """Hear a line for the user."""

    def begin(self, spec: Spec, nodes: Sequence[Node], cases: int) -> None:
        """Hear the largest spec, its nodes (the head's first), and the number of cases."""

    def started(self, started: Started) -> None:
        """Hear that a case has started."""

    def spans(self, spans: Sequence[Span]) -> None:
        """Hear about finished tasks of this case."""

    def reading(self, node: str, reading: NodeReading) -> None:
        """Hear the usage of a node, by its name."""

    def case(self, case: MeasuredCase) -> None:
        """Hear that a case has been measured, with all its repeats."""
