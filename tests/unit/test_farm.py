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
from parlab.predict.farm import Farm, FarmCosts, VisitCost, farm_s, hierarchy_s
from parlab.predict.farm_costs import FarmSamples, farm_samples
from tests.unit.planted import BACK, CORES, EXTRA, OUT, RECEIVE, SEND, farm_spans, took_s

VISITS = (VisitCost(OUT, EXTRA),)
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
    assert farm_s(replace(farm, tasks=many + more), workers, PLANTED, Random(0)) >= taken
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
        long = farm_s(farm, workers, PLANTED, Random(0))
        assert short == pytest.approx(long, rel=0.005, abs=2 * max(farm.tasks_s))  # it may end in another round


@pytest.mark.parametrize("tasks_s", [(0.01,), tuple(range(1, 64)), tuple(range(1, 1002)), (1.0, 2.0, 3.0, 4.0) * 8])
@pytest.mark.parametrize("chunk", [1, 7])
def test_no_number_of_tasks_needs_more_than_a_few_rounds(tasks_s: tuple[float, ...], chunk: int) -> None:
    for workers in (1, 3, 8192):
        farm = Farm(tasks_s, 10_000_000, chunk)
        _, left_out = farms._left_out(farm, workers)
        assert farm.chunks - len(left_out) < 2 * farms.MOST + 11 * workers


@pytest.mark.parametrize(
    ("tasks_s", "cycle"), [((1, 2, 3, 4) * 8, 4), ((1,) * 9, 1), ((1, 2, 1), 3), ((1, 2, 2, 1), 4)]
)
def test_a_cycle_is_as_short_as_the_demands_allow(tasks_s: tuple[float, ...], cycle: int) -> None:
    assert Farm(tasks_s, 100).cycle == cycle


@pytest.mark.parametrize("workers", [3, 500, 3000])
@pytest.mark.parametrize("chunk", [1, 2, 50])
@pytest.mark.parametrize("task_s", [0.01, 1.0])
@pytest.mark.parametrize(("count", "in_order"), [(63, False), (4_973, False), (4_973, True), (30_011, False)])
def test_rounds_of_unequal_tasks_are_left_out_too(
    workers: int, chunk: int, task_s: float, count: int, in_order: bool
) -> None:
    draw = Random(1)
    demands_s = [draw.uniform(0.5 * task_s, 1.5 * task_s) for _ in range(count)]
    farm = Farm(tuple(sorted(demands_s) if in_order else demands_s), 100_000 * min(chunk, 10), chunk)
    short = farm_s(farm, workers, PLANTED, Random(0))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(farms, "STEADY", 10**9)
        assert not farms._left_out(farm, workers)[1]
        long = farm_s(farm, workers, PLANTED, Random(0))
    assert short == pytest.approx(long, rel=0.03, abs=chunk * max(farm.tasks_s))


@settings(max_examples=30, deadline=None)
@given(tasks=st.integers(1, 70), workers=st.integers(1, 8), chunk=st.integers(1, 9), extra_s=st.floats(0, 0.1))
def test_each_task_of_a_chunk_costs_its_own_extra(tasks: int, workers: int, chunk: int, extra_s: float) -> None:
    visits = (VisitCost(0.0, extra_s),)
    dear = farm_s(Farm((0.05,), tasks, chunk), workers, FarmCosts(first=visits, later=visits), Random(0))
    assert dear == pytest.approx(farm_s(Farm((0.05 + extra_s,), tasks, chunk), workers, FarmCosts(), Random(0)))


def test_what_a_first_visit_costs_more_is_not_paid_for_each_task_of_a_chunk() -> None:
    costs = FarmCosts(first=(VisitCost(0.0, 0.3),), later=(VisitCost(0.0, 0.002),))
    taken_s = farm_s(Farm((0.05,), 640, 32), 20, costs, Random(0))
    assert taken_s == pytest.approx(32 * 0.05 + 0.3 + 31 * 0.002)


def test_the_extra_of_a_chunk_varies_as_the_sum_of_as_many_draws() -> None:
    costs = FarmCosts(later=(VisitCost(0.0, 0.0), VisitCost(0.0, 0.01)), first=(VisitCost(0.0, 0.0),))
    farm = Farm((1.0,), 17, 17)
    taken_s = [farm_s(farm, 1, costs, Random(seed)) for seed in range(400)]
    assert statistics.mean(taken_s) == pytest.approx(17 + 16 * 0.005, rel=0.001)
    assert statistics.pstdev(taken_s) == pytest.approx(4 * 0.005, rel=0.1)


def test_chunks_keep_a_master_busy_with_more_workers_by_the_extra_of_each_task() -> None:
    assert PLANTED.visit_s(10 * 0.05, tasks=10) == pytest.approx(OUT + 10 * (0.05 + EXTRA) + BACK)
    most = PLANTED.most_workers(10 * 0.001, tasks=10)
    farm = Farm((0.001,), 100_000, 10)
    times = {part: farm_s(farm, round(part * most), PLANTED, Random(0)) for part in (0.5, 1, 2)}
    assert times[0.5] > 1.8 * times[1]
    assert times[2] == pytest.approx(times[1], rel=0.1)


def test_a_sub_master_for_all_is_one_master_and_the_way_to_it() -> None:
    farm = Farm((0.05,), 640)
    alone = farm_s(farm, 64, PLANTED, Random(0))
    assert hierarchy_s(farm, 64, 64, PLANTED, Random(0)) == pytest.approx(alone, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(
    tasks=st.integers(1, 400),
    workers=st.integers(1, 60),
    group=st.integers(1, 70),
    chunk=st.integers(1, 5),
)
def test_sub_masters_never_beat_the_ideal(tasks: int, workers: int, group: int, chunk: int) -> None:
    farm = Farm((0.05,), tasks, chunk)
    ideal_s = farm_s(farm, workers, FarmCosts(), Random(0))
    for costs in (FarmCosts(), PLANTED):
        assert hierarchy_s(farm, workers, min(group, workers), costs, Random(0)) >= ideal_s - 1e-9


@settings(max_examples=60, deadline=None)
@given(units=UNITS, workers=st.integers(1, 40), group=st.integers(1, 40), chunk=st.integers(1, 5))
def test_sub_masters_never_do_more_work_than_their_workers_can(
    units: list[int], workers: int, group: int, chunk: int
) -> None:
    farm = Farm(tuple(map(float, units)), 3 * len(units), chunk)
    taken_s = hierarchy_s(farm, workers, min(group, workers), FarmCosts(), Random(0))
    assert taken_s >= 3 * sum(units) / workers - 1e-9


def test_a_last_group_is_no_smaller_than_the_others_by_more_than_one() -> None:
    assert hierarchy_s(Farm((0.05,), 2100), 21, 10, FarmCosts(), Random(0)) == pytest.approx(5.0)


def test_a_receipt_that_never_waited_is_taken_to_cost_what_a_submission_does() -> None:
    found = FarmSamples((0.1, 0.2, 0.3), (), VISITS, (), (0.5,), 1.0)
    assert not found.receipts_seen
    assert found.costs().receive_s == 0.2
    assert found.costs().later == VISITS


@pytest.mark.parametrize(("workers", "many", "chunk"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nothing_to_do_or_nobody_to_do_it_is_an_error(workers: int, many: int, chunk: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        farm_s(Farm((1.0,), many, chunk), workers, FarmCosts(), Random(0))
