"""The ideal schedule."""

import pytest

from parlab.lab import Units
from parlab.predict import ideal_units

WAITS = [Units(0, units) for units in (3, 5, 10, 15, 17, 20)]  # lesson 001


@pytest.mark.parametrize(("workers", "units"), [(1, 70), (4, 25), (8, 20)])
def test_the_waits_of_lesson_001_take_70_25_and_20_units(workers: int, units: float) -> None:
    assert ideal_units(WAITS, workers) == units


@pytest.mark.parametrize(("workers", "units"), [(2, 16), (4, 8), (8, 4), (5, 7), (100, 1)])
def test_equal_tasks_take_whole_rounds(workers: int, units: float) -> None:
    assert ideal_units([Units(1, 0)] * 32, workers) == units
