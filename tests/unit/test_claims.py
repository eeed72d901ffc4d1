"""Claims: how an expectation finds its cases, what it needs, and what several runs together come to."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.judge.claims import Cases
from parlab.judge.verdict import exit_code, worst
from parlab.lab import CannotBeShown, Lab
from parlab.model.span import Span
from parlab.results.record import Answer, Claim, MeasuredCase, NodeRecord, Run
from tests.unit.samples import (
    ENVIRONMENT,
    SPEC,
    case,
    case_on,
    embedded_run,
    failed_run,
    judge,
    lab,
    noisy_repeat,
    run,
    span,
    took,
    verdict,
    worker,
)
from tests.unit.samples import repeat as launch

YES, NO, CANNOT = Answer.YES, Answer.NO, Answer.CANNOT


def pool(task: Any) -> None: ...


def pool_of_threads(task: Any) -> None: ...


def of_pool(nodes: int | None = None, **settings: Any) -> MeasuredCase:
    """A case of `pool`, named as a lab's case is."""
    words = ", ".join(f"{key}={value!r}" for key, value in (settings | ({"nodes": nodes} if nodes else {})).items())
    return case(name=f"pool({words})" if words else "pool", settings=settings, spec=replace(SPEC, nodes=nodes or 1))


def cases(*measured: MeasuredCase) -> Cases:
    return Cases({one.name: one for one in measured})


SEVERAL = cases(
    *(of_pool(workers=workers, chunk=chunk) for workers in (4, 8) for chunk in (1, None)),
    of_pool(workers=16, chunk=1),
    case(name="pool_of_threads(workers=4)", settings={"workers": 4}),
)
SIZES = cases(*(of_pool(nodes, workers=workers) for nodes in (1, 2) for workers in (4, 8)))


# Cases.of and Cases.find


def test_the_cases_of_a_function_are_those_with_its_name_in_the_labs_order() -> None:
    assert [case.settings["workers"] for case in SEVERAL.of(pool)] == [4, 4, 8, 8, 16]
    assert [case.name for case in SEVERAL.of(pool_of_threads)] == ["pool_of_threads(workers=4)"]
    assert [case.name for case in SIZES.of(pool, nodes=2)] == ["pool(workers=4, nodes=2)", "pool(workers=8, nodes=2)"]


def test_the_cases_of_several_functions_may_be_asked_for_with_the_same_setting() -> None:
    assert [case.name for case in SEVERAL.of(pool_of_threads, pool, workers=4)] == [
        "pool(workers=4, chunk=1)",
        "pool(workers=4, chunk=None)",
        "pool_of_threads(workers=4)",
    ]
    with pytest.raises(CannotBeShown, match=r"^pool or len\(workers=3\) was not run$"):
        SEVERAL.of(pool, len, workers=3)


def test_only_the_cases_that_were_asked_for_are_looked_at() -> None:
    found = cases(*SEVERAL.values())
    found.of(pool, workers=16)
    found.find(pool_of_threads)
    assert found.asked == {"pool(workers=16, chunk=1)", "pool_of_threads(workers=4)"}


def test_a_case_is_found_by_its_function_and_settings() -> None:
    assert SEVERAL.find(pool, workers=4, chunk=1).name == "pool(workers=4, chunk=1)"
    assert SEVERAL.find(pool, chunk=None, workers=8).name == "pool(workers=8, chunk=None)"
    assert SEVERAL.find(pool_of_threads, workers=4).name == "pool_of_threads(workers=4)"


def test_settings_that_leave_one_case_need_not_all_be_named() -> None:
    assert SEVERAL.find(pool, workers=16).name == "pool(workers=16, chunk=1)"
    assert SEVERAL.find(pool_of_threads).name == "pool_of_threads(workers=4)"
    assert cases(of_pool()).find(pool).name == "pool"


def test_of_several_sizes_one_is_named() -> None:
    assert SIZES.find(pool, nodes=2, workers=4).name == "pool(workers=4, nodes=2)"
    assert SIZES.find(pool, 1, workers=8).spec.nodes == 1


