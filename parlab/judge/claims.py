"""Claims: each of the lab's expectations, and the certainty of its answer; in a process that has run the lab's file.

How it works. An expectation is called with the measured cases, and with DRAWS more sets of cases that could equally
well have been measured (parlab/judge/draws.py). It is shown if it holds for the measured cases and for all but 2.5 % of
the other sets. It is not shown if it fails for the measured cases and for all but 2.5 % of the other sets. Otherwise it
is undecided, and more launches are needed. So an expectation may contain any assertion, and need not know intervals.
Each answer comes with the smallest change of one quantity, in either direction, that would change the answer, and with
the uncertainty of that quantity.
"""

import math
import random
import traceback
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parlab.analysis.spread import Estimate, Spread
from parlab.formatting import at_line, decimal, percent
from parlab.judge.draws import CPU, bisected, drawn, moved
from parlab.judge.uncertainty import NOTHING_KNOWN, TIME, Key, Known
from parlab.lab import CannotBeShown, Expectation, Lab
from parlab.results.record import Answer, Claim, MeasuredCase
from parlab.thresholds import DRAWS, SURE

STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # logarithms of factors
AMOUNTS = {TIME: ("takes", "longer", "less"), CPU: ("uses", "more CPU time", "less CPU time")}
Estimates = Mapping[str, Mapping[str, Estimate]]  # by case and quantity


@dataclass(frozen=True)
class Tried:
    """A measured case, its number in the lab, and the values that replaced its settings."""

    number: int
    overrides: dict[str, int]
    measured: MeasuredCase


@dataclass(frozen=True)
class Question:
    """The data on which a lab's claims are tried, as sent to the place where its file may run (parlab/node/claims.py).

    `spreads` are those of earlier launches; `overridden` is whether any case was run with other settings.
    """

    cases: list[Tried]
    spreads: list[tuple[Key, Spread]]
    overridden: bool


