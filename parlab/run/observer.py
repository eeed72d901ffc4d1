"""Who looks on while a run goes on: a subscriber to its spans and readings, no more."""

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
    """A case whose first task is going out."""

    name: str
    spec: Spec
    nodes: tuple[Node, ...]  # of the spec, the head's first
    tasks: int
    workers: int
    ideal_s: float | None
    repeat: int  # from 1
    repeats: int
    chunk: int = 1  # tasks that go out, and come back, in one message
    owed_s: float = 0.0  # host CPU seconds that its tasks compute for, all together


class Observer(Protocol):
    """Is told of a run as it goes on; it cannot change it."""

    def say(self, text: str) -> None:
        """Hear a line for the user."""

    def begin(self, spec: Spec, nodes: Sequence[Node], cases: int) -> None:
        """Hear the largest spec and its nodes, the head's first, and how many cases follow."""

    def started(self, started: Started) -> None:
        """Hear that a case runs."""

    def spans(self, spans: Sequence[Span]) -> None:
        """Hear of tasks of this case that are done."""

    def reading(self, node: str, reading: NodeReading) -> None:
        """Hear what a node uses, by its name."""

    def case(self, case: MeasuredCase) -> None:
        """Hear that a case was measured, with all its repeats."""
