"""The four questions, asked of made-up runs; the claims, and the exit code that follows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from parlab.judge.verdict import BUSY, TAMPERED, exit_code
from parlab.lab import CannotBeShown
from parlab.results.record import Answer, Finding, MeasuredCase, NodeRecord, Repeat, Run
from tests.unit.samples import (
    ENVIRONMENT,
    case,
    case_on,
    embedded_run,
    failed_run,
    judge,
    judged,
    lab,
    noisy_repeat,
    on,
    raised,
    repeat,
    run,
    took,
    verdict,
    worker,
)

Cases = Mapping[str, MeasuredCase]
YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT
NOISY = noisy_repeat()


def held(use: NodeRecord, cgroup_driver: str = "cgroupfs") -> Finding:
    return judged(repeat(nodes={"node-1": use}), cgroup_driver=cgroup_driver).held


# correct


def test_as_declared_is_correct() -> None:
    found = judge(lab(), [case(took(4.0), took(4.0)), case(raised(), name="lambda")], ENVIRONMENT).correct
    assert found == Finding(YES, "3 launches of 2 cases came out as declared")


def test_one_wrong_launch_is_not_correct_and_is_named() -> None:
    wrong = case(took(4.0), took(4.0, outcome="wrong", complaint="result 1 is 5"))
    found = judge(lab(), [case(), wrong], ENVIRONMENT).correct
    assert (found.answer, found.evidence) == (NO, "pool(nodes=1): result 1 is 5")
    assert "correct the case" in found.cure


def test_without_a_case_nothing_can_be_shown() -> None:
    found = judge(lab(it_is_quick), [], ENVIRONMENT)
    assert [found.correct.answer, found.held.answer, found.quiet.answer, found.reproduced.answer] == [CANNOT] * 4


# held


def mid_run(limit: float | None) -> NodeRecord:
    """A node that has this limit in one reading, neither the first nor the last."""
    use = worker(used_s=0.5)
    first, second, third, *rest = use.readings
    return replace(use, readings=(first, second, replace(third, limit=limit), *rest))


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (replace(worker(), engine=(0.25, 0.5)), "the engine says 0.5 CPU, asked for was 0.25 CPU"),
        (replace(worker(), engine=(None, 0.25)), "the engine says no limit, asked for was 0.25 CPU"),
        (mid_run(0.5), "its cgroup says 0.5 CPU, asked for was 0.25 CPU"),
        (mid_run(None), "its cgroup says no limit, asked for was 0.25 CPU"),
        (worker(used_s=1.1), "it used 1.1 CPU seconds where its limit allows 1.025"),
        (worker(periods=0), "it used 0.5 CPU seconds, and its kernel counted no quota period"),
        (replace(worker(), burned=0.28), "a burn without pacing got 0.28 CPU, asked for was 0.25 CPU"),
    ],
)
def test_a_limit_that_was_not_in_force_is_not_held(use: NodeRecord, words: str) -> None:
    assert held(use) == Finding(NO, f"pool(nodes=1): node-1: {words}", TAMPERED)


def test_a_limit_that_was_not_delivered_is_not_held_and_has_another_cure() -> None:
    words = "pool(nodes=1): node-1: a burn without pacing got no more than 0.22 CPU of 0.25 CPU"
    assert held(replace(worker(), burned=0.22)) == Finding(NO, words, BUSY)


@pytest.mark.parametrize("burned", [None, 0.226, 0.274])
@pytest.mark.parametrize("used_s", [0.0, 1.025])  # a window may hold a period's quota more than its length
def test_a_limit_that_was_read_back_and_delivered_is_held(burned: float | None, used_s: float) -> None:
    assert held(replace(worker(used_s=used_s), burned=burned)).answer is YES


def test_held_tells_what_it_rests_on() -> None:
    nodes = {"node-1": replace(worker(), burned=0.26), "node-2": replace(worker(), burned=0.24)}
    found = judged(repeat(nodes=nodes)).held
    assert found.evidence == (
        "read 14 times, each limit as asked for; a burn without pacing got 96 to 104 % of a node's limit"
    )


def test_an_idle_node_needs_no_quota_period() -> None:
    assert held(worker(used_s=0.01, periods=0)).answer is YES


@pytest.mark.parametrize(
    ("driver", "wanted", "limit", "answer"),
    [
        ("systemd", 0.0625, 0.07, YES),
        ("systemd", 0.0625, 0.0625, YES),
        ("systemd", 0.0625, 0.06, NO),
        ("systemd", 0.0625, 0.08, NO),
        ("systemd", 0.07, 0.07, YES),
        ("systemd", 0.07, 0.08, NO),
        ("cgroupfs", 0.0625, 0.07, NO),
        ("cgroupfs", 0.0625, 0.0625, YES),
    ],
)
def test_only_systemd_rounds_a_limit_up_to_whole_percents(
    driver: str, wanted: float, limit: float, answer: Answer
) -> None:
    assert held(worker(wanted, limit=limit, used_s=0.2), driver).answer is answer


def test_a_limit_that_systemd_rounds_in_mid_run_is_held_and_said() -> None:
    """Recorded: 1562 of 100000 microseconds, and 2000 after `systemctl daemon-reload` and a start of any unit."""
    use = worker(1 / 64, limit=0.01562, used_s=0.05)
    first, *rest = use.readings
    rounded = replace(use, readings=(first, *(replace(reading, limit=0.02) for reading in rest)))
    found = held(rounded, "systemd")
    assert found.answer is YES
    assert "; systemd has rounded 1 limit up to a whole percent meanwhile" in found.evidence
    assert held(rounded, "cgroupfs").answer is NO
    assert held(replace(use, readings=(first, *(replace(one, limit=0.03) for one in rest))), "systemd").answer is NO


def test_with_systemd_a_node_may_use_what_the_rounded_limit_allows() -> None:
    use = worker(0.0625, limit=0.07, used_s=0.28)
    assert held(replace(use, burned=0.07), "systemd").answer is YES
    assert held(replace(use, burned=0.055), "systemd").cure == BUSY


def test_with_systemd_an_older_engine_that_does_not_round_is_held_to_what_was_asked() -> None:
    use = worker(0.0625, used_s=0.25)
    assert held(replace(use, burned=0.0625), "systemd").answer is YES
    assert held(replace(use, burned=0.08), "systemd").answer is NO


def test_of_a_small_limit_a_burn_may_be_off_by_a_tick() -> None:
    use = worker(1 / 64, used_s=0.0625)
    assert held(replace(use, burned=0.024)).answer is YES
    assert held(replace(use, burned=0.027)).answer is NO


def test_a_run_that_broke_off_claims_nothing() -> None:
    def it_is_fast(cases: object) -> None: ...

    found = judge(lab(it_is_fast), [case(took(4.0))], ENVIRONMENT, broke_off=True)
    assert found.reproduced.answer is CANNOT
    assert [claim.answer for claim in found.claims] == [CANNOT]


def test_where_nobody_limits_held_cannot_be_shown() -> None:
    found = embedded_run().verdict.held
    assert found.answer is CANNOT
    assert "no kernel limits these nodes" in found.evidence


def test_one_node_without_its_limit_spoils_the_run() -> None:
    good = case_on(4)
    bad = replace(good.repeats[0], nodes={**good.repeats[0].nodes, "node-3": worker(limit=None)})
    found = judge(lab(), [good, replace(good, repeats=(bad,))], ENVIRONMENT).held
    assert found.answer is NO
    assert "pool(nodes=4): node-3: its cgroup says no limit" in found.evidence
    assert found.evidence.endswith(" (and 4 more findings)")


# reproduced


def it_is_quick(cases: Cases) -> None:
    assert cases["pool(nodes=1)"].measured_s < 100


def it_halves(cases: Cases) -> None:
    raise AssertionError("far too slow\nand more")


def it_says_nothing(cases: Cases) -> None:
    raise AssertionError


def it_divides(cases: Cases) -> None:
    raise ZeroDivisionError("division by zero")


def it_needs_more(cases: Cases) -> None:
    raise CannotBeShown("needs 4 CPUs")


def it_runs_on_eight(cases: Cases) -> None:
    assert cases["pool(nodes=8)"].measured_s < 100


EXPECTATIONS = (it_is_quick, it_halves, it_says_nothing, it_divides, it_needs_more, it_runs_on_eight)


def test_expectations_become_claims() -> None:
    found = judge(lab(*EXPECTATIONS), [case()], ENVIRONMENT)
    places = re.compile(r"^test_verdict\.py:[0-9]+ ")
    assert [(claim.name, claim.answer, places.sub("", claim.why)) for claim in found.claims] == [
        ("it is quick", YES, ""),
        ("it halves", NO, "far too slow"),
        ("it says nothing", NO, "(raise AssertionError): does not hold"),
        ("it divides", NO, '(raise ZeroDivisionError("division by zero")): ZeroDivisionError: division by zero'),
        ("it needs more", CANNOT, "needs 4 CPUs"),
        ("it runs on eight", CANNOT, "pool(nodes=8) was not run"),
    ]
    assert found.reproduced.answer is NO
    assert found.reproduced.evidence == "it halves: far too slow (and 2 more claims)"


@pytest.mark.parametrize(
    ("expectations", "answer", "words"),
    [
        ([it_is_quick], YES, ["1 of 1 claim"]),
        ([it_is_quick, it_needs_more], YES, ["1 of 2 claims", "it needs more: needs 4 CPUs"]),
        (
            [it_needs_more, it_runs_on_eight],
            CANNOT,
            ["0 of 2 claims", "it needs more: needs 4 CPUs (and 1 more "],
        ),
        ([], Answer.NO_CLAIMS, []),
    ],
)
def test_reproduced_is_what_could_be_shown(
    expectations: Sequence[object], answer: Answer, words: Sequence[str]
) -> None:
    found = judge(lab(*expectations), [case()], ENVIRONMENT).reproduced
    assert found.answer is answer
    assert all(word in found.evidence for word in words)


@pytest.mark.parametrize(
    "spoiled",
    [NOISY, on(use=worker(limit=0.5)), on(use=replace(worker(), burned=0.1))],
    ids=["not quiet", "not in force", "not delivered"],
)
def test_no_claim_fails_when_the_run_is_not_a_measurement(spoiled: Repeat) -> None:
    found = judge(lab(*EXPECTATIONS), [case(spoiled)], ENVIRONMENT)
    assert not found.is_measurement
    assert {(claim.answer, claim.why) for claim in found.claims} == {(CANNOT, "this is not a measurement")}
    assert found.reproduced.answer is CANNOT


def test_claims_are_judged_where_limits_cannot_be_shown() -> None:
    found = judge(lab(it_halves), embedded_run().cases, {})
    assert (found.held.answer, found.reproduced.answer) == (CANNOT, NO)


def test_no_claim_is_shown_without_a_case() -> None:
    def all_are_quick(cases: Cases) -> None:
        assert all(case.measured_s < 1 for case in cases.values())

    assert judge(lab(all_are_quick), [], ENVIRONMENT).reproduced.answer is CANNOT


# the exit code

WRONG_CASE = case(took(4.0, outcome="wrong", complaint="result 1 is 5"))
WRONG_NOISY_CASE = case(replace(NOISY, outcome="wrong", complaint="result 1 is 5"))


@pytest.mark.parametrize(
    ("made", "checked", "unchecked"),
    [
        (failed_run(), 4, 4),
        (failed_run(WRONG_CASE, exit_code=130), 130, 130),
        (run(WRONG_NOISY_CASE), 1, 1),
        (run(WRONG_CASE), 1, 1),
        (run(case(NOISY)), 3, 0),
        (run(case(), verdict=verdict(held=NO, reproduced=NO)), 3, 0),
        (run(case(), verdict=verdict(quiet=NO, reproduced=CANNOT)), 3, 0),
        (run(case(), verdict=verdict(reproduced=NO)), 1, 0),
        (run(case(), verdict=verdict(held=CANNOT, quiet=CANNOT, reproduced=CANNOT)), 0, 0),
        (run(case()), 0, 0),
        (run(case(raised())), 0, 0),
    ],
)
def test_the_exit_code_is_the_first_that_applies(made: Run, checked: int, unchecked: int) -> None:
    assert exit_code(made, check=True) == checked
    assert exit_code(made, check=False) == unchecked
