"""The ideal schedule: the lessons' figures, bounds that no schedule escapes, and a slow simulation of the same."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.analysis.breakdown import breakdown
from parlab.analysis.ideal import Slot, ideal_s, ideal_spans, schedule, serial_s
from parlab.model.case import FUTURES, MPI, PYTHON, Case, Demand
from parlab.model.spec import Spec
from parlab.model.workers import Workforce, by_worker, map_chunk, workforce

WAITS = [Demand(0, units) for units in (3, 5, 10, 15, 17, 20)]  # lesson 001


def slots_of(
    tasks: Sequence[Demand], workers: int, *, cores: int | None = None, nodes: int = 1, chunk: int = 1
) -> list[Slot]:
    """The schedule; without `cores` every worker has a core of its own."""
    return schedule(tasks, Workforce(workers, nodes, workers if cores is None else cores, chunk))


def ideal_units(tasks: Sequence[Demand], workers: int, **force: int) -> float:
    """Demand until the last task is done."""
    return max((slot.finished for slot in slots_of(tasks, workers, **force)), default=0.0)


@pytest.mark.parametrize(("workers", "units"), [(1, 70), (4, 25), (8, 20)])
def test_the_waits_of_lesson_001_take_70_25_and_20_units(workers: int, units: float) -> None:
    assert ideal_units(WAITS, workers, cores=2) == units


@pytest.mark.parametrize(("tasks", "workers", "units"), [(4, 1, 8), (6, 4, 4), (22, 32, 2.75), (22, 16, 4)])
def test_lesson_003_on_16_cores(tasks: int, workers: int, units: float) -> None:
    assert ideal_units([Demand(2, 0)] * tasks, workers, cores=16) == units


@pytest.mark.parametrize(("workers", "units"), [(2, 16), (4, 8), (8, 4), (5, 7), (100, 1)])
def test_equal_tasks_take_whole_rounds(workers: int, units: float) -> None:
    assert ideal_units([Demand(1, 0)] * 32, workers) == units


def test_pathos_chunks_of_three_take_twelve_units_and_single_tasks_ten() -> None:
    tasks = [Demand(1, 0)] * 100
    assert map_chunk(100, 10) == 3
    assert ideal_units(tasks, 10, cores=10, chunk=3) == 12
    assert ideal_units(tasks, 10, cores=10, chunk=1) == 10


@pytest.mark.parametrize(("tasks", "workers", "chunk"), [(1, 4, 1), (16, 4, 1), (17, 4, 2), (100, 10, 3), (0, 3, 0)])
def test_the_default_chunk_is_that_of_cpython(tasks: int, workers: int, chunk: int) -> None:
    size, extra = divmod(tasks, workers * 4)  # as multiprocessing.pool writes it
    assert map_chunk(tasks, workers) == size + bool(extra) == chunk


def test_workers_of_one_node_do_not_slow_those_of_another() -> None:
    tasks = [Demand(1, 0)] * 4
    assert ideal_units(tasks, 4, cores=1, nodes=1) == 4
    assert ideal_units(tasks, 4, cores=1, nodes=2) == 2
    assert ideal_units(tasks, 4, cores=1, nodes=4) == 1


def test_waiting_leaves_the_core_to_others() -> None:
    assert ideal_units([Demand(1, 1), Demand(1, 1)], 2, cores=1) == pytest.approx(3)
    assert ideal_units([Demand(1, 1), Demand(0, 2)], 2, cores=1) == 2


def test_a_case_is_predicted_from_its_spec_and_its_chunk() -> None:
    spec, tasks = Spec(2, 2, Fraction(1, 8), 0.5), [Demand(1, 0)] * 10
    for settings, rounds in (({}, 3), ({"chunk": 2}, 4), ({"chunk": 5}, 5)):
        case = Case("print", FUTURES, settings)
        assert ideal_s(tasks, workforce(case, spec, len(tasks)), spec.unit) == rounds * 0.5
    assert serial_s(tasks, spec.unit) == 5


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (Case("print", FUTURES), Workforce(8, 4, 2)),
        (Case("print", FUTURES, {"workers": 3}), Workforce(8, 4, 2)),  # its ranks are those that mpiexec starts
        (Case("print", MPI), Workforce(8, 4, 2)),
        (Case("print", MPI, {"workers": 2}), Workforce(2, 2, 2)),
        (Case("print", PYTHON), Workforce(1, 1, 2)),
        (Case("print", PYTHON, {"workers": 16}), Workforce(16, 1, 2)),
        (Case("print", PYTHON, {"workers": 4}, threads=True), Workforce(4, 1, 1)),
        (Case("print", PYTHON, {"workers": 4, "chunk": 5}), Workforce(4, 1, 2, 5)),
        (Case("print", PYTHON, {"workers": 10, "chunk": None}), Workforce(10, 1, 2, 3)),
    ],
)
def test_who_does_the_tasks_follows_from_the_launch_and_the_settings(case: Case, expected: Workforce) -> None:
    assert workforce(case, Spec(4, 2, Fraction(1, 8), 0.5), 100) == expected


def test_without_a_gil_threads_have_all_cores_of_the_node() -> None:
    case = Case("print", PYTHON, {"workers": 4}, threads=True)
    assert workforce(case, Spec(1, 2, Fraction(1, 8), 0.5), 4, gil=False) == Workforce(4, 1, 2)


@pytest.mark.parametrize(("nodes", "workers", "of"), [(4, 1, 1), (4, 3, 3), (4, 4, 4), (2, 5, 2), (1, 5, 1)])
def test_mpi_ranks_are_on_no_more_nodes_than_there_are_of_either(nodes: int, workers: int, of: int) -> None:
    case = Case("print", MPI, {"workers": workers})
    assert workforce(case, Spec(nodes, 2, Fraction(1, 8), 0.5), 8) == Workforce(workers, of, 2)


@pytest.mark.parametrize("tasks", [1, 39, 40, 41, 100, 1000])
def test_where_no_chunk_is_given_it_follows_from_the_number_of_tasks(tasks: int) -> None:
    case = Case("print", PYTHON, {"workers": 10, "chunk": None})
    assert workforce(case, Spec(1, 2, Fraction(1, 8), 0.5), tasks).chunk == map_chunk(tasks, 10)


def test_a_task_of_some_units_beside_one_of_none_has_no_ideal_but_with_any_it_has() -> None:
    force = Workforce(2, 1, 2)
    assert ideal_s([Demand(0.5, 0), Demand(0, 0.25)], force, 2.0) == 1.0
    assert ideal_s([Demand(0.5, 0), Demand(0, 0)], force, 2.0) is None


@pytest.mark.parametrize("tasks", [[], [Demand(0, 0)], [Demand(1, 0), Demand(0, 0)]])
def test_tasks_without_units_have_no_ideal(tasks: list[Demand]) -> None:
    assert ideal_s(tasks, Workforce(2, 1, 2), 0.5) is None


def test_the_ideal_comes_as_spans_that_can_be_drawn_beside_the_real() -> None:
    spec, tasks = Spec(2, 2, Fraction(1, 8), 0.5), [Demand(1, 0)] * 6 + [Demand(1, 1)] * 4
    force = Workforce(4, 2, 2)
    spans = ideal_spans(tasks, force, spec, ("head", "node-1", "node-2"))
    assert [(span.node, span.rank) for span in spans[:4]] == [
        *(("node-1", rank) for rank in (1, 2)),
        *(("node-2", rank) for rank in (3, 4)),
    ]
    assert max(span.finished for span in spans) == ideal_s(tasks, force, spec.unit)
    for own in by_worker(spans).values():
        spent = breakdown(own, spans, 1 / 8)
        assert spent.unexplained == spent.transfer == spent.contended == 0
        assert spent.computing == pytest.approx(sum(1 for span in own) * 0.5)


def test_in_the_ideal_a_crowded_node_holds_its_tasks_back() -> None:
    slots = slots_of([Demand(1, 0)] * 4, 4, cores=2)
    assert {slot.finished for slot in slots} == {2}


@pytest.mark.parametrize(
    "kinds",
    [(Demand(1, 1), Demand(2, 0)), (Demand(2, 0), Demand(0, 2)), (Demand(0, 2), Demand(1, 1))],
)
def test_of_workers_that_are_free_at_the_same_instant_the_first_has_the_first_choice(
    kinds: tuple[Demand, ...],
) -> None:
    for first, second in (kinds, kinds[::-1]):
        slots = slots_of([first, second, Demand(5, 0), Demand(1, 0)], 2)
        assert [(slot.worker, slot.started) for slot in slots] == [(0, 0), (1, 0), (0, 2), (1, 2)]


def test_no_tasks_take_no_time() -> None:
    assert ideal_units([], 3, cores=2) == 0


@pytest.mark.parametrize("bad", [{"workers": 0}, {"cores": 0}, {"nodes": 0}, {"chunk": 0}])
def test_nothing_runs_on_nothing(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"whole numbers from 1"):
        ideal_units([Demand(1, 0)], **{"workers": 1, "cores": 1, "nodes": 1, "chunk": 1, **bad})


# Any case at all.

units = st.integers(0, 6)
cases = st.tuples(
    st.lists(st.builds(Demand, units, units), max_size=12),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 4),
)


@given(cases)
def test_no_schedule_beats_its_bounds_or_loses_to_a_single_worker(
    case: tuple[list[Demand], int, int, int, int],
) -> None:
    tasks, workers, cores, nodes, chunk = case
    ideal = ideal_units(tasks, workers, cores=cores, nodes=nodes, chunk=chunk)
    sizes = [task.burned + task.waited for task in tasks]
    chunks = [sum(sizes[first : first + chunk]) for first in range(0, len(sizes), chunk)]
    floor = max([0, *chunks, sum(task.burned for task in tasks) / (cores * nodes), sum(sizes) / workers])
    assert floor - 1e-6 <= ideal <= sum(sizes) + 1e-6


@given(cases)
def test_each_task_runs_once_and_each_worker_does_one_thing_at_a_time(
    case: tuple[list[Demand], int, int, int, int],
) -> None:
    tasks, workers, cores, nodes, chunk = case
    slots = slots_of(tasks, workers, cores=cores, nodes=nodes, chunk=chunk)
    assert [slot.task for slot in slots] == list(range(len(tasks)))
    for worker in range(workers):
        own = sorted((slot for slot in slots if slot.worker == worker), key=lambda slot: (slot.started, slot.task))
        for earlier, later in pairwise(own):
            assert earlier.finished <= later.started + 1e-6


@given(cases)
def test_it_is_what_a_step_by_step_simulation_gives(case: tuple[list[Demand], int, int, int, int]) -> None:
    tasks, workers, cores, nodes, chunk = case
    slots = slots_of(tasks, workers, cores=cores, nodes=nodes, chunk=chunk)
    expected = stepped(tasks, workers, cores, nodes, chunk)
    assert [slot.finished for slot in slots] == pytest.approx([float(time) for time in expected], abs=1e-6)


@given(st.lists(st.integers(0, 10), max_size=24), st.integers(1, 6))
def test_tasks_that_end_together_go_round_the_workers_whatever_they_do(burned: list[int], workers: int) -> None:
    tasks = [Demand(tenths / 10, 1 - tenths / 10) for tenths in burned]  # each a unit long, save for rounding
    slots = slots_of(tasks, workers)
    assert [slot.worker for slot in slots] == [task % workers for task in range(len(tasks))]
    assert [slot.finished for slot in slots] == pytest.approx([task // workers + 1 for task in range(len(tasks))])


def stepped(tasks: Sequence[Demand], workers: int, cores: int, nodes: int, chunk: int) -> list[Fraction]:
    """When each task ends, found the plain way: exact fractions, all speeds worked out anew at every step."""
    queue = [list(range(first, min(first + chunk, len(tasks)))) for first in range(0, len(tasks), chunk)]
    hands: list[list[int]] = [[] for _ in range(workers)]
    burn, wait = [Fraction(task.burned) for task in tasks], [Fraction(task.waited) for task in tasks]
    ends: dict[int, Fraction] = {}
    now = Fraction(0)
    while True:
        changed = True
        while changed:  # tasks of no length end as they begin
            changed = False
            for hand in hands:
                while hand and burn[hand[0]] == wait[hand[0]] == 0:
                    ends[hand.pop(0)] = now
            for worker, hand in enumerate(hands):
                if not hand and queue:
                    hands[worker] = queue.pop(0)
                    changed = True
        if not any(hands):
            return [ends[task] for task in range(len(tasks))]
        busy = [w for w in range(workers) if hands[w] and burn[hands[w][0]] > 0]
        speed = {}
        for worker in busy:
            neighbours = sum(w * nodes // workers == worker * nodes // workers for w in busy)
            speed[worker] = min(Fraction(1), Fraction(cores, neighbours))
        left = [burn[hands[w][0]] / speed[w] for w in busy]
        left += [wait[hands[w][0]] for w in range(workers) if hands[w] and w not in speed]
        step = min(left)
        for worker, hand in enumerate(hands):
            if worker in speed:
                burn[hand[0]] -= step * speed[worker]
            elif hand:
                wait[hand[0]] -= step
        now += step


def test_workers_that_had_no_task_are_told_by_their_nodes() -> None:
    force, spec = Workforce(8, 4, 2, chunk=4), Spec(nodes=4, cores=2, speed=Fraction(1, 8), unit=1.0)
    nodes, tasks = ("head", "node-1", "node-2", "node-3", "node-4"), [Demand(1.0, 0.0)] * 16

    def idle(tasks: list[Demand]) -> dict[str, int]:
        return force.without_task(ideal_spans(tasks, force, spec, nodes), nodes)

    assert idle(tasks) == {"node-3": 2, "node-4": 2}
    assert idle(tasks[:9]) == {"node-2": 1, "node-3": 2, "node-4": 2}
    assert idle(tasks * 2) == {}
    assert force.without_task([], nodes) == {}
