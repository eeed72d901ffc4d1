"""Finds where a result differs from the serial one: in lists, tuples, dicts and arrays, down to the first value.

Values are compared by `==`, with the rules of Python and NumPy, so NaN equals nothing. An array is anything with a
`shape` whose comparison gives an array.
"""

from collections.abc import Iterator
from typing import Any

NAN = "; NaN equals nothing: compare by Lab(same=)"


def difference(result: Any, serial: Any) -> str:
    """The first difference, as text; '' if there is none."""
    return next(_differences(result, serial, ""), "")


def _differences(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    if type(ours) is type(theirs) and isinstance(ours, list | tuple):
        if len(ours) != len(theirs):
            yield _count(place, len(ours), len(theirs))
        for index, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            yield from _differences(one, other, f"{place}[{index}]")
    elif type(ours) is type(theirs) and isinstance(ours, dict):
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            if key not in ours or key not in theirs:
                yield f"{_name(place)} has {'no' if key in theirs else 'a'} key {key!r}, unlike the serial solution's"
            else:
                yield from _differences(ours[key], theirs[key], f"{place}[{key!r}]")
    elif (shape := _shape(ours)) and shape == _shape(theirs):
        yield from _in_arrays(ours, theirs, place)
    elif shape or _shape(theirs):
        yield f"{_name(place)} has {_form(ours)}, the serial solution's has {_form(theirs)}"
    elif not _equal(ours, theirs):
        yield _told(ours, theirs, place)


def _in_arrays(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    """The first place where two arrays of the same shape differ."""
    places = [axis[0] for axis in _plain(ours != theirs).nonzero() if len(axis)]
    if places:
        index = tuple(map(int, places))
        one, other = _plain(ours)[index], _plain(theirs)[index]
        yield _told(_scalar(one), _scalar(other), f"{place}[{', '.join(map(str, index))}]")


def _plain(array: Any) -> Any:
    """A table's array, or the array itself."""
    return array.to_numpy() if hasattr(array, "to_numpy") else array


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _shape(value: Any) -> tuple[int, ...]:
    """An array's shape; () for a single value, including NumPy's."""
    shape = getattr(value, "shape", ())
    return tuple(shape) if isinstance(shape, tuple) else ()


def _form(value: Any) -> str:
    return f"shape {shape}" if (shape := _shape(value)) else f"{value!r:.60}"


def _equal(ours: Any, theirs: Any) -> bool:
    try:
        return bool(ours == theirs)
    except (TypeError, ValueError):  # values that cannot be compared are not the same
        return False


def _told(ours: Any, theirs: Any, place: str) -> str:
    if not place:
        said = f"got {ours!r:.60}, the serial solution gives {theirs!r:.60}"
    else:
        said = f"{_name(place)} is {ours!r:.60}, the serial solution's is {theirs!r:.60}"
    both_nan = isinstance(ours, float) and isinstance(theirs, float) and ours != ours and theirs != theirs
    return said + NAN if both_nan else said


def _count(place: str, ours: int, theirs: int) -> str:
    if not place:
        return f"got {ours} results, the serial solution gives {theirs}"
    return f"{_name(place)} has {ours} items, the serial solution's has {theirs}"


def _name(place: str) -> str:
    """`result 3[2]` for `[3][2]`: the first index is the number of a task's result, the rest is Python's notation."""
    first, _, rest = place.removeprefix("[").partition("]")
    return f"result {first}{rest}" if place else "the result"
