"""The laws of speed-up: planted parameters are found again, and too few sizes are told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.model.case import Demand
from parlab.model.workers import Workforce
from parlab.report.curves import curve_rows
from parlab.report.scaling import CORE, Fit, amdahl, curves, fits, of_the_ideal, too_few, usl
from parlab.results.record import MeasuredCase, Run
from tests.unit.samples import SPEC, case, raised, repeat, run, span, took

SIZES = [1, 2, 4, 8, 16, 32]


def values(fit: Fit) -> dict[str, float]:
    return {parameter.name: parameter.value for parameter in fit.parameters}


@given(st.floats(0.0, 0.5))
def test_a_planted_serial_fraction_is_recovered(serial: float) -> None:
    (fit,) = fits(SIZES[:4], amdahl(np.array(SIZES[:4], float), serial).tolist())
    assert values(fit) == pytest.approx({"serial": serial}, abs=1e-5)
    assert fit.off < 1e-4


@given(st.floats(0.0, 0.3), st.floats(0.0, 0.01))
def test_planted_contention_and_coherency_are_recovered(contention: float, coherency: float) -> None:
    _, fit = fits(SIZES, usl(np.array(SIZES, float), contention, coherency).tolist())
    assert values(fit) == pytest.approx({"contention": contention, "coherency": coherency}, abs=1e-4)


@pytest.mark.parametrize("launches", [1, 3, 10])
@pytest.mark.parametrize(("law", "planted"), [(amdahl, (0.05,)), (usl, (0.05, 0.002))])
def test_the_interval_holds_a_planted_value_about_as_often_as_it_says(
    law: Callable[..., Any], planted: tuple[float, ...], launches: int
) -> None:
    noise = np.random.default_rng(launches)
    workers = np.repeat(np.array(SIZES, float), launches)
    held, runs = np.zeros(len(planted)), 200
    for _ in range(runs):
        of_the_size = np.repeat(noise.normal(0, 0.02, len(SIZES)), launches)  # no further launch averages it out
        measured = law(workers, *planted) * np.exp(of_the_size + noise.normal(0, 0.005, len(workers)))
        (fit,) = (fit for fit in fits(workers.tolist(), measured.tolist()) if len(fit.parameters) == len(planted))
        held += [own.low <= value <= own.high for own, value in zip(fit.parameters, planted, strict=True)]
    assert np.all(held >= 0.90 * runs)
    assert np.all(held <= 0.99 * runs)


@pytest.mark.parametrize(("sizes", "laws"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2)])
def test_amdahl_needs_three_sizes_and_universal_scalability_five(sizes: int, laws: int) -> None:
    workers = SIZES[:sizes] * 3  # launches of the same size are no further sizes
    assert len(fits(workers, amdahl(np.array(workers, float), 0.1).tolist())) == laws
    assert bool(too_few(sizes)) == (laws < 2)


def test_more_than_ideal_is_no_serial_fraction_below_nothing() -> None:
    (fit,) = fits([1, 2, 4], [1.1, 2.2, 4.4])
    (serial,) = fit.parameters
    assert 0.0 <= serial.low <= serial.value < 1e-6


@pytest.mark.parametrize("speedups", [[1.0, 2.0, 4.0, 8.0, 16.0], [1.05, 2.1, 4.2, 8.4, 16.8]])
def test_where_nothing_is_lost_no_limit_is_made_up(speedups: list[float]) -> None:
    first, second = fits(SIZES[:5], speedups)
    assert "these sizes do not tell how much more workers could gain" in first.words()
    assert "these sizes do not tell from how many workers on more are slower" in second.words()


@pytest.mark.parametrize(
    ("serial", "told"),
    [
        (1e-5, "these sizes do not tell how much more workers could gain"),
        (0.02, "If so, no number of workers makes it more than 50 times faster than one."),
        (1.0, "If so, more workers make it no faster."),
    ],
)
def test_what_a_serial_fraction_means_is_told_as_far_as_it_is_known(serial: float, told: str) -> None:
    (fit,) = fits(SIZES[:4], amdahl(np.array(SIZES[:4], float), serial).tolist())
    assert told in fit.words()


def test_what_the_ideal_lacks_by_itself_is_not_told_as_lost() -> None:
    uneven = [sized(workers, seconds, ideal_s=seconds) for workers, seconds in ((1, 8.0), (2, 4.0), (3, 3.0), (6, 1.6))]
    (curve,) = curves(run(*uneven))
    assert "The ideal itself has" in of_the_ideal(curve)
    rounds = [sized(workers, seconds, ideal_s=seconds) for workers, seconds in ((2, 4.0), (3, 4.0), (4, 2.0), (8, 2.0))]
    (curve,) = curves(run(*rounds))
    assert of_the_ideal(curve) == ""  # no such law describes it
    even = [sized(workers, 9.0 / workers, ideal_s=8.0 / workers) for workers in (1, 2, 4)]
    (curve,) = curves(run(*even))
    assert of_the_ideal(curve) == ""


def test_a_law_that_does_not_describe_what_was_measured_says_so_and_nothing_else() -> None:
    (fit,) = fits([2, 3, 4], [2.0, 2.0, 4.0])
    assert not fit.describes
    assert fit.words().startswith("Amdahl's law does not describe these launches: it is up to")
    *_, second = fits(SIZES[:5], [1.0, 3.0, 1.0, 3.0, 1.0])
    assert second.words().startswith("The Universal Scalability Law does not describe")
    assert "shared out" not in fit.words()
    (fit,) = fits([1, 2, 4], [0.9, 0.5, 0.4])  # slower than one
    assert not fit.describes


def test_a_limit_is_told_as_wide_as_its_interval() -> None:
    noise = np.random.default_rng(2).normal(0, 0.01, 6)
    (fit, *_) = fits(SIZES, (amdahl(np.array(SIZES, float), 0.1) * np.exp(noise)).tolist())
    (serial,) = fit.parameters
    assert f"more than {1 / serial.high:.3g} to {1 / serial.low:.3g} times faster" in fit.words()


def test_no_law_is_fitted_to_workers_who_share_cores() -> None:
    shared = [replace(one, workforce=Workforce(one.workers, 1, 2)) for one in map(sized, (1, 2, 4, 8), (8, 4, 4, 4))]
    (curve,) = curves(run(*shared))
    assert curve.sizes == [1, 2, 4, 8]
    assert curve.fitting.sizes == [1, 2]
    assert curve.left_out() == "Not fitted: 4, 8 workers, who have to share cores."
    waiting = [replace(one, tasks=(Demand(0.0, 1.0),)) for one in shared]
    (curve,) = curves(run(*waiting))
    assert curve.fitting.sizes == [1, 2, 4, 8]
    assert curve.left_out() == ""


def test_a_fit_is_told_in_words_with_its_interval_and_range() -> None:
    p = np.array(SIZES, float)
    first, second = fits(SIZES, usl(p, 0.02, 0.001).tolist())
    assert "of the work cannot be shared out" in first.words()
    assert "2.00 % (95 % interval: 2.00 to 2.00 %) of the work waits its turn" in second.words()
    assert "each further worker adds 0.10 % (95 % interval: 0.10 to 0.10 %) of the time" in second.words()
    assert "fastest with about 31 workers." in second.words()
    assert "6 launches with 1 to 32 workers" in second.words()


def sized(workers: int, seconds: float, **facts: Any) -> MeasuredCase:
    made = case(
        took(seconds), name=f"pool(workers={workers}, chunk=1)", settings={"workers": workers, "chunk": 1}, **facts
    )
    return replace(made, workforce=Workforce(workers, 1, workers))


def test_a_curve_has_the_cases_that_differ_in_their_workers_alone() -> None:
    other = case(took(1.0), name="other")
    (curve,) = curves(run(sized(4, 2.0), other, sized(2, 4.0), sized(1, 8.0)))
    assert curve.name == "pool(chunk=1)"
    assert curve.sizes == [1, 2, 4]
    assert curve.points() == ([1, 2, 4], [1.0, 2.0, 4.0])


def test_what_has_no_speedup_makes_no_curve() -> None:
    assert curves(run(sized(1, 8.0, serial_s=None), sized(2, 4.0, serial_s=None))) == []
    assert curves(run(case(raised(complaint="no")), case(repeat([span()])))) == []


def sweep(*times: tuple[int, float]) -> Run:
    """A program's run at these numbers of ranks; a record of an older version names another serial time."""
    sizes = [
        replace(
            sized(ranks, seconds, ideal_s=None, serial_s=99.0), name=f"solver(ranks={ranks})", settings={"ranks": ranks}
        )
        for ranks, seconds in times
    ]
    return run(*sizes, lab="solver", command=("python", "solver.py"), exit_code=0)


