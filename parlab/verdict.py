"""Whether what the lab claims came out."""

from collections.abc import Sequence

from parlab.lab import Lab
from parlab.record import Claim, MeasuredCase


def judge(lab: Lab, cases: Sequence[MeasuredCase]) -> tuple[Claim, ...]:
    """Try each expectation of the lab on the measured cases, which it gets by their names."""
    by_name = {case.name: case for case in cases}
    claims = []
    for expectation in lab.expectations:
        why = ""
        try:
            expectation(by_name)
            holds = True
        except AssertionError as error:
            holds, why = False, str(error).partition("\n")[0] or "its assertion has no message"
        except Exception as error:  # it asked for a case that did not run, say; what was measured must not be lost
            holds, why = False, f"{type(error).__name__}: {error}"
        claims.append(Claim(expectation.__name__.replace("_", " "), holds, why))
    return tuple(claims)
