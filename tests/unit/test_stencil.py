"""The stencil: its costs are found in spans again, and a simulation of another kind takes as long."""

import statistics
from collections.abc import Iterable
from math import sqrt
from random import Random

import pytest

from parlab.model.span import Span
from parlab.predict.stencil import Stencil, StencilCosts, StepCost, is_outer, stencil_costs, stencil_s, waits_for_all
from tests.unit import planted
from tests.unit.planted import CORES


def test_planted_costs_of_a_stencil_are_found_again() -> None:
    step_s = 0.4
    launches = []
    for nodes in (1, 2, 4):
        spans = planted.stencil_spans(nodes, 30, step_s)
        launches.append((spans, [step_s / nodes / CORES] * len(spans)))
    found = stencil_costs(launches)
    assert found is not None
    assert {round(cost, 9) for steps in found.inner for cost, *_ in steps} == {planted.EXCHANGE_INNER}
    assert {round(cost, 9) for steps in found.outer for cost, *_ in steps} == {planted.EXCHANGE_OUTER}
    assert {round(extra_s, 9) for steps in (*found.inner, *found.outer) for _, extra_s, _ in steps} == {
        planted.STEP_EXTRA
    }


def test_ranks_at_the_edge_of_a_node_are_outer() -> None:
    assert [is_outer(rank, 6, 2) for rank in range(6)] == [False, True, True, True, True, False]
    assert [is_outer(rank, 3, 1) for rank in range(3)] == [True] * 3
    assert not is_outer(0, 1, 1)


def test_a_long_stencil_is_steady() -> None:
    costs = StencilCosts()
    assert stencil_s(Stencil(10_000, 8.0), 4, 2, costs, Random(0)) == pytest.approx(10_000)


@pytest.mark.parametrize("nodes", [1, 2, 3, 8])
def test_a_stencil_takes_as_long_as_in_another_simulation(nodes: int) -> None:
    spans = planted.stencil_spans(2, 30, 0.4)
    costs = stencil_costs([(spans, [0.4 / 2 / CORES] * len(spans)), one_node()])
    assert costs is not None
    taken = planted.took_s(planted.stencil_spans(nodes, 30, 0.4))
    assert stencil_s(Stencil(30, 0.4), nodes, CORES, costs, Random(0)) == pytest.approx(taken)


def one_node() -> tuple[tuple[Span, ...], list[float]]:
    spans = planted.stencil_spans(1, 30, 0.4)
    return spans, [0.4 / CORES] * len(spans)


@pytest.mark.parametrize(("nodes", "steps", "cores"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nothing_to_do_or_nobody_to_do_it_is_an_error(nodes: int, steps: int, cores: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        stencil_s(Stencil(steps, 1.0), nodes, cores, StencilCosts(), Random(0))


@pytest.mark.parametrize("barrier", [False, True])
@pytest.mark.parametrize("held_up_s", [0.0, 0.02, 0.2])
def test_a_barrier_is_told_from_an_exchange_with_neighbours(barrier: bool, held_up_s: float) -> None:
    for seed in range(20):
        draw = Random(seed)
        launches = []
        for nodes in (1, 2, 4):
            spans = planted.stencil_spans(nodes, 30, 0.4, draw, barrier=barrier, held_up_s=held_up_s)
            launches.append((spans, [0.4 / nodes / CORES] * len(spans)))
        assert waits_for_all(launches) == barrier


def test_ranks_without_any_spread_tell_nothing_of_a_barrier() -> None:
    for nodes in (1, 4):
        spans = planted.stencil_spans(nodes, 30, 0.4)
        assert not waits_for_all([(spans, [0.4 / nodes / CORES] * len(spans))])


def ranks_of(steps: Iterable[StepCost]) -> tuple[tuple[StepCost, ...], ...]:
    """The steps of a rank for each length."""
    found: dict[float, list[StepCost]] = {}
    for step in steps:
        found.setdefault(step.demand_s, []).append(step)
    return tuple(map(tuple, found.values()))


def test_what_each_step_costs_and_what_each_second_costs_are_told_apart() -> None:
    steps = tuple(StepCost(0.0, 0.001 + 0.03 * demand_s, demand_s) for demand_s in (0.1, 0.2, 0.4) for _ in range(5))
    costs = StencilCosts(steps, ranks_of(steps), ranks_of(steps))
    assert costs.extra_per_s == pytest.approx(0.03)
    assert stencil_s(Stencil(10, 0.08), 4, 2, costs, Random(0)) == pytest.approx(10 * (0.01 * 1.03 + 0.001))


def test_disturbances_at_random_times_are_as_many_as_there_is_time() -> None:
    draw = Random(0)
    demands_s = [0.1, 0.2, 0.4] * 2000
    steps = [StepCost(0.0, draw.gauss(0.01, sqrt(1e-6 + 1e-5 * demand_s)), demand_s) for demand_s in demands_s]
    costs = StencilCosts(tuple(steps), ranks_of(steps), ranks_of(steps))
    assert costs.variance_per_s == pytest.approx(1e-5, rel=0.2)
    lengths = [length_s for rank in costs.with_demand(ranks_of(steps), 0.02) for _, length_s in rank]
    assert statistics.pvariance(lengths) == pytest.approx(1.2e-6, rel=0.3)
    assert statistics.mean(lengths) == pytest.approx(0.03, rel=0.05)


def test_steps_of_one_length_do_not_tell_them_apart() -> None:
    steps = (StepCost(0.0, 0.002, 0.1),) * 5
    assert StencilCosts(steps, (steps,), (steps,)).extra_per_s == 0


def test_a_rank_that_makes_up_for_lost_time_does_so_in_the_simulation_too() -> None:
    steps = (StepCost(0.0, 0.02, 0.1), StepCost(0.0, -0.02, 0.1)) * 20
    costs = StencilCosts((StepCost(0.0, 0.0, 0.1),), (steps,), (steps,))
    assert stencil_s(Stencil(41, 0.1), 1, 1, costs, Random(0)) == pytest.approx(4.1, abs=0.03)
