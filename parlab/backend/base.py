"""A backend runs ranks somewhere and holds them to their limits."""

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
    """Where ranks start: `hosts`, the head's first; the Python and the environment of each rank.

    With `batch` they start as a job of Slurm (parlab/node/batch.py), else mpiexec starts them.
    """

    hosts: tuple[str, ...]
    python: str
    env: Mapping[str, str]
    batch: bool = False

    @property
    def starter(self) -> str:
        """The program that starts the ranks, for errors."""
        return "srun" if self.batch else "mpiexec"


@dataclass(frozen=True)
class Equipment:
    """Extras for a program: an image for the nodes, packages, and the folder in which it works."""

    image: str | None = None
    packages: Packages | None = None
    folder: Path | None = None


class Backend(Protocol):
    """Hold it, make it ready and open a session, which reads the lab; then start its nodes and launch.

    `stop` follows a launch that did not end by itself.
    """

    name: str

    def hold(self, doing: str, show: Show, seconds: float = WAIT_SECONDS) -> AbstractContextManager[None]:
        """Keep others out while the command named `doing` runs; wait up to `seconds` for another command to end."""

    def ready(self, show: Show, wanted: Equipment | None = None) -> AbstractContextManager[None]:
        """Prepare everything that a session needs. From here on, all nodes also have the program's extras.

        If the block raises UsageError, whatever was started for it is removed again. Raises UsageError, ParlabError.
        """

    def session(self, lab: Path | None = None) -> Session:
        """Start a launcher on the head, with current copies of the lab's file and of the files beside it."""

    def share(self, folder: Path, show: Show) -> str:
        """Copy a program's folder to all nodes, in an open session; its path there. Raises UsageError, RunError."""

    def bring_back(self, folder: Path) -> list[str]:
        """Write files that are new or changed since `share` into a folder; return a line for each file that failed."""

    def check_fits(self, spec: Spec) -> None:
        """Raise UsageError when the spec asks for more than the machine has."""

    def start(self, spec: Spec, show: Show) -> None:
        """Prepare for launches of up to this spec, in the open session. Raises UsageError when it does not fit."""

    def nodes(self, spec: Spec) -> tuple[Node, ...]:
        """The nodes of a spec, the head first, each with the limit that `set_limits` sets."""

    def placement(self, nodes: int) -> Placement:
        """Return the places for the ranks of a launch on this many nodes."""

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        """Limit each node of the spec to `cpus` host CPUs and the head to its own limit, or lift all limits (None)."""

    def set_memory(self, spec: Spec, wanted: int | None) -> None:
        """Give each node of the spec `wanted` bytes of memory; None gives the default amount."""

    def engine_limits(self, spec: Spec) -> dict[str, float | None]:
        """Return each node's limit as the engine reports it, in host CPUs, by the node's name; None is no limit."""

    def control_groups(self, spec: Spec) -> tuple[str, ...]:
        """Parts of the control group's name, in this machine's kernel, that identify processes in nodes."""

    def node_of(self, host: str, index: int) -> str:
        """Name the node that calls itself `host`, where a rank was placed on node number `index`."""

    def remedy(self) -> str:
        """Advice for a launch that failed for an unknown reason."""

    def diagnosis(self, session: Session, spec: Spec) -> str:
        """Find the node to blame for a failed launch; '' if no node is to blame."""

    def stop(self) -> None:
        """End everything that a launch has left in the nodes."""

    def environment(self) -> dict[str, Any]:
        """Describe the machine, the engine and the software, for the record."""


class Unavailable(UsageError):
    """This backend cannot be used here; `reason` says why, in a few words."""

    def __init__(self, reason: str, what_to_do: str) -> None:
        super().__init__(f"{reason}. {what_to_do}")
        self.reason = reason


@dataclass(frozen=True)
class Kind:
    """One kind of backend: each backend module of this package must have one, named KIND."""

    name: str
    rank: int  # if the user names no backend, the available one with the lowest rank is taken; embedded always is
    open: Callable[[str, Show], Backend]  # takes the name of the cluster. Raises Unavailable
