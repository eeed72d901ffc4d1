"""What the command line says, read and checked before anything starts.

Every reader raises UsageError, which names the option and what it takes.
"""

import math
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

from parlab.errors import UsageError
from parlab.formatting import plural
from parlab.lab import Lab
from parlab.model.case import PYTHON, Case
from parlab.model.spec import Spec

MOST_NODES = 64
MOST_CORES = 64
MOST_REPEATS = 100
SLOWEST = Fraction(1, 64)
UNIT_SECONDS = (0.001, 60.0)
SETTINGS = ("workers", "chunk", "size")  # of a lab's cases, that the command line can change
BACKENDS = ("cluster", "embedded")


@dataclass(frozen=True)
class Options:
    """The options of a lab as they were typed; None is the lab's own, or whatever is there."""

    nodes: str | None = None
    cores: str | None = None
    speed: str | None = None
    unit: str | None = None
    workers: str | None = None
    chunk: str | None = None
    size: str | None = None
    cluster: str = "default"
    backend: str | None = None
    repeat: str = "1"
    json: str | None = None
    junit: str | None = None
    trace: str | None = None
    check: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Chosen:
    """A case that is to run: its number in the lab, and the settings that the command line overrides."""

    number: int
    case: Case
    overrides: dict[str, int]


def read_cases(lab: Lab, options: Options) -> list[Chosen]:
    """The lab's cases, with the settings that the command line names in place of their own; no two alike.

    Where a changed case is one that the lab declares itself, that is the one.
    """
    given = {name: read_setting(lab, name, text) for name in SETTINGS if (text := getattr(options, name)) is not None}
    found: dict[tuple[Any, ...], Chosen] = {}
    for number, case in enumerate(lab.cases):
        own = {name: values for name, values in given.items() if name in case.settings}
        for combination in product(*own.values()):
            overrides = dict(zip(own, combination, strict=True))
            settings = case.settings | overrides
            lesson_s = case.lesson_s if settings == case.settings else None
            chosen = replace(case, settings=settings, lesson_s=lesson_s)
            key = chosen.name, chosen.launch, chosen.limits, chosen.threads, chosen.only_on
            if key not in found or settings == case.settings:
                found[key] = Chosen(number, chosen, overrides)
    return list(found.values())


def read_setting(lab: Lab, name: str, text: str) -> tuple[int, ...]:
    """Read `4,8`, the values of one setting of the lab's cases."""
    if name not in lab.bounds or not any(name in case.settings for case in lab.cases):
        own = {other for case in lab.cases for other in case.settings} & lab.bounds.keys()
        takes = [f"--{other}" for other in SETTINGS if other in own]
        others = (
            f"only {' and '.join(takes)}"
            if takes
            else f"nor {' or '.join(f'--{other}' for other in SETTINGS if other != name)}"
        )
        raise UsageError(f"this lab takes no --{name}, {others}")
    low, high = lab.bounds[name]
    return _read_wholes(f"--{name}", text, low, high)


def read_specs(lab: Lab, options: Options) -> list[Spec]:
    """One Spec for each size to run on: the lab's own, overridden by what the command line says."""
    if options.nodes is not None and lab.nodes == (1,) and all(case.launch == PYTHON for case in lab.cases):
        raise UsageError("this lab runs inside one node: it takes no --nodes")
    sizes = lab.nodes if options.nodes is None else read_sizes(options.nodes)
    cores = lab.cores if options.cores is None else read_cores(options.cores)
    speed = lab.speed if options.speed is None else read_speed(options.speed)
    unit = lab.unit if options.unit is None else read_unit(options.unit)
    wanted = [size for size in sizes if any(case.runs_on(size) for case in lab.cases)]
    if not wanted:
        raise UsageError(f"none of this lab's cases runs on {' or '.join(plural(size, 'node') for size in sizes)}")
    return [Spec(size, cores, speed, unit) for size in wanted]


def read_cluster_spec(nodes: str, cores: str, speed: str) -> Spec:
    """Read the size of a cluster; its unit is of no meaning."""
    return Spec(_read_whole("--nodes", nodes, MOST_NODES), read_cores(cores), read_speed(speed), unit=1.0)


def read_sizes(text: str) -> tuple[int, ...]:
    """Read `1,2,4`."""
    return _read_wholes("--nodes", text, 1, MOST_NODES)


def read_cores(text: str) -> int:
    """Read the number of virtual cores a node."""
    return _read_whole("--cores", text, MOST_CORES)


def _read_whole(option: str, text: str, most: int) -> int:
    value = _whole(text, most)
    if value is None:
        raise UsageError(f"{option} takes a whole number from 1 to {most}, not {text!r}")
    return value


def _read_wholes(option: str, text: str, least: int, most: int) -> tuple[int, ...]:
    values = [_whole(item, most, least) for item in text.split(",")]
    if None in values:
        raise UsageError(f"{option} takes numbers from {least} to {most}, separated by commas, not {text!r}")
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _whole(text: str, most: int, least: int = 1) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most else None


def read_speed(text: str) -> Fraction:
    """Read `1/8` or `0.125`."""
    value = Fraction(0)
    if re.fullmatch(r"[0-9.]{1,12}(e-[0-9]{1,2})?|[0-9]{1,6}/[0-9]{1,6}", text):  # short, or the number is a long one
        with suppress(ValueError, ZeroDivisionError):
            value = Fraction(text)
    if not SLOWEST <= value <= 1:
        raise UsageError(f"--speed takes a fraction of a host core from {SLOWEST} to 1, as 1/8 or 0.125, not {text!r}")
    return value


def read_unit(text: str) -> float:
    """Read a length of time in seconds."""
    low, high = UNIT_SECONDS
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise UsageError(f"--unit takes seconds from {low:g} to {high:g}, not {text!r}")
    return value


def read_cluster(text: str) -> str:
    """Read the name of a cluster; it becomes part of container and network names."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,29}", text):
        raise UsageError(
            f"--cluster takes a name of 1 to 30 characters, lower-case letters, digits and hyphens, not {text!r}"
        )
    return text


def read_backend(text: str) -> str:
    """Read which backend is wanted."""
    if text not in BACKENDS:
        raise UsageError(f"--backend takes {' or '.join(BACKENDS)}, not {text!r}")
    return text


def read_repeat(text: str) -> int:
    """Read how many times each case is to be launched."""
    return _read_whole("--repeat", text, MOST_REPEATS)


def read_output(option: str, text: str | None) -> Path | None:
    """Read the file that an option names, and see that it can be written; None where it was not given."""
    if text is None:
        return None
    path = Path(text).resolve()
    special = path.exists() and not path.is_file()  # writing puts a new file in its place: never for a device
    if not text or special or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"{option} takes a file in a folder that can be written to, not {text!r}")
    return path
