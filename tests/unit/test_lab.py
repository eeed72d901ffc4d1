"""What a lab file is written with."""

import time
from fractions import Fraction
from typing import Any

import pytest

from parlab.lab import BOUNDS, Lab, approx, burn, pace, wait
from parlab.model.case import Demand
from parlab.node.failure import plain
from parlab.node.reference import reference


def half(number: int) -> float:
    burn(number)
    wait(0.5)
    return number / 2


def test_the_serial_solution_gives_tasks_and_results() -> None:
    lab = Lab(unit=1)

    @lab.serial
    def one_after_another(task=half):  # type: ignore[no-untyped-def]
        return [task(number) for number in (1, 3)]

    assert reference(lab) == ([Demand(1, 0.5), Demand(3, 0.5)], [0.5, 1.5])


def test_a_lab_without_a_serial_solution_says_so() -> None:
    with pytest.raises(ValueError, match=r"add @lab\.serial"):
        reference(Lab(unit=1))


def test_approx_accepts_both_ends_of_its_tolerance() -> None:
    assert approx(20, rel=0.05) == 21
    assert approx(20, rel=0.05) != 21.1
    assert approx(20, rel=0.05) == 19.0


# The settings of the serial solution.


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({"workers": 4, "size": 5}, (4, 5)),
        ({"workers": 4, "chunk": 2, "start": "fork"}, (4, 3)),
        ({"workers": None, "size": 0}, (None, 0)),
    ],
)
def test_the_serial_solution_gets_those_settings_that_it_takes(
    settings: dict[str, Any], taken: tuple[int | None, int]
) -> None:
    lab = Lab(unit=1)

    @lab.serial
    def one_after_another(task: Any = half, *, workers: int, size: int = 3) -> tuple[int, int]:
        return workers, size

    assert reference(lab, settings) == ([], taken)


def test_the_tasks_of_a_problem_may_depend_on_the_settings() -> None:
    lab = Lab(unit=1)

    @lab.serial
    def one_a_worker(task: Any = half, *, workers: int) -> list[float]:
        return [task(number) for number in range(workers)]

    for workers in (1, 4):
        tasks, results = reference(lab, {"workers": workers, "chunk": 2})
        assert len(tasks) == len(results) == workers


# Tasks that pace themselves.


def adds(steps: int) -> None:
    for _ in range(steps):
        sum(range(1000))


def adds_and_paces(steps: int) -> None:
    for _ in range(steps):
        adds(1)
        pace()


def asked_for(task: Any, *numbers: int) -> tuple[list[Demand], float]:
    """What each of these tasks asks for, and the CPU time that it took to find out."""
    lab = Lab(unit=1)
    lab.serial(lambda task=task: [task(number) for number in numbers])
    began = time.thread_time()
    tasks, _ = reference(lab)
    return tasks, time.thread_time() - began


def test_in_a_launch_a_lab_has_the_unit_and_speed_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLAB_SPEED", "0.0625")
    monkeypatch.setenv("PARLAB_UNIT", "0.25")
    lab = Lab(unit=1, speed=1 / 8)
    assert (lab.unit, lab.speed) == (0.25, Fraction(1, 16))


@pytest.mark.parametrize(("speed", "unit"), [(0.125, 0.5), (1.0, 0.01), (0.5, 4.0)])
def test_a_task_that_paces_is_charged_its_cpu_time_as_units_of_a_virtual_core(
    speed: float, unit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLAB_SPEED", str(speed))
    monkeypatch.setenv("PARLAB_UNIT", str(unit))
    tasks, cpu_s = asked_for(adds_and_paces, 500, 500)
    charged = sum(task.burned for task in tasks)
    assert 0.5 * cpu_s / (speed * unit) <= charged <= cpu_s / (speed * unit)
    assert {task.waited for task in tasks} == {0.0}


def test_of_tasks_that_pace_the_longer_is_charged_more() -> None:
    (short, long), _ = asked_for(adds_and_paces, 100, 1000)
    assert long.burned > 2 * short.burned > 0


def test_a_task_that_does_not_pace_is_not_charged_what_it_computes() -> None:
    tasks, cpu_s = asked_for(adds, 200, 200)
    assert cpu_s > 0
    assert tasks == [Demand(0, 0)] * 2


def test_one_task_that_paces_does_not_have_the_others_charged() -> None:
    def paces_sometimes(number: int) -> None:
        (adds_and_paces if number else adds)(100)

    (first, second, third), _ = asked_for(paces_sometimes, 0, 1, 0)
    assert first == third == Demand(0, 0)
    assert second.burned > 0


def test_a_task_may_pace_and_burn_and_wait() -> None:
    def does_all(number: int) -> None:
        adds_and_paces(100)
        half(number)

    ((burned, waited),), cpu_s = asked_for(does_all, 2)
    assert 2 < burned <= 2 + cpu_s
    assert waited == 0.5


# What must come out.


def test_an_expectation_may_name_what_it_needs() -> None:
    lab = Lab(unit=1)

    @lab.expect
    def it_halves(cases: Any) -> None: ...

    @lab.expect(limits=True)
    def it_is_held_back(cases: Any) -> None: ...

    @lab.expect(limits=True, cpus=2)
    def it_uses_both_cpus(cases: Any) -> None: ...

    assert [(made.name, made.limits, made.cpus) for made in lab.expectations] == [
        ("it halves", False, 0.0),
        ("it is held back", True, 0.0),
        ("it uses both cpus", True, 2),
    ]


@pytest.mark.parametrize(
    ("needs", "must"),
    [({}, True), ({"limits": True}, True), ({"cpus": 1.0}, False), ({"limits": True, "cpus": 2}, False)],
)
def test_what_needs_no_cpus_must_be_shown_on_a_cluster_of_two(needs: dict[str, Any], must: bool) -> None:
    lab = Lab(unit=1)
    lab.expect(**needs)(half)
    assert [made.declared.required for made in lab.expectations] == [must]


def test_an_expectation_is_still_the_function() -> None:
    def it_halves(cases: Any) -> None: ...

    lab = Lab(unit=1)
    assert lab.expect(it_halves) is lab.expect(limits=True)(it_halves) is it_halves


def test_a_lab_bounds_its_own_settings_and_may_narrow_the_common_ones() -> None:
    assert Lab(unit=1).bounds == BOUNDS
    assert Lab(unit=1, bounds={"size": (10, 500), "workers": (2, 8)}).bounds == {
        "workers": (2, 8),
        "chunk": BOUNDS["chunk"],
        "size": (10, 500),
    }


@pytest.mark.parametrize("kind", ["float64", "int64"])
def test_a_lab_may_count_in_numpys_numbers(kind: str) -> None:
    number = getattr(pytest.importorskip("numpy"), kind)
    lab = Lab(unit=1)

    def work(units: Any) -> Any:
        burn(units)
        return units

    @lab.serial
    def serial(task: Any = work) -> Any:
        return [task(number(2))]

    (demand,), _ = reference(lab)
    assert [type(units) for units in demand] == [float, float]
    assert demand == Demand(2, 0)


def test_what_an_error_says_can_be_sent_whatever_is_in_it() -> None:
    assert plain("caf\xe9 \udcff") == "caf\xe9 \\udcff"