@pytest.mark.parametrize(
    ("found", "function", "settings", "words"),
    [
        (SEVERAL, pool, {"workers": 2}, "pool(workers=2) was not run"),
        (SEVERAL, pool, {"workers": 4, "chunk": 3}, "pool(workers=4, chunk=3) was not run"),
        (SEVERAL, pool, {"start": "fork"}, "pool(start='fork') was not run"),
        (SEVERAL, len, {}, "len was not run"),
        (cases(), pool, {}, "pool was not run"),
    ],
)
def test_a_case_that_was_not_run_cannot_be_shown(
    found: Cases, function: Callable[..., Any], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(CannotBeShown) as raised:
        found.find(function, **settings)
    assert str(raised.value) == words


def test_a_size_that_was_not_run_cannot_be_shown() -> None:
    with pytest.raises(CannotBeShown, match="was not run"):
        SIZES.find(pool, nodes=4, workers=8)


def test_in_a_run_of_one_size_another_cannot_be_shown() -> None:
    cases = Cases({"pool": case(name="pool")})
    assert cases.find(pool, nodes=1).name == "pool"
    with pytest.raises(CannotBeShown, match=r"^pool\(nodes=2\) was not run$"):
        cases.find(pool, nodes=2)


def test_of_several_cases_it_must_be_said_which() -> None:
    with pytest.raises(CannotBeShown) as raised:
        SEVERAL.find(pool, workers=4)
    assert str(raised.value) == "it is about one of pool(workers=4, chunk=1), pool(workers=4, chunk=None)"
    with pytest.raises(CannotBeShown, match=r"nodes=1\), pool\(workers=4, nodes=2\)$"):
        SIZES.find(pool, workers=4)


def test_what_is_not_found_or_not_clear_fails_no_claim() -> None:
    def it_needs_two(cases: Cases) -> None:
        assert cases.find(pool, workers=2).units > 0

    def it_does_not_say_which(cases: Cases) -> None:
        assert cases.find(pool, workers=4).units > 0

    claims = judge(lab(it_needs_two, it_does_not_say_which), list(SEVERAL.values()), ENVIRONMENT).claims
    assert [(claim.answer, claim.why) for claim in claims] == [
        (CANNOT, "pool(workers=2) was not run"),
        (CANNOT, "it is about one of pool(workers=4, chunk=1), pool(workers=4, chunk=None)"),
    ]


def test_of_settings_that_are_not_the_labs_own_a_claim_may_be_shown_but_cannot_fail() -> None:
    def it_holds(cases: Cases) -> None:
        pass

    def it_does_not(cases: Cases) -> None:
        raise AssertionError("too slow")

    def it_breaks(cases: Cases) -> None:
        max([])

    claims = judge(lab(it_holds, it_does_not, it_breaks), list(SEVERAL.values()), ENVIRONMENT, overridden=True).claims
    assert [claim.answer for claim in claims] == [YES, CANNOT, CANNOT]
    assert claims[1].why == "the lab claims it of its own settings; of these, too slow"


workers = st.lists(st.integers(1, 9), unique=True)


@given(workers, workers, st.integers(1, 9))
def test_of_cases_that_differ_in_one_setting_each_is_found(pools: list[int], others: list[int], wanted: int) -> None:
    threads = (case(name=f"pool_of_threads(workers={n})", settings={"workers": n}) for n in others)
    found = cases(*(of_pool(workers=n) for n in pools), *threads)
    if wanted in pools:
        assert found.find(pool, workers=wanted) is found[f"pool(workers={wanted})"]
    else:
        with pytest.raises(CannotBeShown):
            found.find(pool, workers=wanted)


# What an expectation needs.


def expecting(*, fails: bool = False, **needs: Any) -> Lab:
    """A lab with one expectation, which holds unless it is to fail."""

    def it_holds(cases: Cases) -> None:
        assert not fails, "it was tried"

    made = lab()
    made.expect(**needs)(it_holds)
    return made


def claim(made: Lab, measured: Sequence[MeasuredCase]) -> Claim:
    (found,) = judge(made, measured, ENVIRONMENT).claims
    return found


def test_a_claim_that_needs_limits_cannot_be_shown_where_there_are_none() -> None:
    found = claim(expecting(limits=True, fails=True), embedded_run().cases)
    assert found == Claim("it holds", CANNOT, "no kernel limits these nodes; the cluster does", required=True)


def test_a_claim_that_needs_limits_is_tried_where_a_case_has_them() -> None:
    lifted = case(launch(nodes={"node-1": worker(None)}), name="lifted")
    assert claim(expecting(limits=True, fails=True), [lifted]).answer is CANNOT
    assert claim(expecting(limits=True, fails=True), [lifted, case()]).why == "it was tried"
    assert claim(expecting(limits=True), [lifted, case()]).answer is YES


@pytest.mark.parametrize(
    ("cpus", "answer", "why"),
    [
        (0.25, NO, "it was tried"),
        (1, CANNOT, "it needs a node of 1 host CPUs, this one has 0.25"),
        (1.5, CANNOT, "it needs a node of 1.5 host CPUs, this one has 0.25"),
    ],
)
def test_a_claim_that_needs_cpus_is_tried_where_a_node_has_them(cpus: float, answer: Answer, why: str) -> None:
    found = claim(expecting(cpus=cpus, fails=True), [case(spec=replace(SPEC, nodes=n)) for n in (1, 8)])
    assert (found.answer, found.why, found.required) == (answer, why, False)


def test_one_size_that_has_the_cpus_is_enough() -> None:
    large = case(spec=replace(SPEC, speed=Fraction(1)))
    assert claim(expecting(cpus=2), [case(), large]).answer is YES


def test_limits_are_asked_for_before_cpus() -> None:
    assert "no kernel limits" in claim(expecting(limits=True, cpus=64), embedded_run().cases).why


def test_what_is_not_a_measurement_is_said_before_what_is_lacking() -> None:
    assert claim(expecting(cpus=64), [case(noisy_repeat())]).why == "this is not a measurement"
    assert claim(expecting(cpus=64), []).why == "no case was measured"


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"engine": "27.5"}, "the lab has its limits lifted"), ({}, "no kernel limits these nodes")],
)
def test_where_there_are_no_limits_held_says_whose_doing_that_is(environment: dict[str, Any], words: str) -> None:
    found = judge(lab(), [case(launch(nodes={"node-1": worker(None)}))], environment).held
    assert found.answer is CANNOT
    assert found.evidence.startswith(f"{words}: ")


