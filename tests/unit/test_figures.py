"""Numbers that a case takes itself."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab import lab
from parlab.task.metrics import figure, take_figures


@pytest.fixture(autouse=True)
def _none_taken() -> Iterator[None]:
    take_figures()
    yield
    take_figures()


def test_a_lab_takes_figures_with_what_it_imports() -> None:
    lab.figure("MB/s", 812.5)
    assert take_figures() == {"MB/s": 812.5}


def test_figures_stand_in_the_order_in_which_they_were_taken() -> None:
    for what in ("sent", "a count", "MB/s"):
        figure(what, 1)
    assert list(take_figures()) == ["sent", "a count", "MB/s"]


def test_what_was_taken_is_forgotten_once_it_was_asked_for() -> None:
    figure("messages", 3)
    before = take_figures()
    assert take_figures() == {}
    figure("bytes", 4)
    assert (before, take_figures()) == ({"messages": 3.0}, {"bytes": 4.0})


def test_a_figure_is_a_number() -> None:
    figure("messages", True)
    assert [type(value) for value in take_figures().values()] == [float]
    with pytest.raises(ValueError, match="could not convert"):
        figure("messages", "many")  # type: ignore[arg-type]
    assert take_figures() == {}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_figure_that_no_record_can_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"figure\('MB/s', -?(inf|nan)\): not a number that can be recorded"):
        figure("MB/s", value)
    assert take_figures() == {}


@given(st.lists(st.tuples(st.sampled_from(["MB/s", "messages", "bytes"]), st.integers(-(10**6), 10**6))))
def test_what_is_said_twice_counts_as_it_was_said_last(said: list[tuple[str, int]]) -> None:
    for what, value in said:
        figure(what, value)
    assert take_figures() == dict(said)
