"""What the command line says of a lab's cases and sizes, read before anything starts."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlab.errors import UsageError
from parlab.lab import BOUNDS, Lab
from parlab.model.case import FUTURES, MPI, PYTHON
from parlab.model.declaration import Declaration
from parlab.node.declare import declaration_of
from parlab.run.plan import choose_cases, choose_specs, left_out, make_plan
from parlab.run.request import Request, read_request, read_setting

Declared = tuple[Any, dict[str, Any]]


def pool(task: Any = len, **settings: Any) -> None: ...


def threads(task: Any = len, **settings: Any) -> None: ...


def loop(task: Any = len) -> None: ...


def lab_of(*declared: Declared, **facts: Any) -> Declaration:
    """A lab of these functions, each with what its decorator says."""
    lab = Lab(unit=0.5, **facts)
    for function, own in declared:
        lab.case(**own)(function)
    return declaration_of(lab)


THREE = lab_of((pool, {"workers": 4, "chunk": 1}), (threads, {"workers": 2}), (loop, {}))


def asked(**options: str) -> Request:
    """What a command line with these options asks for."""
    return read_request(**options)


def names(lab: Declaration, **options: str) -> list[str]:
    return [chosen.case.name for chosen in choose_cases(lab, asked(**options).settings)]


def refusal(lab: Declaration, **options: str) -> str:
    """What is said of bad input, in one line."""
    with pytest.raises(UsageError) as refused:
        make_plan(lab, Path("sample.py"), asked(**options), "")
    (line,) = str(refused.value).splitlines()
    return line


# The cases that are to run.


def test_without_options_every_case_runs_as_it_is_declared() -> None:
    chosen = choose_cases(THREE, asked().settings)
    assert [one.case for one in chosen] == list(THREE.cases)
    assert [(one.number, one.overrides) for one in chosen] == [(0, {}), (1, {}), (2, {})]


def test_values_take_the_place_of_those_of_every_case_that_has_the_setting() -> None:
    assert names(THREE, workers="3,5") == [
        "pool(workers=3, chunk=1)",
        "pool(workers=5, chunk=1)",
        "threads(workers=3)",
        "threads(workers=5)",
        "loop",
    ]


def test_a_chosen_case_tells_the_node_its_number_and_what_it_has_instead() -> None:
    chosen = choose_cases(THREE, asked(workers="3,5").settings)
    assert [(one.number, one.overrides) for one in chosen] == [
        *((0, {"workers": workers}) for workers in (3, 5)),
        *((1, {"workers": workers}) for workers in (3, 5)),
        (2, {}),
    ]


def test_settings_are_combined() -> None:
    lab = lab_of((pool, {"workers": 4, "chunk": None, "start": "fork"}))
    assert [one.overrides for one in choose_cases(lab, asked(workers="1,2", chunk="3,4").settings)] == [
        {"workers": workers, "chunk": chunk} for workers in (1, 2) for chunk in (3, 4)
    ]
    assert names(lab, workers="1", chunk="3") == ["pool(workers=1, chunk=3, start='fork')"]


def test_cases_that_become_alike_run_once() -> None:
    lab = lab_of((pool, {"workers": [4, 8, 16], "chunk": [1, 2]}))
    chosen = choose_cases(lab, asked(workers="2,3,2").settings)
    assert [one.case.name for one in chosen] == [
        "pool(workers=2, chunk=1)",
        "pool(workers=3, chunk=1)",
        "pool(workers=2, chunk=2)",
        "pool(workers=3, chunk=2)",
    ]
    assert [one.number for one in chosen] == [0, 0, 1, 1]


def test_what_the_lesson_printed_is_not_shown_beside_other_settings() -> None:
    lab = lab_of((pool, {"workers": 4, "lesson_s": 3.0}), (loop, {"lesson_s": 7.0}))
    assert [one.case.lesson_s for one in choose_cases(lab, asked().settings)] == [3.0, 7.0]
    assert [one.case.lesson_s for one in choose_cases(lab, asked(workers="4,8").settings)] == [3.0, None, 7.0]


def test_all_but_the_settings_stays_as_the_case_declares_it() -> None:
    lab = lab_of(
        (pool, {"workers": 4, "launch": MPI, "outcome": KeyError, "limits": False, "nodes": [1, 2], "repeat": 3})
    )
    (declared,), (chosen,) = lab.cases, choose_cases(lab, asked(workers="2").settings)
    kept = ("function", "launch", "outcome", "limits", "only_on", "repeat")
    assert [getattr(chosen.case, name) for name in kept] == [getattr(declared, name) for name in kept]


some = st.lists(st.integers(1, 64), min_size=1, max_size=4)


@given(st.lists(some, min_size=1, max_size=4), some)
def test_whatever_is_given_no_two_cases_are_alike_and_none_is_left_out(own: list[list[int]], given: list[int]) -> None:
    lab = lab_of(*((pool, {"workers": values, "chunk": chunk}) for chunk, values in enumerate(own, 1)))
    found = names(lab, workers=",".join(map(str, given)))
    expected = {f"pool(workers={workers}, chunk={chunk})" for workers in given for chunk in range(1, len(own) + 1)}
    assert len(found) == len(expected)
    assert set(found) == expected


# One setting.


@pytest.mark.parametrize("name", BOUNDS)
def test_a_setting_is_read_from_its_least_to_its_most(name: str) -> None:
    low, high = BOUNDS[name]
    assert read_setting(name, f"{high},{low},{high}") == (high, low)


@pytest.mark.parametrize("text", ["0", "65", "4,65"])
def test_a_value_out_of_bounds_is_refused_in_one_line_that_names_the_option_and_its_bounds(text: str) -> None:
    said = refusal(THREE, workers=text)
    assert said == f"--workers takes numbers from 1 to 64, separated by commas, not {text!r}"


@pytest.mark.parametrize("text", ["", "4,", ",4", "x", "1.5", "-1", "4 8", "4\n8", "\u0664", "9" * 99])
def test_what_is_no_number_is_refused_before_any_lab_is_asked(text: str) -> None:
    said = refusal(THREE, workers=text)
    assert said == f"--workers takes whole numbers, separated by commas, not {text!r}"


chunks = st.lists(st.integers(*BOUNDS["chunk"]), min_size=1)


@given(chunks)
def test_values_within_the_bounds_are_read_once_each_in_their_order(values: list[int]) -> None:
    assert read_setting("chunk", ",".join(map(str, values))) == tuple(dict.fromkeys(values))


@given(chunks, st.integers().filter(lambda value: not 1 <= value <= 1000), st.integers(0, 20))
def test_one_value_out_of_bounds_spoils_the_others(values: list[int], bad: int, at: int) -> None:
    values.insert(at, bad)
    assert refusal(THREE, chunk=",".join(map(str, values))).startswith("--chunk takes ")


def test_a_lab_says_how_much_of_a_setting_of_its_own_it_can_bear() -> None:
    lab = lab_of((pool, {"size": [100, 1000]}), bounds={"size": (10, 5000)})
    assert names(lab, size="10,5000") == ["pool(size=10)", "pool(size=5000)"]
    for size in ("9", "5001"):
        assert refusal(lab, size=size).startswith("--size takes numbers from 10 to 5000, ")


@pytest.mark.parametrize(
    ("lab", "takes"),
    [
        (THREE, "only --workers and --chunk"),
        (lab_of((pool, {"workers": 4})), "only --workers"),
        (lab_of((loop, {}), (pool, {"start": "fork"})), "nor --workers or --chunk"),
    ],
)
def test_a_setting_that_no_case_has_is_refused_with_those_that_there_are(lab: Declaration, takes: str) -> None:
    assert refusal(lab, size="3") == f"this lab takes no --size, {takes}"


# The sizes to run on.


def test_a_lab_that_runs_inside_one_node_takes_no_nodes() -> None:
    assert refusal(THREE, nodes="1") == "this lab runs inside one node: it takes no --nodes"
    assert [spec.nodes for spec in choose_specs(THREE, asked(cores="4"))] == [1]


@pytest.mark.parametrize(
    "lab",
    [
        lab_of((pool, {"launch": PYTHON}), nodes=2),
        lab_of((pool, {"launch": PYTHON}), nodes=[1, 2]),
        lab_of((pool, {}), (threads, {"launch": MPI})),
        lab_of((pool, {"launch": FUTURES})),
    ],
)
def test_a_lab_of_several_nodes_or_ranks_takes_nodes(lab: Declaration) -> None:
    assert [spec.nodes for spec in choose_specs(lab, asked(nodes="3,1"))] == [3, 1]


def test_a_size_that_no_case_runs_on_is_left_out() -> None:
    lab = lab_of((pool, {"nodes": 1}), (threads, {"nodes": [2, 4]}), nodes=[1, 2, 3, 4])
    assert [spec.nodes for spec in choose_specs(lab, asked())] == [1, 2, 4]
    assert [spec.nodes for spec in choose_specs(lab, asked(nodes="8,4,3"))] == [4]


def test_what_does_not_run_on_the_sizes_that_were_asked_for_is_named() -> None:
    lab = lab_of((pool, {"nodes": 1}), (threads, {"nodes": [2, 4]}), (loop, {}), nodes=[1, 2, 4])
    request = asked(nodes="1,3")
    assert left_out(make_plan(lab, Path("sample.py"), request, ""), request) == [
        "left out: threads runs only on 2 nodes or 4 nodes"
    ]
    only = lab_of((pool, {"nodes": 1}), nodes=[1])
    assert left_out(make_plan(only, Path("sample.py"), Request(), ""), Request()) == []


def test_sizes_that_no_case_runs_on_at_all_are_refused() -> None:
    lab = lab_of((pool, {"nodes": [1, 2]}), nodes=[1, 2])
    assert refusal(lab, nodes="3,5") == "none of this lab's cases runs on 3 nodes or 5 nodes"


@pytest.mark.parametrize("text", ["", "0", "65", "1,", "two", "1\n2"])
def test_bad_nodes_are_refused_in_one_line(text: str) -> None:
    said = refusal(lab_of((pool, {"launch": MPI})), nodes=text)
    assert said == f"--nodes takes numbers from 1 to 64, separated by commas, not {text!r}"


def test_cases_that_differ_in_more_than_their_settings_all_run() -> None:
    lab = lab_of((pool, {"limits": False}), (pool, {}))
    assert [chosen.case.limits for chosen in choose_cases(lab, asked().settings)] == [True, False]


def test_a_case_that_the_lab_declares_goes_before_a_changed_one() -> None:
    lab = lab_of((pool, {"workers": 4, "lesson_s": 3.0}), (pool, {"workers": 8, "lesson_s": 2.0, "outcome": "wrong"}))
    (chosen,) = choose_cases(lab, asked(workers="8").settings)
    assert (chosen.case.outcome, chosen.case.lesson_s, chosen.number) == ("wrong", 2.0, 0)


def test_only_settings_with_bounds_are_offered_and_zero_may_be_within_them() -> None:
    lab = lab_of((pool, {"size": 5, "workers": 2}), bounds={"size": (0, 9)})
    (chosen,) = choose_cases(lab, asked(size="0").settings)
    assert chosen.case.settings == {"size": 0, "workers": 2}
    lab.bounds.pop("size")
    with pytest.raises(UsageError, match=r"this lab takes no --size, only --workers$"):
        choose_cases(lab, asked(size="0").settings)
