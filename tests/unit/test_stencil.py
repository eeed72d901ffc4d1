"""The stencil: its costs are found in spans again, and a simulation of another kind takes as long."""

from random import Random

import pytest

from parlab.model.span import Span
from parlab.predict.stencil import Stencil, StencilCosts, is_outer, stencil_costs, stencil_s
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
    assert {round(cost, 9) for cost, _ in found.inner} == {planted.EXCHANGE_INNER}
    assert {round(cost, 9) for cost, _ in found.outer} == {planted.EXCHANGE_OUTER}
    assert {round(extra_s, 9) for _, extra_s in (*found.inner, *found.outer)} == {planted.STEP_EXTRA}


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
