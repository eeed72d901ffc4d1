"""The prediction: its interval, what it compares with, and the records that cannot give one."""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from parlab.errors import UsageError
from parlab.model.case import FUTURES, PYTHON
from parlab.model.workers import Workforce
from parlab.predict.evidence import evidence
from parlab.predict.prediction import predict
from parlab.results.alike import LAB_FILE
from parlab.results.record import Answer, Run
from tests.unit import planted
from tests.unit.planted import SPEC, a_case, farm_run, farm_spans, stencil_run, took_s
from tests.unit.samples import failed_run, run, verdict

Truth = Callable[[Random], float]


@pytest.mark.parametrize(
    ("make", "truth"),
    [
        pytest.param(
            lambda seed: farm_run(seed=seed), lambda draw: took_s(farm_spans(16, [0.05] * 64, draw)), id="farm"
        ),
        pytest.param(
            lambda seed: farm_run(task_s=0.002, seed=seed),
            lambda draw: took_s(farm_spans(16, [0.002] * 64, draw)),
            id="busy master",
        ),
        pytest.param(
            lambda seed: stencil_run(seed=seed),
            lambda draw: took_s(planted.stencil_spans(16, 30, 0.4, draw)),
            id="stencil",
        ),
    ],
)
def test_the_interval_holds_what_comes_out_in_90_to_99_percent(make: Callable[[int], Run], truth: Truth) -> None:
    held, tries = 0, 100
    for seed in range(tries):
        (size,) = predict(evidence([make(seed)]), [16], seed=seed).sizes
        held += size.low_s <= truth(Random(f"truth {seed}")) <= size.high_s
    assert 0.90 <= held / tries <= 0.99, held


@pytest.mark.measures
def test_a_million_tasks_on_4096_nodes_in_bounded_work() -> None:
    made = evidence([farm_run(seed=1)])
    began = time.thread_time()
    found = predict(made, [1, 4, 16, 64, 256, 1024, 4096], tasks=1_000_000)
    assert time.thread_time() - began < 10
    assert found.tasks == 1_000_000


def test_chunks_and_sub_masters_help_where_one_master_is_too_slow() -> None:
    made = predict(evidence([farm_run()]), [1, 4096], tasks=1_000_000)
    assert made.master is not None
    alone = made.sizes[-1].predicted_s
    assert made.master.busy_at < 100
    assert made.master.chunk > 1
    assert made.master.chunk_s < 0.2 * alone
    assert made.master.group is not None
    assert made.master.group_s is not None
    assert made.master.group_s < 0.2 * alone
    few = predict(evidence([farm_run()]), [1, 2]).master
    assert few is not None
    assert few.group is None


def test_a_larger_size_in_the_records_is_compared_and_not_fitted() -> None:
    whole = farm_run((1, 2, 4, 16), seed=3)
    basis = evidence([whole])
    assert basis.fitted == (1, 2, 4)
    assert basis.costs == evidence([replace(whole, cases=whole.cases[:3])]).costs
    four, sixteen = predict(basis, [4, 16]).sizes
    assert four.fitted
    assert not sixteen.fitted
    assert sixteen.off_by == pytest.approx(0, abs=0.02)
    assert all(size.off_by is None for size in predict(basis, [4, 16], tasks=65).sizes)


def test_sizes_may_come_from_several_records() -> None:
    one, two, sixteen = (replace(farm_run([size], seed=5), id=f"2026-{size}") for size in (1, 2, 16))
    basis = evidence([sixteen, two, one])
    assert basis.fitted == (1, 2)
    assert list(basis.measured_s) == [1, 2, 16]
    assert basis.runs == ("2026-16", "2026-2", "2026-1")


def test_the_same_seed_gives_the_same_prediction() -> None:
    basis = evidence([farm_run(seed=1)])
    assert predict(basis, [8], seed=7) == predict(basis, [8], seed=7) != predict(basis, [8], seed=8)


@pytest.mark.parametrize("made", [farm_run(seed=1), stencil_run(seed=1)])
def test_a_size_comes_out_the_same_whatever_others_are_asked(made: Run) -> None:
    basis = evidence([made])
    (alone,) = predict(basis, [8]).sizes
    assert predict(basis, [2, 8, 16]).sizes[1] == alone


def test_predictions_fall_until_the_tasks_are_used_up() -> None:
    sizes = predict(evidence([farm_run(seed=2)]), [1, 2, 4, 8, 16]).sizes
    assert all(small.predicted_s > 1.5 * large.predicted_s for small, large in pairwise(sizes))


def others(made: Run, **facts: object) -> Run:
    return replace(made, cases=tuple(replace(case, **facts) for case in made.cases))  # type: ignore[arg-type]


def longest_first() -> Run:
    """A farm of tasks of 1 to 4 units that submits the longest first, which its serial solution does not."""
    units = [1 + number % 4 for number in range(64)]
    cases = []
    for size in (1, 2, 4):
        demands_s = [SPEC.unit * unit for unit in units]
        case = a_case(size, farm_spans(size, sorted(demands_s)[::-1]), demands_s, FUTURES, "pool(")
        cases.append(case)
    return replace(farm_run(), cases=tuple(cases))


