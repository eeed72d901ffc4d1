"""Where a result differs from the serial one, in words."""

from typing import Any

import pytest

from parlab.lab import Lab
from parlab.node.compare import difference
from parlab.node.harness import unlike

np = pytest.importorskip("numpy")
NAN = float("nan")


@pytest.mark.parametrize(
    ("ours", "serial", "words"),
    [
        ([1, 5], [1, 4], "result 1 is 5, the serial solution's is 4"),
        ([1], [1, 4], "got 1 results, the serial solution gives 2"),
        (3, 4, "got 3, the serial solution gives 4"),
        ([1], (1,), "got [1], the serial solution gives (1,)"),
        ([[1, 2], [3]], [[1, 2], [3, 4]], "result 1 has 1 items, the serial solution's has 2"),
        ([{"a": [1, 2]}], [{"a": [1, 3]}], "result 0['a'][1] is 2, the serial solution's is 3"),
        ({"a": 1}, {"a": 1, "b": 2}, "the result has no key 'b', unlike the serial solution's"),
        ({"a": 1, "c": 1}, {"a": 1}, "the result has a key 'c', unlike the serial solution's"),
        (np.arange(4), np.array([0, 1, 7, 3]), "result 2 is 2, the serial solution's is 7"),
        (
            [np.zeros(2), np.ones((2, 2))],
            [np.zeros(2), np.eye(2)],
            "result 1[0, 1] is 1.0, the serial solution's is 0.0",
        ),
        ([np.zeros(3)], [np.zeros(1)], "result 0 has shape (3,), the serial solution's has shape (1,)"),
        ([np.zeros(2)], [0.0], "result 0 has shape (2,), the serial solution's has 0.0"),
        ([NAN], [NAN], "result 0 is nan, the serial solution's is nan; NaN equals nothing: compare by Lab(same=)"),
        (np.array([1, NAN]), np.array([1, NAN]), "result 1 is nan, the serial solution's is nan; NaN equals nothing"),
        (np.array(["a"]), np.array(["b"]), "result 0 is 'a', the serial solution's is 'b'"),
        (np.float64(1), 2, "got np.float64(1.0), the serial solution gives 2"),
    ],
)
def test_a_difference_is_told_with_its_place(ours: Any, serial: Any, words: str) -> None:
    assert difference(ours, serial).startswith(words)


class Contrary:
    """Compares with nothing."""

    def __eq__(self, other: object) -> bool:
        raise TypeError("never")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        None,
        [1, 2.5, "a"],
        {"a": [np.arange(3), {"b": (1, 2)}]},
        np.zeros((0, 3)),
        np.zeros((3, 2)),
        np.int64(4),
    ],
)
def test_what_is_equal_has_no_difference(value: Any) -> None:
    assert difference(value, value) == ""


def test_numbers_of_libraries_are_numbers() -> None:
    assert difference([np.int64(4), 1.0], [4, np.float64(1)]) == ""


def test_what_cannot_be_compared_is_not_the_same() -> None:
    assert difference([Contrary()], [Contrary()]).startswith("result 0 is <")


def test_a_lab_may_have_a_measure_of_its_own() -> None:
    near = Lab(unit=1, same=lambda ours, serial: abs(ours - serial) < 0.1)
    assert unlike(1.05, 1.0, near) == ""
    assert unlike(1.05, 1.0, Lab(unit=1)) == "got 1.05, the serial solution gives 1.0"
    assert unlike(1.5, 1.0, near) == "got 1.5, the serial solution gives 1.0"
    assert "`same` says no" in unlike(1, 1, Lab(unit=1, same=lambda *_: False))
