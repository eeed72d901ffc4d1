"""How sure medians, ratios and claims are: intervals hold what was planted as often as they say."""

import math
from dataclasses import replace
from random import Random

import pytest

from parlab.analysis.spread import Estimate, Spread, estimate, t_quantile
from parlab.judge.claims import Cases, try_claims
from parlab.judge.uncertainty import NOTHING_KNOWN, TIME, Known, time_ratio
from parlab.judge.verdict import exit_code
from parlab.lab import Lab
from parlab.results.record import Answer, MeasuredCase
from tests.unit.samples import ENVIRONMENT, SECONDS, SPEC, case, judge, lab, run, took

TRUE, SPREAD = 4.0, 0.003  # seconds; of a launch, as on a quiet host
TRIALS = 400
ROUGHLY = (0.90, 0.995)  # of the trials, for intervals of 95 %


def launches(source: Random, count: int, spread: float = SPREAD, seconds: float = TRUE) -> list[float]:
    return [seconds * math.exp(source.gauss(0, spread)) for _ in range(count)]


def case_of(seconds: list[float], name: str = "pool(nodes=1)") -> MeasuredCase:
    """A case that is paced all through, with launches of these lengths; its ideal is 4 s."""
    return case(*(took(one) for one in seconds), name=name)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(3, 3.182), (4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_students_t_is_as_in_the_tables(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, rel=0.003)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("earlier", [0, 10])
def test_a_medians_interval_holds_the_true_value(count: int, earlier: int) -> None:
    source = Random(count + 100 * earlier)

    def holds() -> bool:
        known = Spread.of(launches(source, earlier))
        low, high = estimate(launches(source, count), known, SPREAD).interval
        return low <= TRUE <= high

    assert ROUGHLY[0] <= sum(holds() for _ in range(TRIALS)) / TRIALS <= 1


@pytest.mark.parametrize("counts", [(1, 1), (3, 3), (5, 5), (1, 10)])
def test_a_ratios_interval_holds_the_true_ratio(counts: tuple[int, int]) -> None:
    source = Random(7)

    def holds() -> bool:
        one, other = (
            case_of(launches(source, count, seconds=seconds))
            for count, seconds in zip(counts, (TRUE, 1.1 * TRUE), strict=True)
        )
        low, high = time_ratio(one, other, NOTHING_KNOWN).interval
        return low <= 1.1 <= high

    assert ROUGHLY[0] <= sum(holds() for _ in range(TRIALS)) / TRIALS <= 1


def test_own_launches_are_believed_before_earlier_ones_and_these_before_what_is_stated() -> None:
    few, many, quiet = [1.0, 1.1], [1.0, 1.1, 0.9, 1.2], Spread.of([1.0, 1.001, 0.999, 1.0, 1.002])
    assert estimate(many, quiet, 0.003).rests_on == "4 launches"
    assert estimate(few, quiet, 0.003).rests_on == "2 launches and 5 earlier"
    assert estimate(few, Spread(), 0.003).rests_on == "2 launches and a stated spread of 0.3 %"
    assert estimate(many, quiet, 0.003).within > estimate([1.0] * 4, quiet, 0.003).within == 0


# Claims.

TOLERANCE = 0.05


def within_tolerance(cases: Cases) -> None:
    measured = cases["pool(nodes=1)"].measured_s
    assert measured <= SECONDS * (1 + TOLERANCE), f"{measured:.2f} s"


def answers(slow_down: float, count: int, trials: int = 10, seed: int = 1) -> list[Answer]:
    """What becomes of the claim, with such a slow-down planted, in several runs of so many launches."""
    source = Random(seed)
    found = []
    for _ in range(trials):
        seconds = launches(source, count, seconds=SECONDS * (1 + slow_down))
        (claim,) = try_claims(lab(within_tolerance), [case_of(seconds)])
        found.append(claim.answer)
    return found


@pytest.mark.parametrize("count", [1, 3, 5])
def test_twice_the_tolerance_fails_every_time(count: int) -> None:
    assert answers(2 * TOLERANCE, count) == [Answer.NO] * 10


def test_half_the_tolerance_is_shown_every_time_by_five_launches() -> None:
    assert answers(TOLERANCE / 2, 5) == [Answer.YES] * 10


def test_on_a_quiet_host_one_launch_decides_what_is_off_by_what_labs_are() -> None:
    found = answers(0.012, 1, trials=60)
    assert found.count(Answer.YES) >= 0.98 * len(found)
    assert Answer.NO not in found


def test_at_the_tolerance_itself_it_is_undecided_and_more_launches_are_asked_for() -> None:
    (claim,) = try_claims(lab(within_tolerance), [case_of([SECONDS * (1 + TOLERANCE - 0.001)])])
    assert claim.answer is Answer.UNDECIDED
    assert "of what these launches allow" in claim.why
    assert claim.margin.startswith("another answer if pool(nodes=1) takes 0.")
    assert claim.rests_on == "1 launch and a stated spread of 0.3 %"
    verdict = judge(lab(within_tolerance), [case_of([SECONDS * (1 + TOLERANCE - 0.001)])], ENVIRONMENT)
    assert verdict.reproduced.answer is Answer.UNDECIDED
    assert "--repeat 5" in verdict.reproduced.cure
    undecided = run(case_of([4.19]), verdict=verdict)
    assert (exit_code(undecided, check=False), exit_code(undecided, check=True)) == (0, 3)


def test_earlier_runs_of_the_same_file_on_this_host_tell_the_spread() -> None:
    environment = ENVIRONMENT | {"lab_file": "abc", "cpu": "one"}
    noisy = [run(case_of([TRUE * (1 + 0.05 * step)]), environment=environment) for step in range(6)]
    known = Known.of(noisy, "cluster", environment)
    assert known.estimates(case_of([TRUE]))[TIME].within > 0.1
    for other in ({"lab_file": "def"}, {"cpu": "another"}):
        assert Known.of(noisy, "cluster", environment | other).spreads == {}
    assert Known.of(noisy, "embedded", environment).spreads == {}
    (claim,) = try_claims(lab(within_tolerance), [case_of([TRUE])], known)
    assert (claim.answer, claim.rests_on) == (Answer.UNDECIDED, "1 launch and 6 earlier")


def test_a_claim_may_read_whatever_a_case_has() -> None:
    made = Lab(unit=SPEC.unit)

    @made.expect
    def all_is_there(cases: Cases) -> None:
        (one,) = cases.values()
        assert one.units > 0
        assert one.speedup > 0
        assert abs(one.off_by) < 1
        assert one.by_node == {"node-1": 1}
        assert one.breakdown().total == pytest.approx(one.measured_s)
        assert len(one.task_s) == 1
        assert one.metrics["MB/s"] > 1
        assert one.median_repeat.startup_s >= 0

    launch = replace(took(4.0), metrics={"MB/s": 9.5}, startup_s=0.5)
    (claim,) = try_claims(made, [case(launch)])
    assert (claim.answer, claim.why) == (Answer.YES, "")


def test_an_estimate_of_equal_launches_is_exact() -> None:
    assert Estimate(1.0, 0.0, 4, "").interval == (1.0, 1.0)
