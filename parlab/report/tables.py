"""Tables of text for a page, without columns that say nothing."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of text: its headings, whether each column is of numbers, and its rows."""

    headings: tuple[str, ...]
    numbers: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


def useful(headings: Sequence[str], rows: Sequence[tuple[str, ...]], *, numbers: Sequence[str]) -> Table:
    """The table without columns that say nothing: empty ones, and a task's chunk if each task has its own."""
    columns = {name: [row[index] for row in rows] for index, name in enumerate(headings)}
    kept = [
        name
        for name, cells in columns.items()
        if set(cells) - {"", "-"} and not (name == "chunk" and cells == columns[headings[0]])
    ]
    cut = tuple(tuple(row[headings.index(name)] for name in kept) for row in rows)
    return Table(tuple(kept), tuple(name in numbers for name in kept), cut)
