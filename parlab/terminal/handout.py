"""Prints a handout: paragraphs filled to the width, commands and programs unchanged."""

import re
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from parlab.course.handout import FACTS, INDENT, Handout

READABLE = 110  # columns; longer lines are hard to read


def set_handout(handout: Handout, width: int) -> Iterator[RenderableType]:
    """The parts of the handout for a console of that width, in columns: title, sections, and one line of facts."""
    yield Text(f"{handout.name}: {handout.title}", "bold")
    for name, blocks in handout.blocks():
        if name in FACTS:
            continue
        column = min(width, READABLE) - INDENT
        body = Group(*(_set(kind, text, column) for kind, text in blocks))
        beside = len(name) < INDENT
        yield Text() if beside else Text(f"\n{name}", "bold")
        row = Table.grid()
        row.add_column(width=INDENT, style="bold")
        row.add_column(max_width=column)
        row.add_row(name if beside else "", body)
        yield row
    facts = [Text.assemble((name, "bold"), f" {handout.line(name)}") for name in FACTS if handout.line(name)]
    if facts:
        yield Text()
        yield Text("    ").join(facts)


def _set(kind: str, text: str, width: int) -> RenderableType:
    if kind == "item":
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_row("-", Text(text[2:], overflow="fold"))
        return row
    if kind == "command" and len(text) > width:
        command, _, comment = re.sub(r"   +", "\0", text, count=1).partition("\0")
        return Group(Text(command, overflow="fold"), Padding(Text(comment, overflow="fold"), (0, 0, 0, 4)))
    return Text(text, overflow="fold")
