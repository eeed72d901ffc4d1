"""A loop at the speed of a virtual core, with the work in the consumer of its items."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from parlab.task.pace import pace

Item = TypeVar("Item")


def paced(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items; between them, hold the consuming process to one virtual core."""
    for item in items:
        pace()
        yield item
    pace()
