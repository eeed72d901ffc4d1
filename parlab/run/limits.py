"""The nodes' limits during one launch: lifted, set, proven, and recorded."""

from fractions import Fraction
from typing import Protocol, TypeVar

from parlab.backend.base import Backend
from parlab.errors import RunError
from parlab.model.event import Event
from parlab.model.messages import (
    BURN,
    CHECK,
    Burned,
    Checked,
)
from parlab.model.spec import Spec
from parlab.results.record import NodeRecord
from parlab.run.collector import Collector
from parlab.thresholds import BURN_WITHIN

STEP_SECONDS = 15.0  # a word passed on and answered by all


Kind = TypeVar("Kind", bound=Event)


class Talk(Protocol):
    """The part of a conversation with the launcher (run/conversation.py) that limits need."""

    def say(self, word: str) -> None: ...

    def gather(self, kind: type[Kind], count: int, seconds: float, doing: str) -> list[Kind]: ...

    def failed(self, reason: str) -> RunError: ...


class Limits:
    """Sets a spec's limits, unless the case is declared without limits, and reads them back: engine, nodes, burn."""

    def __init__(self, backend: Backend, spec: Spec, talk: Talk, collected: Collector, *, on: bool) -> None:
        self._backend, self._spec, self._talk, self._collected, self._on = backend, spec, talk, collected, on
        self._wanted = {node.name: None if node.limit is None else float(node.limit) for node in backend.nodes(spec)}
        self._engine: list[dict[str, float | None]] = []  # its limits, from each query
        self._burned: dict[str, float | None] = {}
        self._ended = False

    def put_on(self, *, burn: bool) -> None:
        """Set the limits and prove them; with `burn`, also measure what an unpaced burn gets under them."""
        if self._on:
            self._set(self._spec.node_cpus)
            self._engine.append(self._backend.engine_limits(self._spec))
            self._burned = self._burn() if burn else {}
            if any(self._fell_short(node, cpus) for node, cpus in self._burned.items()):
                self._burned = self._burn()  # another program may have run for a moment: one burn is no proof
        self._check()

    def _set(self, cpus: Fraction | None) -> None:
        try:
            self._backend.set_limits(self._spec, cpus)
        except RunError as error:
            raise self._talk.failed(str(error)) from error

    def end(self, seconds: float = STEP_SECONDS) -> None:
        """Read the limits once more, and lift them: ending ranks under them takes several times as long.

        A second call does nothing. Raises RunError if the nodes have not reported their limits within `seconds`.
        """
        if self._ended:
            return
        self._ended = True
        try:
            self._check(seconds)
            if self._on:
                self._engine.append(self._backend.engine_limits(self._spec))
        finally:
            self._collected.close()  # a late answer would show that they are off
            self._set(None)

    def records(self) -> dict[str, NodeRecord]:
        """The wanted and the observed limits of each node that was read."""
        return {
            node: NodeRecord(
                self._wanted.get(node) if self._on else None,
                tuple(limits[node] for limits in self._engine if node in limits),
                self._burned.get(node),
                tuple(readings),
            )
            for node, readings in self._collected.readings.items()
        }

    @property
    def _speakers(self) -> int:
        """The number of ranks that speak for their node: one on each host."""
        return len(set(self._collected.hosts.values()))

    def _burn(self) -> dict[str, float | None]:
        self._talk.say(BURN)
        found = self._talk.gather(Burned, self._speakers, STEP_SECONDS, "an unpaced burn in the nodes")
        return {self._collected.node_of[event.rank]: event.cpus for event in found}

    def _fell_short(self, node: str, cpus: float | None) -> bool:
        wanted = self._wanted.get(node)
        return cpus is not None and wanted is not None and cpus < (1 - BURN_WITHIN) * wanted

    def _check(self, seconds: float = STEP_SECONDS) -> None:
        self._talk.say(CHECK)
        self._talk.gather(Checked, self._speakers, seconds, "reading the limits inside the nodes")
