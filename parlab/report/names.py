"""Short names of cases, for tables: the function, and only the settings in which its cases differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parlab.results.record import MeasuredCase

BETWEEN = " · "


@dataclass(frozen=True)
class Name:
    """A case's name in a table: the group that it stands in, which is its function, and what tells it apart there."""

    group: str
    own: str


def short_names(cases: Mapping[str, MeasuredCase]) -> dict[str, Name]:
    """A name for each case, by its full name. A function with one case is its own name."""
    groups: dict[str, dict[str, MeasuredCase]] = {}
    for full, case in cases.items():
        groups.setdefault(full.partition("(")[0], {})[full] = case
    names = {full: Name(group, own) for group, members in groups.items() for full, own in _in_group(group, members)}
    return {full: names[full] for full in cases}


def _in_group(group: str, members: Mapping[str, MeasuredCase]) -> Iterator[tuple[str, str]]:
    """What tells each case of a function apart: the settings that not all share or, if these do not, the full name."""
    if len(members) == 1:
        yield from ((full, group) for full in members)
        return
    settings = [_settings(case) for case in members.values()]
    first = settings[0]
    keys = dict.fromkeys(key for own in settings for key in own)
    differing = {key for key in keys if any(own.get(key, ...) != first.get(key, ...) for own in settings)}
    texts = [BETWEEN.join(_setting(key, own[key]) for key in own if key in differing) for own in settings]
    distinct = all(texts) and len(set(texts)) == len(texts)
    yield from zip(members, texts if distinct else members, strict=True)


def _settings(case: MeasuredCase) -> dict[str, Any]:
    sized = {"nodes": case.spec.nodes} if "nodes=" in case.name else {}
    return {**case.settings, **sized}


def _setting(key: str, value: Any) -> str:
    """Words stand for themselves; a number or a switch needs its name."""
    return value if isinstance(value, str) else f"{key}={value!r}"