def test_the_speed_ups_of_a_sweep_are_against_its_smallest_size_as_on_the_terminal() -> None:
    (curve,) = curves(sweep((2, 1.74), (4, 0.95), (8, 1.26)))
    assert [f"{curve.speedup(case):.2f}" for case in curve.cases] == ["1.00", "1.83", "1.38"]
    assert [f"{curve.efficiency(case):.2f}" for case in curve.cases] == ["1.00", "0.92", "0.35"]
    assert curve.against == "the smallest size, solver(ranks=2)"
    assert curve.points()[1] == pytest.approx([1.0, 1.74 / 0.95, 1.74 / 1.26])
    assert [row[2] for row in curve_rows(curve)] == ["1.00 x", "1.83 x", "1.38 x"]
    (of_a_lab,) = curves(run(sized(1, 8.0), sized(2, 4.0)))
    assert of_a_lab.against == "all tasks one after another on one virtual core"


def test_a_law_is_found_again_in_speed_ups_against_two_workers() -> None:
    p = np.array(SIZES[1:], float)
    (fit, *_) = fits(SIZES[1:], (amdahl(p, 0.1) / amdahl(np.array(2.0), 0.1)).tolist(), least=2)
    assert fit.parameters[0].value == pytest.approx(0.1, abs=1e-3)


def test_a_sweep_over_cores_with_the_same_workers_has_a_curve_over_its_cores() -> None:
    sizes = [
        replace(
            case(took(seconds), name=f"solver(cores={cores})", spec=replace(SPEC, cores=cores), serial_s=8.0),
            settings={"cores": cores},
            workforce=Workforce(1, 1, cores),
            ideal_s=None,
        )
        for cores, seconds in ((4, 2.0), (1, 8.0), (2, 4.0))
    ]
    (curve,) = curves(run(*sizes, lab="solver", command=("python", "solver.py"), exit_code=0))
    assert (curve.counts, curve.sizes, curve.least) == (CORE, [1, 2, 4], 1)
    assert [curve.speedup(one) for one in curve.cases] == pytest.approx([1, 2, 4])
    assert [curve.efficiency(one) for one in curve.cases] == pytest.approx([1, 1, 1])
