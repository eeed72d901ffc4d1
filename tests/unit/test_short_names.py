"""Short names of cases, and what a page of many cases costs: no more than twice as much for twice as many."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from parlab.model.span import Phase, Span
from parlab.report.names import Name, short_names
from parlab.report.timelines import time_axis
from parlab.results.record import MeasuredCase
from tests.unit.samples import case, repeat, span


class Counting(Mapping[str, Any]):
    """A case's settings, which count how often they are read."""

    read = 0

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def __getitem__(self, key: str) -> Any:
        Counting.read += 1
        return self._settings[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


def reads(count: int) -> int:
    """How often the settings of so many cases of one function are read for their names."""
    Counting.read = 0
    cases = {f"f(n={n}, k=1)": case(name=f"f(n={n}, k=1)", settings=Counting(n=n, k=1)) for n in range(count)}
    names = short_names(cases)
    assert names["f(n=3, k=1)"] == Name("f", "n=3")
    assert list(names) == list(cases)
    return Counting.read


def test_names_of_twice_as_many_cases_read_twice_as_many_settings() -> None:
    assert reads(80) == 2 * reads(40)


def test_a_setting_that_only_some_cases_have_tells_them_apart() -> None:
    settings = {"f(n=1)": {"n": 1}, "f(n=1, k=2)": {"n": 1, "k": 2}, "f(n=1, k=3)": {"n": 1, "k": 3}}
    cases = {name: case(name=name, settings=own) for name, own in settings.items()}
    assert [name.own for name in short_names(cases).values()] == list(cases), "the first would have no name"
    del cases["f(n=1)"]
    assert [name.own for name in short_names(cases).values()] == ["k=2", "k=3"]


class Watched(tuple[Span, ...]):
    """Spans that count how often all of them are gone through."""

    walks = 0

    def __iter__(self) -> Iterator[Span]:
        Watched.walks += 1
        return super().__iter__()


def walks(count: int) -> int:
    """How often the spans are gone through for the axes of so many cases side by side."""

    def one(number: int) -> MeasuredCase:
        marked = span(phases=(Phase("mark", 10.1, 10.1),))
        launch = repeat([marked])
        return replace(case(name=f"f(n={number})"), repeats=(replace(launch, spans=Watched(launch.spans)),))

    cases = [one(number) for number in range(count)]
    Watched.walks = 0
    for each in cases:
        time_axis(each, cases)
    return Watched.walks


def test_axes_of_twice_as_many_cases_go_through_twice_as_many_spans() -> None:
    assert walks(20) == 2 * walks(10)
