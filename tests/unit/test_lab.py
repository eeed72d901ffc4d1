"""What a lab file is written with."""

import pytest

from parlab.lab import Lab, Units, approx, burn, wait
from parlab.node.harness import difference


def half(number: int) -> float:
    burn(number)
    wait(0.5)
    return number / 2


def test_the_serial_solution_gives_tasks_and_results() -> None:
    lab = Lab(unit=1)

    @lab.serial
    def one_after_another(task=half):  # type: ignore[no-untyped-def]
        return [task(number) for number in (1, 3)]

    assert lab.reference() == ([Units(1, 0.5), Units(3, 0.5)], [0.5, 1.5])


def test_a_lab_without_a_serial_solution_says_so() -> None:
    with pytest.raises(ValueError, match=r"add @lab\.serial"):
        Lab(unit=1).reference()


def test_lists_among_the_settings_make_cases() -> None:
    lab = Lab(unit=1)
    lab.case(launch="mpi4py.futures", workers=[4, 8], chunk=1)(half)
    assert [case.name for case in lab.cases] == ["half(workers=4, chunk=1)", "half(workers=8, chunk=1)"]


def test_an_unknown_launch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"launch='telepathy'"):
        Lab(unit=1).case(launch="telepathy")


def test_approx_accepts_both_ends_of_its_tolerance() -> None:
    assert approx(20, rel=0.05) == 21
    assert approx(20, rel=0.05) != 21.1
    assert approx(20, rel=0.05) == 19.0


@pytest.mark.parametrize(
    ("ours", "serial", "words"),
    [
        ([1, 5], [1, 4], "result 1 is 5, the serial solution's is 4"),
        ([1], [1, 4], "got 1 results, the serial solution gives 2"),
        (3, 4, "got 3, the serial solution gives 4"),
    ],
)
def test_a_difference_is_told_in_words(ours: object, serial: object, words: str) -> None:
    assert difference(ours, serial) == words
