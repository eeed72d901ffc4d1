"""A lab's claims, tried on what was measured, in a process that has run the lab's file (parlab/node/claims.py)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from parlab.formatting import decimal
from parlab.lab import CannotBeShown, Expectation, Lab
from parlab.results.record import Answer, Claim, MeasuredCase


@dataclass(frozen=True)
class Tried:
    """A measured case, and which of the lab's it is: its number there, and what replaced its settings."""

    number: int
    overrides: dict[str, int]
    measured: MeasuredCase


@dataclass(frozen=True)
class Question:
    """What the claims of a lab are tried on; whether any case was run with `overridden` settings."""

    cases: list[Tried]
    overridden: bool


class Cases(dict[str, MeasuredCase]):
    """The cases by name, for expectations; one that was not run is nothing to fail for."""

    def __missing__(self, name: str) -> MeasuredCase:
        raise CannotBeShown(f"{name} was not run")

    def find(self, function: Callable[..., Any], nodes: int | None = None, **settings: Any) -> MeasuredCase:
        """The one case of a function with these settings, whatever its others are; on so many nodes, if given.

        Raises CannotBeShown where none was run, or several fit.
        """
        name = function.__name__
        found = [
            case
            for case in self.values()
            if case.name.partition("(")[0] == name
            and settings.items() <= case.settings.items()
            and nodes in (None, case.spec.nodes)
        ]
        if len(found) > 1:
            raise CannotBeShown(f"it is about one of {', '.join(case.name for case in found)}")
        if not found:
            asked = settings | ({"nodes": nodes} if nodes else {})
            wanted = ", ".join(f"{key}={value!r}" for key, value in asked.items())
            raise CannotBeShown(f"{name}({wanted}) was not run" if wanted else f"{name} was not run")
        return found[0]


def try_claims(lab: Lab, cases: Sequence[MeasuredCase], *, overridden: bool = False) -> tuple[Claim, ...]:
    """Try each expectation. One that does not hold of cases with `overridden` settings is none that the lab makes."""
    by_name = Cases({case.name: case for case in cases})
    claims = []
    for expectation in lab.expectations:
        answer, why = Answer.YES, ""
        try:
            if reason := _lacking(expectation, cases):
                raise CannotBeShown(reason)
            expectation.function(by_name)
        except CannotBeShown as error:
            answer, why = Answer.CANNOT, str(error)
        except AssertionError as error:
            answer, why = Answer.NO, str(error).partition("\n")[0] or "its assertion has no message"
        except Exception as error:  # what was measured must not be lost for it
            answer, why = Answer.NO, f"{type(error).__name__}: {error}"
        if answer is Answer.NO and overridden:
            answer, why = Answer.CANNOT, f"the lab claims it of its own settings; of these, {why}"
        claims.append(Claim(expectation.name, answer, why, expectation.declared.required))
    return tuple(claims)


def _lacking(expectation: Expectation, cases: Sequence[MeasuredCase]) -> str:
    """What an expectation needs and is not there; '' where all is."""
    limits = any(use.wanted is not None for case in cases for repeat in case.repeats for use in repeat.nodes.values())
    if expectation.limits and not limits:
        return "no kernel limits these nodes; the cluster does"
    most = max(float(case.spec.node_cpus) for case in cases)
    if expectation.cpus > most:
        return f"it needs a node of {decimal(expectation.cpus)} host CPUs, this one has {decimal(most)}"
    return ""
