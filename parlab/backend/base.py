"""What a backend is: where ranks run, and who holds them to their limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from parlab.backend.session import Session
from parlab.spec import Spec

Show = Callable[[str], None]  # tells the user a line


@dataclass(frozen=True)
class Place:
    """What mpiexec must know of the nodes: `hosts`, the head's first; on each, Python and the folder of labs."""

    hosts: tuple[str, ...]
    python: str
    labs: str
    env: Mapping[str, str]


class Backend(Protocol):
    """Start it, then open a session and make launches in it; `stop` follows a launch that did not end by itself."""

    name: str

    def start(self, spec: Spec, show: Show) -> None:
        """Be ready for launches of up to this spec. Raises UsageError when it does not fit the machine."""

    def place(self, spec: Spec) -> Place:
        """Say where the ranks of a launch go."""

    def session(self, run: str) -> Session:
        """Start a launcher on the head for the run of that id."""

    def limits(self, spec: Spec, cpus: Fraction | None) -> None:
        """Limit each worker of the spec to `cpus` host CPUs and the head to its own, or lift all (None)."""

    def limits_held(self, spec: Spec, inside: Mapping[int, float | None]) -> None:
        """Compare the limits with those that each rank read inside its node. Raises LimitError."""

    def node_name(self, host: str, rank: int, spec: Spec) -> str:
        """Name the node on which this rank, by its own account, runs."""

    def diagnosis(self, session: Session, spec: Spec) -> str:
        """Find out which node is to blame for a launch that failed; '' where none is."""

    def stop(self) -> None:
        """End whatever a launch has left in the nodes."""

    def environment(self) -> dict[str, Any]:
        """Describe the machine, the engine and the software, for the record."""
