"""Tasks that take any number of words. invoke has no such parameters, so we count the words first."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, signature
from itertools import pairwise
from typing import Any

from invoke.tasks import Task, task

from parlab.commands.sites import names_a_program


def words_after(name: str) -> int:
    """Number of words after a task's name on the command line, without options and the file of `--out`."""
    words = sys.argv[sys.argv.index(name) :] if name in sys.argv else []
    return sum(not word.startswith("-") and before != "--out" for before, word in pairwise(words))


def names_a_run(name: str) -> bool:
    """Whether the word after a task's name on the command line is a run's number, id or file, and no other task."""
    first = next((word for word in _after(name) if not word.startswith("-")), "")
    return first[:1].isdigit() or first.endswith(".json") or os.sep in first


def sends_a_program(name: str) -> bool:
    """Whether a word after a task's name on the command line is a program or a lab."""
    return any(map(names_a_program, _after(name)))


def _after(name: str) -> list[str]:
    return sys.argv[sys.argv.index(name) + 1 :] if name in sys.argv else []


def taking_a_word(
    function: Callable[..., Any], name: str, told: Mapping[str, str], *, given: bool
) -> Task[Callable[..., Any]]:
    """Make a task of a function whose argument `name` may be left out, and is if it is not `given`."""
    made: Task[Callable[..., Any]] = task(auto_shortflags=False, positional=[name] if given else [], help=dict(told))(
        function
    )
    return made


def taking_words(
    function: Callable[..., Any], names: Sequence[str], told: Mapping[str, str]
) -> Task[Callable[..., Any]]:
    """Make a task of a function with `**words`: it takes a positional argument for each of the names."""
    first, *options = [p for p in signature(function).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    positional = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    function.__signature__ = Signature([first, *positional, *options])  # type: ignore[attr-defined]
    made: Task[Callable[..., Any]] = task(auto_shortflags=False, help=dict(told))(function)
    return made
