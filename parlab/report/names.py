"""Short names of cases, for tables: the function, and only the settings in which its cases differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parlab.results.record import MeasuredCase

BETWEEN = " · "


@dataclass(frozen=True)
class Name:
    """A case's name in a table: the group that it stands in, which is its function, and what tells it apart there."""

    group: str
    own: str

    @property
    def whole(self) -> str:
        """Both, for a place outside the group."""
        return self.own if self.own.startswith(self.group) else f"{self.group}: {self.own}"


def short_names(cases: Mapping[str, MeasuredCase]) -> list[Name]:
    """A name for each case, given by its full name. A function with one case is its own name."""
    found = []
    groups = [name.partition("(")[0] for name in cases]
    for group, (full, _) in zip(groups, cases.items(), strict=True):
        among = {name: case for name, case in cases.items() if name.partition("(")[0] == group}
        told = {name: _told(case, list(among.values())) for name, case in among.items()}
        distinct = len(set(told.values())) == len(told)
        own = group if len(among) == 1 else (told[full] if distinct and all(told.values()) else full)
        found.append(Name(group, own))
    return found


def _told(case: MeasuredCase, among: Sequence[MeasuredCase]) -> str:
    """The settings of this case that not all of these cases share."""
    mine, all_settings = _settings(case), [_settings(other) for other in among]
    differing = (key for key in mine if any(other.get(key, ...) != mine[key] for other in all_settings))
    return BETWEEN.join(_setting(key, mine[key]) for key in differing)


def _settings(case: MeasuredCase) -> dict[str, Any]:
    sized = {"nodes": case.spec.nodes} if "nodes=" in case.name else {}
    return {**case.settings, **sized}


def _setting(key: str, value: Any) -> str:
    """Words stand for themselves; a number or a switch needs its name."""
    return value if isinstance(value, str) else f"{key}={value!r}"
