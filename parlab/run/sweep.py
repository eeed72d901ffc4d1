"""A sweep: a program at several sizes, `--sweep nodes=1,2,4`; with `--weak N=1000*nodes` its work grows with them.

Readers raise UsageError, which names the option and its valid values.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from parlab.errors import UsageError

KEYS = ("nodes", "ranks", "cores")
MOST_SIZES = 32


@dataclass(frozen=True)
class Weak:
    """The argument `{name}` is `factor` times the size called `key`."""

    name: str
    factor: int
    key: str

    def in_words(self, words: Sequence[str], size: int) -> list[str]:
        """The program's arguments at that size."""
        return [word.replace(f"{{{self.name}}}", str(self.factor * size)) for word in words]


@dataclass(frozen=True)
class Sweep:
    """The size that changes, and its values, smallest first: the others are compared with the smallest."""

    key: str
    values: tuple[int, ...]
    weak: Weak | None = None


def read_sweep(text: str | None, weak: str | None, words: Sequence[str]) -> Sweep | None:
    """Read both options, for a program with these arguments; None if there is no sweep."""
    if text is None:
        if weak is not None:
            raise UsageError("--weak goes with --sweep: it says how the work grows with the sizes")
        return None
    key, _, values = text.partition("=")
    if key not in KEYS or not re.fullmatch(r"[0-9]{1,4}(,[0-9]{1,4})+", values):
        raise UsageError(f"--sweep takes nodes=1,2,4, or ranks or cores, not {text!r}")
    sizes = tuple(map(int, values.split(",")))
    if not all(one < other for one, other in pairwise((0, *sizes))) or len(sizes) > MOST_SIZES:
        raise UsageError(f"--sweep takes up to {MOST_SIZES} sizes, from small to large, not {text!r}")
    return Sweep(key, sizes, None if weak is None else _read_weak(weak, key, words))


def _read_weak(text: str, key: str, words: Sequence[str]) -> Weak:
    found = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)=([0-9]{1,12})\*([a-z]+)", text)
    if found is None or found[3] != key or int(found[2]) == 0:
        raise UsageError(f"--weak takes N=1000*{key}, not {text!r}")
    if not any(f"{{{found[1]}}}" in word for word in words[1:]):
        raise UsageError(f"--weak: no argument of the program has {{{found[1]}}}")
    return Weak(found[1], int(found[2]), key)
