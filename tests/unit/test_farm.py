"""The farm: its costs are found in spans again, and the simulation keeps to bounds that nothing escapes."""

import statistics
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlab.analysis.ideal import schedule
from parlab.model.case import Demand
from parlab.model.workers import Workforce
from parlab.predict import farm as farms
from parlab.predict.farm import Farm, FarmCosts, Visit, farm_s, hierarchy_s
from parlab.predict.farm_costs import FarmSamples, farm_samples
from tests.unit.planted import BACK, CORES, EXTRA, OUT, RECEIVE, SEND, farm_spans, took_s

VISITS = (Visit(OUT, EXTRA),)
PLANTED = FarmCosts(SEND, RECEIVE, VISITS, VISITS, (BACK,))
UNITS = st.lists(st.integers(1, 5), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(units=UNITS, workers=st.integers(1, 40), chunk=st.integers(1, 5))
def test_without_costs_the_prediction_is_the_ideal(units: list[int], workers: int, chunk: int) -> None:
    ideal = schedule([Demand(one, 0.0) for one in units], Workforce(workers, 1, workers, chunk))
    farm = Farm(tuple(map(float, units)), len(units), chunk)
    assert farm_s(farm, workers, FarmCosts(), Random(0)) == pytest.approx(max(slot.finished for slot in ideal))


@settings(max_examples=40, deadline=None)
@given(units=UNITS, nodes=st.integers(1, 20))
def test_it_takes_as_long_as_in_another_simulation(units: list[int], nodes: int) -> None:
    tasks_s = [unit / 500 for unit in units]
    farm = Farm(tuple(tasks_s), len(units))
    assert farm_s(farm, nodes * CORES, PLANTED, Random(0)) == pytest.approx(took_s(farm_spans(nodes, tasks_s)))


def test_planted_costs_of_a_farm_are_found_again() -> None:
    tasks_s = [0.001] * 400
    found = farm_samples([(farm_spans(nodes, tasks_s, Random(nodes)), tasks_s) for nodes in (1, 2, 4)])
    costs = found.costs()
    assert found.receipts_seen
    assert [costs.send_s, costs.receive_s] == pytest.approx([SEND, RECEIVE], rel=0.05)
    assert statistics.mean(costs.back_s) == pytest.approx(BACK, rel=0.05)
    for visits in (costs.first, costs.later):
        assert statistics.mean(visit.out_s for visit in visits) == pytest.approx(OUT, rel=0.1)
        assert statistics.mean(visit.extra_s for visit in visits) == pytest.approx(EXTRA, rel=0.1)


@pytest.mark.parametrize("head_cpus", [1.0, 0.5, 0.1])
def test_one_master_hands_out_one_over_the_cost_of_a_task(head_cpus: float) -> None:
    costs = replace(PLANTED, head_cpus=head_cpus)
    assert costs.chunks_a_second == pytest.approx(head_cpus / (SEND + RECEIVE))
    many = 100_000
    assert farm_s(Farm((0.01,), many), 8192, costs, Random(0)) == pytest.approx(many / costs.chunks_a_second, rel=0.02)


def test_from_the_size_on_that_keeps_a_master_busy_more_workers_gain_nothing() -> None:
    farm = Farm((0.1,), 20_000)
    most = PLANTED.most_workers(0.1)
    times = {part: farm_s(farm, round(part * most), PLANTED, Random(0)) for part in (0.5, 1, 2, 8)}
    assert times[0.5] > 1.9 * times[1]
    assert times[8] == pytest.approx(times[2], rel=0.02)
    assert times[2] == pytest.approx(times[1], rel=0.1)


@settings(max_examples=30, deadline=None)
@given(many=st.integers(1, 300), workers=st.integers(1, 50), more=st.integers(1, 100))
def test_more_tasks_or_dearer_ones_take_no_less(many: int, workers: int, more: int) -> None:
    farm = Farm((0.01,), many)
    taken = farm_s(farm, workers, PLANTED, Random(0))
    assert farm_s(replace(farm, many=many + more), workers, PLANTED, Random(0)) >= taken
    assert farm_s(farm, workers, replace(PLANTED, send_s=SEND * (1 + more)), Random(0)) >= taken - 1e-9
    assert farm_s(farm, workers, replace(PLANTED, head_cpus=1 / (1 + more)), Random(0)) >= taken - 1e-9
    assert taken >= farm_s(farm, workers, FarmCosts(), Random(0))


@settings(max_examples=20, deadline=None)
@given(units=st.lists(st.integers(1, 4), min_size=1, max_size=7), workers=st.sampled_from([3, 16, 100]))
def test_rounds_that_are_left_out_take_as_long_as_those_that_are_simulated(units: list[int], workers: int) -> None:
    farm = Farm(tuple(unit / 50 for unit in units), 20_011)
    short = farm_s(farm, workers, PLANTED, Random(0))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(farms, "STEADY", 10**9)
        assert short == pytest.approx(farm_s(farm, workers, PLANTED, Random(0)), rel=0.005)


def test_no_number_of_tasks_needs_more_than_a_few_rounds() -> None:
    for workers in (1, 3, 8192):
        _, left_out = farms._left_out(Farm((0.01,), 10_000_000), workers)
        assert 10_000_000 - len(left_out) < max(10_000, 10 * workers)


def test_a_sub_master_for_all_is_one_master_and_the_way_to_it() -> None:
    farm = Farm((0.05,), 640)
    alone = farm_s(farm, 64, PLANTED, Random(0))
    assert hierarchy_s(farm, 64, 64, PLANTED, Random(0)) == pytest.approx(alone, rel=0.02)


def test_a_receipt_that_never_waited_is_taken_to_cost_what_a_submission_does() -> None:
    found = FarmSamples((0.1, 0.2, 0.3), (), VISITS, (), (0.5,), 1.0)
    assert not found.receipts_seen
    assert found.costs().receive_s == 0.2
    assert found.costs().later == VISITS


@pytest.mark.parametrize(("workers", "many", "chunk"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nothing_to_do_or_nobody_to_do_it_is_an_error(workers: int, many: int, chunk: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        farm_s(Farm((1.0,), many, chunk), workers, FarmCosts(), Random(0))
