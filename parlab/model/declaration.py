"""A lab's declarations as plain data: read in a node, where its file may run; planned and judged elsewhere."""

from dataclasses import dataclass
from fractions import Fraction

from parlab.model.case import Case


@dataclass(frozen=True)
class ClaimDeclared:
    """A lab's expectation, and its requirements."""

    name: str
    limits: bool = False  # requires that the kernel limits the nodes
    cpus: float = 0.0  # required host CPUs per node

    @property
    def required(self) -> bool:
        """Whether a cluster on a machine with 2 CPUs meets all its requirements."""
        return not self.cpus


@dataclass(frozen=True)
class Declaration:
    """A lab: its default spec (`unit` in seconds), its cases and its claims, each in the order of the file."""

    unit: float
    nodes: tuple[int, ...]
    cores: int
    speed: Fraction
    seed: int
    bounds: dict[str, tuple[int, int]]
    cases: tuple[Case, ...]
    claims: tuple[ClaimDeclared, ...] = ()


@dataclass(frozen=True)
class Asked:
    """The case for a launch to run: its number in the lab, its declaration, and the values that replace settings."""

    number: int
    case: Case
    overrides: dict[str, int]
