"""One way of doing a lab's work: how it is declared, how it is named, and where its processes go."""

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.lab import Lab
from parlab.model.case import FUTURES, LAUNCHES, MPI, PYTHON, RIGHT, Case, Written
from parlab.model.messages import from_line, to_line
from parlab.model.node import HEAD
from parlab.model.spec import Spec

SPEC = Spec(nodes=4, cores=2, speed=Fraction(1, 8), unit=0.5)


def pool(task: Any = len, **settings: Any) -> None: ...


def declared(**facts: Any) -> list[Case]:
    """What one decorator makes of a function."""
    lab = Lab(unit=1)
    lab.case(**facts)(pool)
    return [one.case for one in lab.cases]


# How it is declared.


def test_decorators_on_one_function_read_downwards() -> None:
    lab = Lab(unit=1)

    @lab.case(workers=1)
    @lab.case(workers=[4, 8])
    @lab.case(workers=2, chunk=3)
    def stacked(task: Any = len, **settings: Any) -> None: ...

    assert [one.case.name for one in lab.cases] == [
        "stacked(workers=1)",
        "stacked(workers=4)",
        "stacked(workers=8)",
        "stacked(workers=2, chunk=3)",
    ]


@given(st.lists(st.lists(st.lists(st.integers(), min_size=1, max_size=3), max_size=4), max_size=4))
def test_cases_stand_in_the_order_in_which_they_are_read(functions: list[list[list[int]]]) -> None:
    lab = Lab(unit=1)
    for decorators in functions:

        def one_more(task: Any = len, **settings: Any) -> None: ...

        for sizes in reversed(decorators):  # as Python applies them
            lab.case(size=sizes)(one_more)
    as_read = [size for decorators in functions for sizes in decorators for size in sizes]
    assert [one.settings["size"] for one in lab.cases] == as_read


def test_a_decorated_function_is_still_the_function() -> None:
    assert Lab(unit=1).case(workers=[4, 8])(pool) is pool


def test_several_lists_make_a_case_of_each_combination() -> None:
    assert [case.settings for case in declared(workers=[1, 2], chunk=[3, 4])] == [
        {"workers": 1, "chunk": 3},
        {"workers": 1, "chunk": 4},
        {"workers": 2, "chunk": 3},
        {"workers": 2, "chunk": 4},
    ]


def test_what_is_no_list_is_one_value() -> None:
    (case,) = declared(shape=(2, 3), start="fork", chunk=None)
    assert case.name == "pool(shape=(2, 3), start='fork', chunk=None)"


def test_by_default_a_case_is_one_process_under_limits_that_comes_out_right() -> None:
    assert declared() == [Case("pool", PYTHON, {}, outcome=RIGHT, threads=False, limits=True, lesson_s=None)]


def test_what_is_no_setting_is_kept_beside_the_settings() -> None:
    (case,) = declared(launch=MPI, outcome="wrong", threads=True, limits=False, lesson_s=8.04, workers=4)
    assert case == Case("pool", MPI, {"workers": 4}, None, "wrong", True, False, 8.04)


@pytest.mark.parametrize(
    ("nodes", "runs_on"), [((), [1, 2, 3, 4]), (2, [2]), ([1, 4], [1, 4]), ((2, 3), [2, 3]), (8, [])]
)
def test_a_case_runs_on_the_sizes_that_it_names_or_on_all(nodes: Any, runs_on: list[int]) -> None:
    (case,) = declared(nodes=nodes, workers=4)
    assert [size for size in (1, 2, 3, 4) if case.runs_on(size)] == runs_on
    assert case.settings == {"workers": 4}


@pytest.mark.parametrize("launch", ["telepathy", "", "MPI", "mpi4py"])
def test_an_unknown_launch_is_refused_and_the_known_are_named(launch: str) -> None:
    lab = Lab(unit=1)
    with pytest.raises(ValueError, match=r"known are 'python', 'mpi', 'mpi4py\.futures'") as refused:
        lab.case(launch=launch)(pool)
    assert str(refused.value).startswith(f"launch={launch!r}: ")
    assert lab.cases == []


