"""The ticks of a curve's axis of speed-ups."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.model.workers import Workforce
from parlab.report.curve_paper import curve_on_paper
from parlab.report.curves import doublings
from parlab.report.scaling import curves
from tests.unit.samples import case, run, took


@pytest.mark.parametrize(
    ("least", "most", "ticks"),
    [
        (0.8, 9.0, [1, 2, 4, 8]),
        (0.4, 1.1, [0.5, 1]),
        (4.3, 6.9, [4.5, 5, 5.5, 6, 6.5]),  # 5 and 6 workers: no power of two
        (0.9, 1.3, [0.9, 1, 1.1, 1.2, 1.3]),
        (33.0, 120.0, [40, 60, 80, 100, 120]),
    ],
)
def test_ticks_are_doublings_or_if_there_are_too_few_round_numbers(
    least: float, most: float, ticks: list[float]
) -> None:
    assert doublings(least, most) == pytest.approx(ticks)


@given(st.floats(0.01, 300), st.floats(1.05, 1000))
def test_any_axis_has_a_few_ticks_within_its_ends(least: float, ratio: float) -> None:
    ticks = doublings(least, least * ratio)
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    assert least * 0.999999 <= ticks[0]
    assert ticks[-1] <= least * ratio * 1.000001


def test_a_curve_of_five_and_six_workers_has_speed_ups_at_its_axis() -> None:
    sized = [
        case(took(seconds), name=f"pool(workers={workers})", settings={"workers": workers}, serial_s=20.0)
        for workers, seconds in ((5, 4.0), (6, 3.4))
    ]
    made = [replace(one, workforce=Workforce(workers, 1, workers)) for one, workers in zip(sized, (5, 6), strict=True)]
    (curve,) = curves(run(*made))
    assert re.findall('"end">([0-9.]+)<', curve_on_paper(curve, [])) == ["5", "6", "7"]
