"""What a backend is: where ranks run, and who holds them to their limits."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from parlab.backend.session import Session
from parlab.formatting import Show
from parlab.model.spec import Spec


@dataclass(frozen=True)
class Placement:
    """What mpiexec must know of the nodes: `hosts`, the head's first; the Python and the environment of each rank."""

    hosts: tuple[str, ...]
    python: str
    env: Mapping[str, str]


class Backend(Protocol):
    """Start it, then open a session and make launches in it; `stop` follows a launch that did not end by itself."""

    name: str

    def hold(self, doing: str, show: Show) -> AbstractContextManager[None]:
        """Keep others out while a command of that name runs."""

    def start(self, spec: Spec, show: Show) -> None:
        """Be ready for launches of up to this spec. Raises UsageError when it does not fit the machine."""

    def session(self, labs: Path) -> Session:
        """Start a launcher on the head, with the labs of a folder at hand."""

    def placement(self, spec: Spec) -> Placement:
        """Say where the ranks of a launch go."""

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        """Limit each worker of the spec to `cpus` host CPUs and the head to its own, or lift all (None)."""

    def wanted(self, node: str, spec: Spec) -> float | None:
        """The limit of a node, in host CPUs, that `set_limits` sets; None where this backend has no limits."""

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        """What the engine says of each node's limit, in host CPUs, by the node's name; None is no limit."""

    def node_name(self, host: str, number: int | None) -> str:
        """Name the node that calls itself `host`, and that ranks were given as `number`, from 0; None is the head."""

    def diagnosis(self, session: Session, spec: Spec) -> str:
        """Find out which node is to blame for a launch that failed; '' where none is."""

    def stop(self) -> None:
        """End whatever a launch has left in the nodes."""

    def environment(self) -> dict[str, Any]:
        """Describe the machine, the engine and the software, for the record."""