@pytest.mark.parametrize("flag", ["threads", "limits"])
@pytest.mark.parametrize("value", [[1, 4], 1, None])
def test_a_setting_with_the_name_of_a_flag_is_refused(flag: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{flag}=.*a setting of the case needs another name"):
        declared(**{flag: value})


@pytest.mark.parametrize("repeat", [0, -1, 101, 2.0, True, "2", [1, 2]])
def test_a_number_of_launches_that_is_none_is_refused(repeat: Any) -> None:
    with pytest.raises(ValueError, match=r"^repeat=.*: a whole number from 1 to 100$"):
        declared(repeat=repeat)


@pytest.mark.parametrize("outcome", ["", "Right", "ValueError", "crash"])
def test_an_outcome_that_is_a_word_is_right_or_wrong(outcome: str) -> None:
    with pytest.raises(ValueError, match="known are 'right', 'wrong' and classes of exceptions"):
        declared(outcome=outcome)


@pytest.mark.parametrize("outcome", [KeyboardInterrupt, SystemExit, BaseException, GeneratorExit, int])
def test_what_ends_a_process_or_is_no_exception_cannot_be_declared(outcome: type) -> None:
    with pytest.raises(ValueError, match=f"outcome={outcome.__name__}: a case cannot declare"):
        declared(outcome=outcome)


@pytest.mark.parametrize(
    ("outcome", "named", "raises"),
    [(LookupError, "LookupError", (LookupError,)), ("right", "right", ()), ("wrong", "wrong", ())],
)
def test_a_declared_exception_travels_by_its_name(
    outcome: Any, named: str, raises: tuple[type[Exception], ...]
) -> None:
    lab = Lab(unit=1)
    lab.case(outcome=outcome)(pool)
    (one,) = lab.cases
    assert (one.case.outcome, one.raises) == (named, raises)


class Whole:
    """A number of some library's own."""

    def __index__(self) -> int:
        return 4


@pytest.mark.parametrize(
    ("value", "travels", "shown"),
    [
        (None, None, "None"),
        (True, True, "True"),
        (Whole(), 4, "4"),
        (0.5, 0.5, "0.5"),
        ("fork", "fork", "'fork'"),
        (float("inf"), Written("inf"), "inf"),
        ((2, 3), Written("(2, 3)"), "(2, 3)"),
        (len, Written("len"), "len"),
        (object(), Written("<object object>"), "<object object>"),
    ],
)
def test_a_setting_travels_as_plain_data_or_as_python_writes_it(value: Any, travels: Any, shown: str) -> None:
    lab = Lab(unit=1)
    lab.case(size=value)(pool)
    (one,) = lab.cases
    assert one.settings == {"size": value}
    assert (one.case.settings, one.case.name) == ({"size": travels}, f"pool(size={shown})")
    assert from_line(to_line(one.case), Case) == one.case


@pytest.mark.parametrize("name", ["workers", "chunk"])
@pytest.mark.parametrize("value", [2.5, "4", True, (1, 2)])
def test_what_the_ideal_counts_is_a_whole_number(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is a whole number, or None"):
        declared(**{name: value})


# How it is named, and what it starts.


def test_the_size_is_in_the_name_where_there_are_several() -> None:
    plain, with_settings = Case("pool"), Case("pool", settings={"workers": 4, "start": "fork"})
    assert (plain.name, plain.on(2).name) == ("pool", "pool(nodes=2)")
    assert with_settings.on(2).name == "pool(workers=4, start='fork', nodes=2)"
    assert with_settings.on(2).settings == with_settings.settings


@pytest.mark.parametrize(
    ("launch", "settings", "workers", "ranks"),
    [
        (PYTHON, {}, 1, 1),
        (PYTHON, {"workers": 16}, 16, 1),
        (PYTHON, {"workers": None}, 1, 1),
        (MPI, {}, 8, 8),
        (MPI, {"workers": 3}, 3, 3),
        (MPI, {"workers": None}, 8, 8),
        (FUTURES, {}, 8, 9),
        (FUTURES, {"chunk": 4}, 8, 9),
    ],
)
def test_the_launch_says_how_many_workers_and_ranks_there_are(
    launch: str, settings: dict[str, Any], workers: int, ranks: int
) -> None:
    case = Case("pool", launch, settings)
    assert (case.workers(SPEC.virtual_cores), case.ranks(SPEC.virtual_cores)) == (workers, ranks)


def test_the_one_rank_of_a_python_case_is_on_the_first_node() -> None:
    assert Case("pool", PYTHON, {"workers": 16}).node_of(0, SPEC) == 1


def test_under_futures_rank_0_is_on_the_head_and_the_others_are_dealt_out() -> None:
    case = Case("pool", FUTURES)
    assert [case.node_of(rank, SPEC) for rank in range(case.ranks(SPEC.virtual_cores))] == [
        HEAD,
        *(1, 1, 2, 2, 3, 3, 4, 4),
    ]


@given(
    st.sampled_from(LAUNCHES),
    st.builds(Spec, st.integers(1, 9), st.integers(1, 9), st.just(Fraction(1, 8)), st.just(0.5)),
    st.one_of(st.none(), st.integers(1, 64)),
)
def test_ranks_are_dealt_out_evenly_and_in_order(launch: str, spec: Spec, workers: int | None) -> None:
    case = Case("pool", launch, {"workers": workers})
    ranks = case.ranks(spec.virtual_cores)
    nodes = [node for rank in range(ranks) if (node := case.node_of(rank, spec)) != HEAD]
    on_each = Counter(nodes)
    assert len(nodes) == ranks - (launch == FUTURES)
    assert nodes == sorted(nodes)
    assert on_each.keys() <= set(range(1, spec.nodes + 1))
    assert launch == PYTHON or len(on_each) == min(spec.nodes, len(nodes))
    assert max(on_each.values()) - min(on_each.values()) <= 1


def takes_two(task: Any = len, *, workers: int, chunk: int = 1) -> None: ...


def takes_any_task(task: Any, *, workers: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "settings", "words"),
    [
        (takes_two, {"wrkers": 4}, "takes_two: .*; its settings are: workers, chunk"),
        (takes_two, {"workers": 4, "size": 1}, "takes_two: got an unexpected keyword argument 'size'"),
        (takes_two, {}, "takes_two: missing a required argument: 'workers'"),
        (takes_any_task, {"workers": 4}, "takes_any_task needs a parameter `task=FUNCTION`"),
    ],
)
def test_a_typo_in_a_setting_is_found_as_the_file_is_read(function: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Lab(unit=1).case(**settings)(function)
