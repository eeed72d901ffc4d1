"""What the record says of a case, from its repeats."""

import math
from dataclasses import replace

import pytest

from parlab.model.case import RIGHT
from parlab.results.record import Answer
from tests.unit.samples import SPEC, case, case_on, raised, repeat, run, span, spans, took, verdict


def test_measured_is_from_the_first_submission_to_the_last_receipt() -> None:
    late, early = span(start=11.0, seconds=2.0, way_s=0.25), span(start=10.0, way_s=0.5)
    assert repeat([late, early]).measured_s == 13.25 - 9.5


def test_ideal_beside_measured() -> None:
    measured = case(took(5.0), ideal_s=4.0, serial_s=8.0)
    assert measured.measured_s == 5.0
    assert measured.units == 5.0 / SPEC.unit
    assert measured.off_by == pytest.approx(0.25)
    assert measured.speedup == pytest.approx(8 / 5)
    assert measured.workers == 2


@pytest.mark.parametrize(
    ("seconds", "median", "spread", "median_repeat"),
    [
        ([5.0], 5.0, 0.0, 5.0),
        ([6.0, 4.0], 5.0, 0.4, 4.0),
        ([9.0, 4.0, 5.0], 5.0, 1.0, 5.0),
        ([4.0, 8.0, 6.0, 4.5], 5.25, 4 / 5.25, 4.5),
    ],
)
def test_of_several_repeats_the_median_counts(
    seconds: list[float], median: float, spread: float, median_repeat: float
) -> None:
    measured = case(*map(took, seconds))
    assert measured.times == tuple(sorted(seconds))
    assert measured.measured_s == median
    assert measured.spread == pytest.approx(spread)
    assert measured.median_repeat.measured_s == median_repeat


def test_nodes_stand_in_the_order_of_their_numbers() -> None:
    numbers = range(1, 13)
    assert case_on(12).by_node == {f"node-{number}": 8 for number in numbers}
    assert list(case_on(12).by_node) == [f"node-{number}" for number in numbers]


def test_tasks_by_node_are_those_of_the_typical_repeat() -> None:
    slow, usual, quick = (
        repeat([span("node-2", seconds=9.0)]),
        repeat([span("node-1"), span("node-3", seconds=5.0)]),
        took(4.0),
    )
    assert case(slow, usual, quick).by_node == {"node-1": 1, "node-3": 1}


def test_a_case_without_spans_has_no_time() -> None:
    measured = case(raised("PicklingError"))
    assert measured.times == ()
    assert all(map(math.isnan, (measured.measured_s, measured.units, measured.off_by, measured.speedup)))
    assert measured.spread == 0.0
    assert measured.median_repeat.outcome == "PicklingError"
    assert measured.by_node == {}
    assert measured.breakdown().total == 0.0


def test_a_repeat_without_spans_does_not_count_among_others() -> None:
    measured = case(raised(), took(5.0), raised())
    assert measured.times == (5.0,)
    assert measured.median_repeat.outcome == RIGHT


def test_the_first_wrong_repeat_is_told() -> None:
    right, wrong = took(4.0), took(4.0, outcome="wrong", complaint="result 1 is 5")
    assert case(right, right).complaint is None
    assert case(right, wrong, took(4.0, complaint="another")).complaint == "result 1 is 5"
    assert run(case(right), case(right, wrong)).wrong
    assert not run(case(right)).wrong


def test_where_the_time_went_is_told_of_the_typical_repeat_or_another() -> None:
    measured = case(took(4.0), took(5.0), repeat(spans(tasks=3, gap_s=2.0)))
    assert measured.breakdown().computing == pytest.approx(5.0)
    assert measured.breakdown(measured.repeats[2]).computing == pytest.approx(3.0)
    assert measured.breakdown(measured.repeats[2]).total == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("answers", "is_measurement"),
    [
        ({}, True),
        ({"held": Answer.NO}, False),
        ({"quiet": Answer.NO}, False),
        ({"held": Answer.CANNOT, "quiet": Answer.CANNOT}, True),
        ({"correct": Answer.NO, "reproduced": Answer.NO}, True),
    ],
)
def test_what_is_not_held_or_not_quiet_is_not_a_measurement(answers: dict[str, Answer], is_measurement: bool) -> None:
    assert verdict(**answers).is_measurement is is_measurement


def test_records_are_never_changed() -> None:
    with pytest.raises(AttributeError):
        run().id = "another"  # type: ignore[misc]
    assert replace(run(), id="another").id == "another"