def slower(made: Run, nodes: int, factor: float) -> Run:
    """The same, but on so many nodes something else takes time at the end, which no cost explains."""
    cases = []
    for case in made.cases:
        spans = list(case.repeats[0].spans)
        if case.spec.nodes == nodes:
            spans[-1] = replace(spans[-1], received=spans[-1].received + (factor - 1) * case.measured_s)
        cases.append(replace(case, repeats=(replace(case.repeats[0], spans=tuple(spans)),)))
    return replace(made, cases=tuple(cases))


def test_a_size_of_other_work_is_not_compared() -> None:
    for other in (farm_run((8,), tasks=16), farm_run((8,), tasks=32, task_s=0.1)):
        one = farm_run()
        basis = evidence([replace(one, cases=(*one.cases, *other.cases))])
        assert list(basis.measured_s) == [1, 2, 4]
        assert basis.left_out == {8: "it does other work there"}
        assert evidence([one, replace(other, id="2026-other")]).runs == (one.id,)
    one, other = stencil_run(), stencil_run((8,), steps=20)
    basis = evidence([replace(one, cases=(*one.cases, *other.cases))])
    assert list(basis.measured_s) == [1, 2, 4]
    assert list(basis.left_out) == [8]


@pytest.mark.parametrize(
    "unlike",
    [
        {"backend": "embedded"},
        {"environment": {**planted.ENVIRONMENT, LAB_FILE: "another"}},
        {"environment": {**planted.ENVIRONMENT, "cpu": "Model 2"}},
    ],
)
def test_records_of_another_lab_file_host_or_backend_are_not_mixed(unlike: dict[str, object]) -> None:
    one, eight = farm_run(), farm_run((8,))
    assert list(evidence([one, eight]).measured_s) == [1, 2, 4, 8]
    assert list(evidence([one, replace(eight, **unlike)]).measured_s) == [1, 2, 4]  # type: ignore[arg-type]


def test_where_the_newest_record_gives_no_prediction_an_older_one_does() -> None:
    (four,) = farm_run((4,)).cases
    slow = replace(four, spec=replace(four.spec, speed=four.spec.speed / 2))
    newest = replace(farm_run(), id="2026-3", cases=(slow,))
    older = replace(farm_run(), id="2026-2")
    assert evidence([newest, older]).runs == ("2026-2",)
    assert evidence([replace(newest, cases=()), older], "pool").runs == ("2026-2",)
    with pytest.raises(UsageError, match=r"^2026-3 gives no prediction. .*, and has 4. Nor does 1 other record.$"):
        evidence([newest, replace(newest, id="2026-1")])


def test_a_size_that_failed_is_left_out_and_the_others_are_used() -> None:
    made = farm_run((1, 2, 4, 8), seed=1)
    *others_, four, eight = made.cases
    broken = replace(eight, repeats=(replace(eight.repeats[0], outcome="ValueError"),))
    basis = evidence([replace(made, cases=(*others_, four, broken))])
    assert list(basis.measured_s) == [1, 2, 4]
    assert basis.left_out == {8: "its outcome is ValueError"}
    assert evidence([replace(made, cases=(*others_, replace(four, workforce=Workforce(2, 1, 2)), eight))]).fitted == (
        1,
        2,
    )


def test_a_disturbed_run_may_be_looked_at_whatever_it_took() -> None:
    made = replace(slower(farm_run(), 2, 1.5), verdict=verdict(quiet=Answer.NO))
    assert evidence([made], disturbed=True).fitted == (1, 2, 4)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (failed_run(), "it broke off"),
        (replace(farm_run(), verdict=verdict(quiet=Answer.NO)), "it is not a measurement"),
        (farm_run([4]), "it needs two of the sizes 1, 2 and 4 nodes, and has 4"),
        (farm_run([1, 8, 16]), "it needs two of the sizes 1, 2 and 4 nodes, and has 1, 8, 16"),
        (others(farm_run(), ideal_s=None), "it has no ideal"),
        (others(farm_run(), launch=PYTHON), "its workers are on one node"),
        (others(farm_run(), workforce=Workforce(2, 1, 2, 4)), "it has 2 workers, not one a core"),
        (others(farm_run(), launch="mpi"), "it is no stencil: its ranks do not all do the same number of steps"),
        (stencil_run(seed=1, barrier=True), "it is no stencil: each rank waits for all others at each step"),
        (run(), "has no cases$"),
        (others(farm_run(), tasks=farm_run().cases[0].tasks[::2]), "there is no ideal: 64 tasks left a span"),
        (longest_first(), "does it submit them in another order than the serial solution"),
        (slower(farm_run(), 2, 1.2), "on 2 nodes, where its costs come from, it is off by 20 %"),
        (slower(stencil_run(), 4, 1.2), "on 4 nodes, where its costs come from, it is off by"),
    ],
)
def test_a_record_that_cannot_give_a_prediction_says_why(made: Run, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        evidence([made])


def test_ranks_that_do_not_wait_for_each_other_are_no_stencil() -> None:
    made = stencil_run()
    cases = []
    for case in made.cases:
        (repeat,) = case.repeats
        alone = [
            replace(s, started=s.started + 0.1 * (s.rank % 2), finished=s.finished + 0.1 * (s.rank % 2))
            for s in repeat.spans
        ]
        cases.append(replace(case, repeats=(replace(repeat, spans=tuple(alone)),)))
    with pytest.raises(UsageError, match="its ranks do not wait for their neighbours"):
        evidence([replace(made, cases=tuple(cases))])
