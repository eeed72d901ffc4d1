"""The words that all labs share, read from docs/glossary.md.

The file is the only source: plain Markdown, with a heading a group and an item a term, `- **node**: A machine ...`.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from parlab.course.handout import as_typed
from parlab.errors import UsageError
from parlab.host.places import COMMAND, GLOSSARY

GROUP = re.compile(r"## (?P<name>.+)")
ENTRY = re.compile(r"- \*\*(?P<term>[^*]+)\*\*: (?P<text>.+)")


def glossary() -> dict[str, str]:
    """Each term with the sentences that explain it, in the order of the file; code in them stands in backticks.

    Raises OSError where the file is not there.
    """
    return {term: text for group in glossary_by_group().values() for term, text in group.items()}


def glossary_by_group() -> dict[str, dict[str, str]]:
    """The terms and their sentences by the heading above them. Raises OSError where the file is not there."""
    return parse_glossary(GLOSSARY.read_text(encoding="utf-8"))


def parse_glossary(text: str) -> dict[str, dict[str, str]]:
    """Take the Markdown apart: the items by group, each of one line."""
    groups: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if heading := GROUP.fullmatch(line):
            groups[heading["name"]] = {}
        elif groups and (entry := ENTRY.fullmatch(line)):
            list(groups.values())[-1][entry["term"]] = as_typed(entry["text"])
    return groups


def look_up(asked: str, terms: Mapping[str, str]) -> str:
    """The term that was asked for, as the glossary writes it. Raises UsageError with the nearest terms."""
    spelled = {_folded(term): term for term in terms}
    if (wanted := _folded(asked)) in spelled:
        return spelled[wanted]
    near = [spelled[term] for term in get_close_matches(wanted, spelled, cutoff=0.5)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"{COMMAND} glossary prints all terms"
    raise UsageError(f"the glossary has no term {asked!r}; {hint}")


def _folded(term: str) -> str:
    return " ".join(re.split(r"[\s_-]+", term.casefold()))
