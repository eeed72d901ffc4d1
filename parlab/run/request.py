"""The request of the command line: read once, here, into frozen values. Nothing is read from its words later.

Every reader raises UsageError, which names the option and its valid values.
"""

import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from parlab.backend.registry import backend_names
from parlab.errors import UsageError
from parlab.model.case import MOST_REPEATS
from parlab.model.spec import Spec

MOST_NODES = 64
MOST_CORES = 64
MOST_PREDICTED = 16_384  # nodes
SLOWEST = Fraction(1, 64)
UNIT_SECONDS = (0.001, 60.0)
MOST_SECONDS = 7 * 24 * 3600
A_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}  # of time, in seconds


@dataclass(frozen=True)
class Request:
    """The request for a lab. None means the lab's own value, or any available one.

    `settings` are values that replace the cases' own settings: workers, chunk, size.
    """

    nodes: tuple[int, ...] | None = None
    cores: int | None = None
    speed: Fraction | None = None
    unit: float | None = None  # seconds
    settings: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    cluster: str = "default"
    backend: str | None = None
    repeat: int = 1
    timeout: float | None = None  # seconds, of each launch


@dataclass(frozen=True)
class Output:
    """The output of a run: files to write beside the record, the meaning of the exit code, and the amount of text.

    `quiet` prints only the table and the verdict, once the run is done; `verbose` prints everything.
    """

    json: Path | None = None
    junit: Path | None = None
    trace: Path | None = None
    check: bool = False
    quiet: bool = False
    verbose: bool = False


def read_request(
    *,
    nodes: str | None = None,
    cores: str | None = None,
    speed: str | None = None,
    unit: str | None = None,
    workers: str | None = None,
    chunk: str | None = None,
    size: str | None = None,
    cluster: str = "default",
    backend: str | None = None,
    repeat: str = "1",
    timeout: str | None = None,
) -> Request:
    """Read the options of a lab as typed."""
    settings = {"workers": workers, "chunk": chunk, "size": size}
    return Request(
        nodes=None if nodes is None else read_sizes(nodes),
        cores=None if cores is None else read_cores(cores),
        speed=None if speed is None else read_speed(speed),
        unit=None if unit is None else read_unit(unit),
        settings={name: read_setting(name, text) for name, text in settings.items() if text is not None},
        cluster=read_cluster(cluster),
        backend=None if backend is None else read_backend(backend),
        repeat=read_repeat(repeat),
        timeout=None if timeout is None else read_seconds("--timeout", timeout),
    )


def read_outputs(
    *,
    json: str | None = None,
    junit: str | None = None,
    trace: str | None = None,
    check: bool,
    quiet: bool,
    verbose: bool,
) -> Output:
    """Read the output options of a run as typed."""
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other: give one of them")
    files = (read_output("--json", json), read_output("--junit", junit), read_output("--trace", trace))
    return Output(*files, check=check, quiet=quiet, verbose=verbose)


def read_setting(name: str, text: str) -> tuple[int, ...]:
    """Read `4,8`, the values of a setting; the lab sets the bounds for them (run/plan.py)."""
    return _read_wholes(f"--{name}", text, 0, None)


def read_cluster_spec(nodes: str, cores: str, speed: str) -> Spec:
    """Read the size of a cluster; its unit has no meaning."""
    return Spec(read_whole("--nodes", nodes, MOST_NODES), read_cores(cores), read_speed(speed), unit=1.0)


def read_sizes(text: str) -> tuple[int, ...]:
    """Read `1,2,4`."""
    return _read_wholes("--nodes", text, 1, MOST_NODES)


def read_predicted_sizes(text: str) -> tuple[int, ...]:
    """Read `1,16,4096`: sizes that need not exist."""
    return _read_wholes("--nodes", text, 1, MOST_PREDICTED)


def read_cores(text: str) -> int:
    """Read the number of virtual cores per node."""
    return read_whole("--cores", text, MOST_CORES)


def read_whole(option: str, text: str, most: int) -> int:
    """Read a whole number, at least 1."""
    value = _whole(text, most)
    if value is None:
        raise UsageError(f"{option} takes a whole number from 1 to {most}, not {text!r}")
    return value


def _read_wholes(option: str, text: str, least: int, most: int | None) -> tuple[int, ...]:
    values = [_whole(item, most, least) for item in text.split(",")]
    if None in values:
        range_ = "whole numbers" if most is None else f"numbers from {least} to {most}"
        raise UsageError(f"{option} takes {range_}, separated by commas, not {text!r}")
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _whole(text: str, most: int | None, least: int = 1) -> int | None:
    fits = re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) and (most is None or int(text) <= most)
    return int(text) if fits else None


def read_speed(text: str) -> Fraction:
    """Read `1/8` or `0.125`."""
    value = Fraction(0)
    if re.fullmatch(r"[0-9.]{1,12}(e-[0-9]{1,2})?|[0-9]{1,6}/[0-9]{1,6}", text):  # short: no huge numbers
        with suppress(ValueError, ZeroDivisionError):
            value = Fraction(text)
    if not SLOWEST <= value <= 1:
        raise UsageError(
            f"--speed takes a fraction of a host core from {SLOWEST} to 1, such as 1/8 or 0.125, not {text!r}"
        )
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
    """Read the name of a backend."""
    if text not in backend_names():
        raise UsageError(f"--backend takes {' or '.join(backend_names())}, not {text!r}")
    return text


def read_repeat(text: str) -> int:
    """Read the number of launches per case."""
    return read_whole("--repeat", text, MOST_REPEATS)


def read_seconds(option: str, text: str) -> float:
    """Read a deadline in seconds, `90` or `90s`, or in the units of timeout(1): `5m`, `2h`."""
    found = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)([smh]?)", text)
    seconds = float(found[1]) * A_UNIT[found[2]] if found else 0.0
    if not 1 <= seconds <= MOST_SECONDS:
        raise UsageError(f"{option} takes seconds from 1 to {MOST_SECONDS}, or 5m, or 2h, not {text!r}")
    return seconds


def read_output(option: str, text: str | None) -> Path | None:
    """Read the file that an option names, and check that it can be written; None if the option was not given."""
    if text is None:
        return None
    path = Path(text).resolve()
    special = path.exists() and not path.is_file()  # writing puts a new file in its place: never for a device
    if not text or special or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"{option} takes a file in a folder that can be written to, not {text!r}")
    return path
