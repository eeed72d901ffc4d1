"""What a backend is: where ranks run, and who holds them to their limits."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from parlab.backend.packages import Packages
from parlab.backend.session import Session
from parlab.errors import UsageError
from parlab.formatting import Show
from parlab.host.cluster_lock import WAIT_SECONDS
from parlab.model.node import Node
from parlab.model.spec import Spec


@dataclass(frozen=True)
class Placement:
    """Where mpiexec starts ranks: `hosts`, the head's first; the Python and the environment of each rank."""

    hosts: tuple[str, ...]
    python: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Equipment:
    """What a program asks for besides: an image to make nodes of, packages, and the folder that it works in."""

    image: str | None = None
    packages: Packages | None = None
    folder: Path | None = None


class Backend(Protocol):
    """Hold it, have it ready and open a session, in which the lab is read; then start its nodes and make launches.

    `stop` follows a launch that did not end by itself.
    """

    name: str

    def hold(self, doing: str, show: Show, seconds: float = WAIT_SECONDS) -> AbstractContextManager[None]:
        """Keep others out while a command of that name runs; wait so long for another's end."""

    def ready(self, show: Show, wanted: Equipment | None = None) -> AbstractContextManager[None]:
        """Have what a session needs and, in all nodes from here on, what a program asks for.

        If the block raises UsageError, what was started for it is removed again. Raises UsageError, ParlabError.
        """

    def session(self, lab: Path | None = None) -> Session:
        """Start a launcher on the head, with the lab's file at hand, as it is now, and what lies beside it."""

    def share(self, folder: Path, show: Show) -> str:
        """Have a program's folder on all nodes, in an open session; its path there. Raises UsageError, RunError."""

    def bring_back(self, folder: Path) -> list[str]:
        """Write what is new or has changed since `share` into a folder; a line for each file that could not be."""

    def check_fits(self, spec: Spec) -> None:
        """Raise UsageError when the spec asks for more than the machine has."""

    def start(self, spec: Spec, show: Show) -> None:
        """Be ready for launches of up to this spec, in the open session. Raises UsageError when it does not fit."""

    def nodes(self, spec: Spec) -> tuple[Node, ...]:
        """The nodes of a spec, the head first, each with the limit that `set_limits` sets."""

    def placement(self, nodes: int) -> Placement:
        """Say where the ranks of a launch on so many nodes go."""

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        """Limit each node of the spec to `cpus` host CPUs and the head to its own, or lift all (None)."""

    def set_memory(self, spec: Spec, wanted: int | None) -> None:
        """Give each node of the spec so many bytes of memory; None is what it has unless it is asked for."""

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        """What the engine says of each node's limit, in host CPUs, by the node's name; None is no limit."""

    def control_groups(self, spec: Spec) -> tuple[str, ...]:
        """What the control group of a process in a node has in its name, as this machine's kernel tells it."""

    def node_of(self, host: str, index: int) -> str:
        """Name the node that calls itself `host` and on which a rank was placed as that of number `index`."""

    def remedy(self) -> str:
        """What to do about a launch that failed for no reason that is known."""

    def diagnosis(self, session: Session, spec: Spec) -> str:
        """Find out which node is to blame for a launch that failed; '' where none is."""

    def stop(self) -> None:
        """End whatever a launch has left in the nodes."""

    def environment(self) -> dict[str, Any]:
        """Describe the machine, the engine and the software, for the record."""


class Unavailable(UsageError):
    """A backend that cannot be used here; `reason` is why, in a few words."""

    def __init__(self, reason: str, what_to_do: str) -> None:
        super().__init__(f"{reason}. {what_to_do}")
        self.reason = reason


@dataclass(frozen=True)
class Kind:
    """One kind of backend: what a module of this package has to have as its KIND."""

    name: str
    rank: int  # of those that are there the lowest is taken, where none is asked for
    open: Callable[[str, Show], Backend]  # by the name of the cluster. Raises Unavailable
