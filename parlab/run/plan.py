"""The cases of a lab that will run, and their sizes: the lab's declaration, overridden by a request.

Every function raises UsageError, in one line, for a request that the lab cannot meet.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from parlab.errors import UsageError
from parlab.formatting import plural
from parlab.model.case import PYTHON, Case
from parlab.model.declaration import Declaration
from parlab.model.spec import Spec
from parlab.run.request import Request

SETTINGS = ("workers", "chunk", "size")  # of a lab's cases; a request can change them


@dataclass(frozen=True)
class Chosen:
    """A case that will run: its number in the lab, and the settings that the request overrides."""

    number: int
    case: Case
    overrides: dict[str, int]


@dataclass(frozen=True)
class Plan:
    """The plan of a run: each chosen case of the lab on each size, `repeats` times or as often as it asks for."""

    lab: Declaration
    path: Path
    cases: list[Chosen]
    specs: list[Spec]
    repeats: int
    handout: str  # from the lab's file as it is now; learners edit it while it runs

    @property
    def largest(self) -> Spec:
        """The size with the most nodes."""
        return max(self.specs, key=lambda spec: spec.nodes)

    @property
    def many_sizes(self) -> bool:
        """Whether the size is needed to distinguish cases."""
        return len(self.lab.nodes) > 1 or len(self.specs) > 1

    @property
    def overridden(self) -> bool:
        """Whether the request has changed any case."""
        return [chosen.case for chosen in self.cases] != list(self.lab.cases)


def make_plan(lab: Declaration, path: Path, request: Request, handout: str) -> Plan:
    """Choose cases and sizes."""
    return Plan(lab, path, choose_cases(lab, request.settings), choose_specs(lab, request), request.repeat, handout)


def choose_cases(lab: Declaration, settings: Mapping[str, tuple[int, ...]]) -> list[Chosen]:
    """The lab's cases, with these values of settings instead of their own; no two are alike.

    If a changed case is one that the lab declares itself, the declared one is chosen.
    """
    for name, values in settings.items():
        _check_setting(lab, name, values)
    found: dict[Hashable, Chosen] = {}
    for number, case in enumerate(lab.cases):
        own = {name: values for name, values in settings.items() if name in case.settings}
        for combination in product(*own.values()):
            overrides = dict(zip(own, combination, strict=True))
            changed = {**case.settings, **overrides}
            lesson_s = case.lesson_s if changed == case.settings else None
            chosen = replace(case, settings=changed, lesson_s=lesson_s)
            if chosen.way not in found or changed == case.settings:
                found[chosen.way] = Chosen(number, chosen, overrides)
    return list(found.values())


def _check_setting(lab: Declaration, name: str, values: tuple[int, ...]) -> None:
    if name not in lab.bounds or not any(name in case.settings for case in lab.cases):
        raise UsageError(f"this lab takes no --{name}, {_takes(lab, name)}")
    low, high = lab.bounds[name]
    if not all(low <= value <= high for value in values):
        typed = ",".join(map(str, values))
        raise UsageError(f"--{name} takes numbers from {low} to {high}, separated by commas, not {typed!r}")


def _takes(lab: Declaration, name: str) -> str:
    own = {other for case in lab.cases for other in case.settings} & lab.bounds.keys()
    takes = [f"--{other}" for other in SETTINGS if other in own]
    if takes:
        return f"only {' and '.join(takes)}"
    return f"nor {' or '.join(f'--{other}' for other in SETTINGS if other != name)}"


def choose_specs(lab: Declaration, request: Request) -> list[Spec]:
    """One Spec for each size: the lab's own, overridden by the request."""
    if request.nodes is not None and lab.nodes == (1,) and all(case.launch == PYTHON for case in lab.cases):
        raise UsageError("this lab runs inside one node: it takes no --nodes")
    sizes = request.nodes or lab.nodes
    wanted = [size for size in sizes if any(case.runs_on(size) for case in lab.cases)]
    if not wanted:
        raise UsageError(f"none of this lab's cases runs on {_nodes(sizes)}")
    cores, speed, unit = request.cores or lab.cores, request.speed or lab.speed, request.unit or lab.unit
    return [Spec(size, cores, speed, unit) for size in wanted]


def left_out(plan: Plan, request: Request) -> list[str]:
    """The cases that run on none of the plan's sizes, and the sizes on which no case runs, one line each."""
    chosen = [spec.nodes for spec in plan.specs]
    idle = (one.case for one in plan.cases if not any(map(one.case.runs_on, chosen)))
    sizes = (size for size in request.nodes or plan.lab.nodes if size not in chosen)
    return [
        *(f"left out: {case.name} runs only on {_nodes(case.only_on)}" for case in idle),
        *(f"left out: no case runs on {_nodes([size])}" for size in sizes),
    ]


def _nodes(sizes: Sequence[int]) -> str:
    return " or ".join(plural(size, "node") for size in sizes)
