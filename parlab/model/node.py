"""A node: one machine of the cluster, real or simulated."""

from dataclasses import dataclass
from fractions import Fraction

HEAD = 0  # the index of the head; the others are numbered from 1, by position


@dataclass(frozen=True)
class Node:
    """A machine that runs ranks. Its number is its position in the cluster, whatever name the engine gives it."""

    index: int
    name: str
    limit: Fraction | None = None  # host CPUs; None if the backend has no kernel limits

    @property
    def is_head(self) -> bool:
        """Whether rank 0 of a pool of ranks runs here."""
        return self.index == HEAD


def node_name(index: int) -> str:
    """`head`, `node-1`, `node-2` ...: a node's name in tables, errors, prompts and on the cluster's network."""
    return "head" if index == HEAD else f"node-{index}"
