"""A loop at the speed of a virtual core, where the work lies in the one who takes its items."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from parlab.task.pace import pace

Item = TypeVar("Item")


def paced(items: Iterable[Item]) -> Iterator[Item]:
    """Give the items one by one; between them, keep the process that takes them to one virtual core."""
    for item in items:
        pace()
        yield item
    pace()