class Cases(UserDict[str, MeasuredCase]):
    """The cases by name, for expectations; a case that was not run is no failure. `asked` has the names looked up."""

    def __init__(self, cases: Mapping[str, MeasuredCase]) -> None:
        self.asked: set[str] = set()
        super().__init__(cases)

    def __getitem__(self, name: str) -> MeasuredCase:
        self.asked.add(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> MeasuredCase:
        raise CannotBeShown(f"{name} was not run")

    def of(self, *functions: Callable[..., Any], nodes: int | None = None, **settings: Any) -> list[MeasuredCase]:
        """All cases of these functions with these settings, as the lab declares them; on `nodes` nodes, if given.

        Raises CannotBeShown if none was run.
        """
        names = [function.__name__ for function in functions]
        found = [
            name
            for name, case in self.data.items()
            if name.partition("(")[0] in names
            and settings.items() <= case.settings.items()
            and nodes in (None, case.spec.nodes)
        ]
        if not found:
            asked = settings | ({"nodes": nodes} if nodes else {})
            wanted = ", ".join(f"{key}={value!r}" for key, value in asked.items())
            raise CannotBeShown(f"{' or '.join(names)}{f'({wanted})' if wanted else ''} was not run")
        return [self[name] for name in found]

    def find(self, function: Callable[..., Any], nodes: int | None = None, **settings: Any) -> MeasuredCase:
        """The one case of a function with these settings, and any other settings; on `nodes` nodes, if given.

        Raises CannotBeShown if none was run, or if several match.
        """
        found = self.of(function, nodes=nodes, **settings)
        if len(found) > 1:
            raise CannotBeShown(f"it is about one of {', '.join(case.name for case in found)}")
        return found[0]


def try_claims(
    lab: Lab, cases: Sequence[MeasuredCase], known: Known = NOTHING_KNOWN, *, overridden: bool = False
) -> tuple[Claim, ...]:
    """Judge each expectation. With `overridden` settings, one that does not hold is not a claim of the lab.

    `known` is the spread of earlier launches, for cases with few launches of their own.
    """
    by_name = {case.name: case for case in cases}
    tried = [_Trial(expectation, by_name, _lacking(expectation, cases)).claim for expectation in lab.expectations]
    if all(claim.answer is Answer.CANNOT for claim in tried):
        return tuple(tried)
    estimates = {case.name: known.estimates(case) for case in cases}
    draws = _draws(by_name, estimates)
    judged = (
        claim if claim.answer is Answer.CANNOT else _judged(claim, expectation, by_name, estimates, draws)
        for claim, expectation in zip(tried, lab.expectations, strict=True)
    )
    return tuple(_not_the_labs_own(claim) if overridden else claim for claim in judged)


@dataclass(frozen=True)
class _Trial:
    """One call of an expectation."""

    expectation: Expectation
    cases: Mapping[str, MeasuredCase]
    why_not: str = ""

    @property
    def claim(self) -> Claim:
        """The claim with its answer, as if the measurements were exact."""
        answer, why = Answer.YES, ""
        try:
            if self.why_not:
                raise CannotBeShown(self.why_not)
            cases = Cases(self.cases)  # without the names that another claim has looked up
            self.expectation.function(cases)
            if loose := sorted(name for name in cases.asked & self.cases.keys() if _is_loose(self.cases[name])):
                raise CannotBeShown(f"{loose[0]} has more workers than cores, and no kernel holds them to these here")
        except CannotBeShown as error:
            answer, why = Answer.CANNOT, str(error)
        except AssertionError as error:
            answer, why = Answer.NO, str(error).partition("\n")[0] or f"{self._line(error)}does not hold"
        except Exception as error:  # the measurements must not be lost because of it
            answer, why = Answer.NO, f"{self._line(error)}{type(error).__name__}: {error}"
        return Claim(self.expectation.name, answer, why, self.expectation.declared.required)

    def _line(self, error: Exception) -> str:
        """The lab's own line that raised, as a prefix for the message; '' if there is none."""
        file = self.expectation.function.__code__.co_filename
        own = [at for at in traceback.extract_tb(error.__traceback__) if at.filename == file]
        return f"{at_line(Path(file).name, own[-1].lineno or 0, own[-1].line or '')}: " if own else ""


def _draws(cases: Mapping[str, MeasuredCase], estimates: Estimates) -> list[dict[str, MeasuredCase]]:
    """Sets of cases that could have been measured; the same sets for the same record."""
    source = random.Random(0)
    return [{name: drawn(case, estimates[name], source) for name, case in cases.items()} for _ in range(DRAWS)]


def _judged(
    claim: Claim,
    expectation: Expectation,
    cases: Mapping[str, MeasuredCase],
    estimates: Estimates,
    draws: Sequence[Mapping[str, MeasuredCase]],
) -> Claim:
    """The claim with its certainty."""
    found = [_Trial(expectation, draw).claim.answer for draw in draws]
    decided = [answer is Answer.YES for answer in found if answer is not Answer.CANNOT]
    holds = sum(decided) / len(decided) if decided else float(claim.answer is Answer.YES)
    margin, bases = _margin(claim.answer, expectation, cases, estimates)
    answer, why = claim.answer, claim.why
    if (holds if claim.answer is Answer.YES else 1 - holds) < SURE:
        answer = Answer.UNDECIDED
        why = ". ".join(filter(None, (why, f"it holds in {percent(holds, 0)} of what these launches allow")))
    return replace(claim, answer=answer, why=why, holds=holds, margin=margin, rests_on=bases)


def _margin(
    answer: Answer, expectation: Expectation, cases: Mapping[str, MeasuredCase], estimates: Estimates
) -> tuple[str, str]:
    """The smallest change that changes the answer, and the basis of the spreads of all quantities that can do so."""
    found = sorted(_changes(answer, expectation, cases, estimates), key=lambda change: change[0])
    if not found:
        return "", ""
    _, words, _ = found[0]
    return words, "; ".join(dict.fromkeys(basis for _, _, basis in found))


def _changes(
    answer: Answer, expectation: Expectation, cases: Mapping[str, MeasuredCase], estimates: Estimates
) -> Iterator[tuple[float, str, str]]:
    """Each quantity that can change the answer: the change in units of its error, as text, and the error's basis."""
    for name, case in cases.items():
        known = dict(estimates[name])
        if TIME in known:
            known[CPU] = known[TIME]
        for quantity, estimate in known.items():
            for sign in (1, -1):

                def flips(change: float) -> bool:
                    factors = {quantity: math.exp(sign * change)}  # noqa: B023  it is called before the next round
                    other = {**cases, name: moved(case, factors)}  # noqa: B023
                    return _Trial(expectation, other).claim.answer is not answer

                change = bisected(flips, STEPS)
                if math.isfinite(change):
                    words = _in_words(name, quantity, math.expm1(sign * change), estimate)
                    yield change / estimate.error, words, estimate.rests_on


def _in_words(name: str, quantity: str, change: float, estimate: Estimate) -> str:
    verb, more, less = AMOUNTS.get(quantity, ("has", f"more {quantity}", f"less {quantity}"))
    amount = f"{percent(abs(change))} {more if change > 0 else less}"
    return f"another answer if {name} {verb} {amount}, known within {percent(estimate.within)}"


def _not_the_labs_own(claim: Claim) -> Claim:
    if claim.answer in (Answer.YES, Answer.CANNOT):
        return claim
    return replace(claim, answer=Answer.CANNOT, why=f"the lab claims it of its own settings; of these, {claim.why}")


def _is_loose(case: MeasuredCase) -> bool:
    """Whether a case's workers share cores that nothing holds them to: each is paced alone, and all are too fast."""
    if case.ideal_s is None or case.limited:
        return False
    processes = {(span.node, span.pid) for span in case.median_repeat.spans}
    return len(processes) > case.workforce.nodes * case.spec.cores


def _lacking(expectation: Expectation, cases: Sequence[MeasuredCase]) -> str:
    """A message about a missing need of an expectation; '' if nothing is missing."""
    if expectation.limits and not any(case.limited for case in cases):
        return "no kernel limits these nodes; the cluster does"
    most = max(float(case.spec.node_cpus) for case in cases)
    if expectation.cpus > most:
        return f"it needs a node of {decimal(expectation.cpus)} host CPUs, this one has {decimal(most)}"
    return ""
