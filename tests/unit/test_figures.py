"""Numbers that a case takes itself."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab import lab
from parlab.task.metrics import metric, take_metrics


@pytest.fixture(autouse=True)
def _none_taken() -> Iterator[None]:
    take_metrics()
    yield
    take_metrics()


def test_a_lab_takes_figures_with_what_it_imports() -> None:
    lab.metric("MB/s", 812.5)
    assert take_metrics() == {"MB/s": 812.5}


def test_figures_stand_in_the_order_in_which_they_were_taken() -> None:
    for what in ("sent", "a count", "MB/s"):
        metric(what, 1)
    assert list(take_metrics()) == ["sent", "a count", "MB/s"]


def test_what_was_taken_is_forgotten_once_it_was_asked_for() -> None:
    metric("messages", 3)
    before = take_metrics()
    assert take_metrics() == {}
    metric("bytes", 4)
    assert (before, take_metrics()) == ({"messages": 3.0}, {"bytes": 4.0})


def test_a_figure_is_a_number() -> None:
    metric("messages", True)
    assert [type(value) for value in take_metrics().values()] == [float]
    with pytest.raises(ValueError, match="could not convert"):
        metric("messages", "many")  # type: ignore[arg-type]
    assert take_metrics() == {}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_figure_that_no_record_can_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"metric\('MB/s', -?(inf|nan)\): not a number that can be recorded"):
        metric("MB/s", value)
    assert take_metrics() == {}


@given(st.lists(st.tuples(st.sampled_from(["MB/s", "messages", "bytes"]), st.integers(-(10**6), 10**6))))
def test_what_is_said_twice_counts_as_it_was_said_last(said: list[tuple[str, int]]) -> None:
    for what, value in said:
        metric(what, value)
    assert take_metrics() == dict(said)