# Several runs.

GOOD, NOISY = run(case()), run(case(noisy_repeat()))
WRONG = run(case(took(4.0, outcome="wrong", complaint="result 1 is 5")))
UNHELD, DISPROVED = (run(case_on(2), verdict=verdict(**{name: NO})) for name in ("held", "reproduced"))
BROKEN, UNLIMITED = failed_run(case()), failed_run(exit_code=3)
INTERRUPTED, CLOSED = failed_run(exit_code=130), failed_run(exit_code=141)
RUNS = [GOOD, NOISY, WRONG, UNHELD, DISPROVED, BROKEN, UNLIMITED, INTERRUPTED, CLOSED]


@pytest.mark.parametrize(
    ("runs", "checked", "unchecked"),
    [
        ([], 0, 0),
        ([GOOD, GOOD], 0, 0),
        ([GOOD, DISPROVED], 1, 0),
        ([DISPROVED, NOISY], 3, 0),
        ([NOISY, WRONG, DISPROVED], 1, 1),
        ([UNLIMITED, DISPROVED], 3, 3),
        ([UNLIMITED, WRONG], 1, 1),
        ([WRONG, BROKEN, UNHELD], 4, 4),
        ([BROKEN, CLOSED], 141, 141),
        ([GOOD, CLOSED, INTERRUPTED], 130, 130),
    ],
)
def test_of_several_runs_the_first_code_that_applies_to_any_is_the_exit_code(
    runs: list[Run], checked: int, unchecked: int
) -> None:
    assert (worst(runs, check=True), worst(runs, check=False)) == (checked, unchecked)


@pytest.mark.parametrize("made", RUNS)
@pytest.mark.parametrize("check", [True, False])
def test_of_one_run_the_worst_is_its_own(made: Run, check: bool) -> None:
    assert worst([made], check=check) == exit_code(made, check=check)


@given(st.lists(st.sampled_from(RUNS), min_size=1, max_size=5), st.booleans())
def test_the_exit_code_of_several_is_that_of_one_of_them_in_any_order(runs: list[Run], check: bool) -> None:
    found = worst(runs, check=check)
    assert found in {exit_code(made, check=check) for made in runs}
    assert worst(runs[::-1], check=check) == worst([*runs, *runs, GOOD], check=check) == found


def test_without_limits_workers_that_share_a_core_show_nothing() -> None:
    """Each is paced to a core of its own: together they are too fast, and a false claim would be shown."""
    shared = [span("simulated-1", pid=pid) for pid in (1, 2, 3)]  # on two cores
    apart = [span("simulated-1", pid=pid) for pid in (1, 2)]

    def it_is_quick(cases: Cases) -> None:
        assert cases["pool"].measured_s < 100

    def answers(own: Sequence[Span], use: NodeRecord) -> Claim:
        one = case(launch(own, nodes={"simulated-1": use}), name="pool")
        (found,) = judge(lab(it_is_quick), [one, case(launch(shared, nodes={}), name="other")], {}).claims
        return found

    assert (
        answers(shared, worker(None)).why == "pool has more workers than cores, and no kernel holds them to these here"
    )
    assert answers(shared, worker(None)).answer is CANNOT
    assert answers(apart, worker(None)).answer is YES
    assert answers(shared, worker()).answer is YES
