"""The glossary as a table of terms, group by group."""

from collections.abc import Iterator, Mapping

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from parlab.terminal.handout import READABLE

LEAST = 20  # columns of a sentence, however narrow the terminal is


def set_glossary(groups: Mapping[str, Mapping[str, str]], width: int) -> Iterator[RenderableType]:
    """Each group's name and its terms; their sentences are filled to the width."""
    column = max(len(term) for terms in groups.values() for term in terms) + 2
    for number, (name, terms) in enumerate(groups.items()):
        yield Text(f"\n{name}" if number else name, "bold")
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=column, style="bold")
        table.add_column(max_width=max(LEAST, min(width, READABLE) - column - 2))
        for term, text in terms.items():
            table.add_row(f"  {term}", Text(text))
        yield table
