"""A lab's handout: the docstring of its file, taken apart.

The first line is `name: title`. Sections follow, in any order: a name at the left margin, such as `Question`, and text
at column 11. Labs open with `Question` and `Setup`; records of earlier runs have `Words` first. Commands read three
short sections: `Lessons`, the lab's source; `Follows`, the lab to do before it; `Minutes`, a learner's time.
Text is filled when it is printed. A paragraph ends at a blank line, or with a sentence that leaves its line unfilled.
Commands, which begin with `./invoke`, and lines that stand further in are kept (terminal/handout.py).
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parlab.host.places import COMMAND

INDENT = 11
FACTS = ("Lessons", "Follows", "Minutes")  # sections of a few words, which share a line
HEADING = re.compile(r"([A-Z][A-Za-z, ]*?)(?:  +(\S.*))?$")


@dataclass(frozen=True)
class Handout:
    """A lab's docstring: `sections` by name, each the lines of its text without their indent."""

    name: str
    title: str
    sections: dict[str, list[str]]

    def line(self, section: str) -> str:
        """A section as one line; '' if the handout has no such section."""
        return " ".join(text.strip() for text in self.sections.get(section, ())).strip()

    def blocks(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Each section's name and its paragraphs, items, commands and verbatim lines: a kind and its text each."""
        for name, lines in self.sections.items():
            yield name, list(_blocks(lines))


def read_handout(path: Path) -> Handout:
    """Read a lab's handout without importing the lab. If it cannot be read, its title says so."""
    try:
        return parse_handout(path.stem, docstring(path))
    except (OSError, SyntaxError, ValueError) as error:
        return Handout(path.stem, f"cannot be read: {type(error).__name__}", {})


def docstring(path: Path) -> str:
    """The docstring of a lab's file, in any encoding. Raises OSError, SyntaxError or ValueError if it is not Python."""
    return ast.get_docstring(ast.parse(path.read_bytes())) or path.stem


def parse_handout(name: str, text: str) -> Handout:
    """Take a lab's docstring apart."""
    first, *lines = text.splitlines()
    sections: dict[str, list[str]] = {}
    section = ""
    for line in lines:
        if heading := HEADING.match(line):
            section = heading[1]
            sections.setdefault(section, []).extend([heading[2]] if heading[2] else [])
        elif line or section:
            sections.setdefault(section, []).append(line[INDENT:] if not line[:INDENT].strip() else line)
    for lines in sections.values():
        while lines and not lines[-1].strip():
            lines.pop()
    return Handout(name, first.partition(": ")[2] or first, sections)


def in_teaching_order(handouts: Sequence[Handout]) -> list[Handout]:
    """Each lab after the one that it follows; all others in the order of the alphabet."""
    names = {handout.name for handout in handouts}

    def after(leader: str) -> Iterator[Handout]:
        for handout in sorted(handouts, key=lambda handout: handout.name):
            follows = handout.line("Follows")
            if (follows if follows in names else "") == leader:
                yield handout
                yield from after(handout.name)

    ordered = list(after(""))
    return ordered + [handout for handout in handouts if handout not in ordered]  # labs that follow each other


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The paragraphs, items, commands and verbatim lines of a section: each a kind and its text."""
    kind, text, before = "", "", ""
    longest = max(map(len, lines), default=0)
    for line in lines:
        begins = "item" if line.startswith("- ") else "command" if line.startswith("./invoke") else "paragraph"
        if line.startswith("  ") and kind != "item":
            begins = "verbatim"
        goes_on = kind == "item" or (kind == "paragraph" and not _ends_paragraph(before, line, longest))
        before = line
        if text and line and begins == "paragraph" and goes_on:
            text = f"{text} {line.strip()}"
            continue
        if text:
            yield kind, as_typed(text)
        kind, text = begins, line
        if not line:
            yield "verbatim", ""
    if text:
        yield kind, as_typed(text)


def _ends_paragraph(line: str, following: str, longest: int) -> bool:
    """Whether a line ends a sentence, though the next word would have fitted on it."""
    word = following.partition(" ")[0]
    return line.endswith((".", ":", "?", "!", ")")) and len(line) + 1 + len(word) <= longest


def as_typed(text: str) -> str:
    """A text with the command as a user types it here: `./invoke` or `parlab`."""
    return text.replace("./invoke", COMMAND)
