"""What a lab declares, as plain data: read in a node, where its file may run; planned with and judged by elsewhere."""

from dataclasses import dataclass
from fractions import Fraction

from parlab.model.case import Case


@dataclass(frozen=True)
class ClaimDeclared:
    """What a lab expects to come out, and what it takes to try it."""

    name: str
    limits: bool = False  # the kernel holds the nodes to their limits
    cpus: float = 0.0  # host CPUs that a node has

    @property
    def required(self) -> bool:
        """Whether a cluster on a machine with 2 CPUs has all that it needs."""
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
    """The case that a launch is to run: its number in the lab, as it was declared, and what replaces settings."""

    number: int
    case: Case
    overrides: dict[str, int]
