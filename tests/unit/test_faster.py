"""The sentence on a comparison: it is true, and compares only cases whose work is the same."""

from typing import Any

import pytest

from parlab.report.faster import Contest
from parlab.results.record import Answer, MeasuredCase, Run
from tests.unit.samples import case, failed_run, raised, repeat, run, span, verdict


def taking(seconds: float, name: str = "pool") -> MeasuredCase:
    launches = [repeat([span(seconds=seconds * (1 + 0.001 * more))]) for more in range(5)]
    return case(*launches, name=name)


def other(*cases: MeasuredCase, **facts: Any) -> Run:
    return run(*cases, **{"id": "other", "verdict": verdict(), **facts})


ONE = run(taking(4.0))
THREE = run(*(taking(4.0, name) for name in ("a", "b", "c")))


@pytest.mark.parametrize(
    ("first", "second", "said", "badge"),
    [
        (ONE, ONE, "A and B are the same run.", "not compared"),
        (ONE, other(taking(4.0)), "A and B do not differ beyond the noise in pool.", "within the noise"),
        (ONE, other(taking(3.2)), "B was faster beyond the noise: pool was 25.0 % faster.", "B is faster"),
        (ONE, other(taking(16.0)), "A was faster beyond the noise: pool was 4 times as fast.", "A is faster"),
        (
            THREE,
            other(taking(2.0, "a"), taking(3.2, "b"), taking(4.0, "c")),
            "B was faster beyond the noise in 2 of 3 cases, up to 2 times as fast (a); "
            "in 1 they do not differ beyond it.",
            "B is faster",
        ),
        (
            THREE,
            other(taking(5.0, "a"), taking(3.2, "b")),
            "A was faster beyond the noise in 1 of 2 cases, 25.0 % faster (a); "
            "B was faster beyond the noise in 1 of 2 cases, 25.0 % faster (b); 1 case cannot be compared.",
            "now A, now B is faster",
        ),
        (
            ONE,
            other(taking(2.0), lab="else"),
            "A and B ran different labs: none of their times are compared.",
            "not compared",
        ),
        (
            ONE,
            other(taking(2.0), verdict=verdict(quiet=Answer.NO)),
            "Which is faster cannot be told: the times of B (not a measurement) do not stand.",
            "not compared",
        ),
        (
            failed_run(taking(4.0)),
            other(taking(2.0)),
            "Which is faster cannot be told: the times of A (broke off) do not stand.",
            "not compared",
        ),
        (
            run(taking(4.0), command=("python", "a.py", "1")),
            other(taking(2.0), command=("python", "a.py", "2")),
            "A and B ran different commands: nothing tells whether their work is the same.",
            "not compared",
        ),
        (
            ONE,
            other(case(raised(), declared="ValueError", name="pool")),
            "No case did the same work, rightly, in A and B: no times are compared.",
            "not compared",
        ),
        (
            ONE,
            other(taking(3.2), backend="slurm"),
            "B was faster beyond the noise: pool was 25.0 % faster. The two did not run alike: see below.",
            "B is faster",
        ),
    ],
)
def test_the_sentence_says_no_more_than_is_known(first: Run, second: Run, said: str, badge: str) -> None:
    contest = Contest(first, second)
    assert contest.sentence == said
    assert contest.badge[0] == badge


def test_cases_with_another_ideal_are_other_work() -> None:
    launches = taking(2.0).repeats
    contest = Contest(ONE, other(case(*launches, name="pool", ideal_s=2.0)))
    assert contest.judged == {}
