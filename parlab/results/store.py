"""Runs on the disk: written completely or not at all, validated on reading, kept in results/."""

import json
import math
import os
import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from parlab.errors import UsageError
from parlab.host.places import COMMAND, RESULTS
from parlab.results.record import MeasuredCase, Repeat, Run
from parlab.results.schema import READABLE, SCHEMA, upgrade
from parlab.thresholds import EARLIER_RUNS

LONGEST_NAME = 50  # of a lab, in an id: a file name has at most 255 bytes


def to_json(run: Run) -> dict[str, Any]:
    """The record in the format of parlab/results/record.py, including derived metrics."""
    plain = tuple(replace(case, settings=_plain(dict(case.settings))) for case in run.cases)
    facts: dict[str, Any] = msgspec.to_builtins(replace(run, cases=plain), enc_hook=_to_json)
    for case, written in zip(run.cases, facts["cases"], strict=True):
        written |= {
            "measured_s": _number(case.measured_s),
            "off_by": _number(case.off_by),
            "speedup": _number(case.speedup),
            "by_node": case.by_node,
            "metrics": case.metrics,
        }
        for repeat, part in zip(case.repeats, written["repeats"], strict=True):
            part |= _derived(case, repeat)
    return {"schema": SCHEMA, **facts}


def _derived(case: MeasuredCase, repeat: Repeat) -> dict[str, Any]:
    breakdown = msgspec.to_builtins(case.breakdown(repeat))
    return {"measured_s": repeat.measured_s, "by_node": repeat.by_node, "breakdown": breakdown}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _to_json(value: Any) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    raise TypeError(f"a {type(value).__name__} has no place in a record")


def _plain(setting: Any) -> Any:
    """A lab's setting as JSON; a value that JSON lacks, e.g. a function or infinity, is written as Python shows it."""
    if isinstance(setting, dict):
        return {str(key): _plain(value) for key, value in setting.items()}
    if isinstance(setting, list | tuple):
        return [_plain(value) for value in setting]
    known = setting is None or isinstance(setting, bool | int | str)
    return setting if known or (isinstance(setting, float) and math.isfinite(setting)) else repr(setting)


def _from_json(wanted: type, value: Any) -> Any:
    if wanted is Fraction and isinstance(value, int | float):
        return Fraction(value).limit_denominator(1_000_000)
    raise TypeError(f"Expected `number`, got `{type(value).__name__}`")


def as_text(run: Run) -> str:
    """The record's file content: a JSON document in one line."""
    return json.dumps(to_json(run), separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"


def write_json(run: Run, path: Path) -> None:
    """Write the record; a reader sees the old file or the new one, never a part, even if this process dies."""
    write_whole(path, as_text(run))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a new file beside the old one, then replace it. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())  # else a crash of the machine could leave a renamed file without content
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_json(path: Path) -> Run:
    """Read a record. Raises UsageError, in one line, if it is missing, no record, damaged or of another version."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"No run {str(path)!r}: {error.strerror}. Use a file, an id, or a number from {COMMAND} results."
        ) from error
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema not in READABLE:
            age = "a newer" if schema > SCHEMA else "an older"
            raise UsageError(
                f"{path}: required schema {READABLE[0]} to {SCHEMA}, found {schema}. "
                f"It was written by {age} version of parlab."
            )
        document = msgspec.json.decode(data)
        with suppress(AttributeError, KeyError, TypeError, ValueError):  # for damage, msgspec tells the place
            upgrade(document, schema)
        run = msgspec.convert(document, type=Run, dec_hook=_from_json)
        _check(run)
        return run
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {_required(error)}. It is damaged, or not a record of parlab.") from error


def _check(run: Run) -> None:
    """Raise ValueError for values of the right type that are impossible."""
    specs = [run.spec, *(case.spec for case in run.cases)]
    figures = {"spec": [value for spec in specs for value in (spec.nodes, spec.cores, spec.speed, spec.unit)]}
    ideals = [value for case in run.cases for value in (case.ideal_s, case.serial_s)]
    figures["ideal_s, serial_s"] = [value for value in ideals if value is not None]
    figures["workforce"] = [value for case in run.cases for value in vars(case.workforce).values()]
    figures["measured_s"] = [seconds for case in run.cases for seconds in case.times]
    for name, values in figures.items():
        if min(values, default=1) <= 0:
            raise ValueError(f"Expected figures above 0, got {float(min(values)):g} - at {name}")
    try:
        datetime.fromisoformat(run.started)
    except ValueError:
        raise ValueError(f"Expected a time, got {run.started[:40]!r} - at started") from None
    if not re.fullmatch(r"\w[\w.-]{0,199}", run.id):  # files are named after it
        raise ValueError(f"Expected letters, digits, points and dashes, got {run.id[:40]!r} - at id")
    if any(len(case.nodes) <= case.workforce.nodes for case in run.cases):
        raise ValueError("Expected a name for each node, got fewer - at nodes")
    if any(not case.repeats for case in run.cases):
        raise ValueError("Expected at least one, got none - at repeats")


def read_all(folder: Path = RESULTS) -> tuple[dict[int, Run], dict[int, str]]:
    """The runs of the folder by their numbers, 1 the newest; and, by number, why other records cannot be read."""
    runs, unread = {}, {}
    for number, path in enumerate(kept(folder), 1):
        try:
            runs[number] = read_json(path)
        except UsageError as error:
            unread[number] = f"{path.stem}: {str(error).removeprefix(f'{path}: ')}"
    return runs, unread


def in_id(lab: str) -> str:
    """A lab's name for the id of a run, from any file name: `my-lab-1` for `my lab (1).py`."""
    return re.sub(r"[^\w.]+", "-", lab)[:LONGEST_NAME].strip("-") or "lab"


def earlier_runs(lab: str, folder: Path = RESULTS) -> list[Run]:
    """The newest runs of a lab, as many as are useful; unreadable ones are left out."""
    found = []
    for path in [path for path in kept(folder) if f"-{in_id(lab)}-" in path.stem][:EARLIER_RUNS]:
        with suppress(UsageError):
            found.append(read_json(path))
    return found


class _Schema(msgspec.Struct):
    schema: int


def _required(error: Exception) -> str:
    """msgspec's message in the form `required X, found Y`."""
    what, _, where = str(error).replace("`", "").partition(" - at ")
    place = f" at {where}" if where else ""
    if found := re.fullmatch(r"Expected (.*), got (.*)", what):
        return f"required {found[1]}, found {found[2]}{place}"
    if found := re.fullmatch(r"Object missing required field (.*)", what):
        return f"required a field {found[1]}, found none{place}"
    if isinstance(error, msgspec.ValidationError):
        return f"required a record, found another: {what}{place}"
    if "truncated" in what:
        return "required a whole JSON document, found one that is cut off"
    return f"required a JSON document, found something else: {what}{place}"


def keep(run: Run, folder: Path = RESULTS) -> Path:
    """Write the run into the folder, under its id. Raises OSError."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{run.id}.json"
    write_json(run, path)
    return path


def see_that_it_can_be_written(folder: Path = RESULTS) -> None:
    """Make the folder of the records, unless it exists. Raises UsageError if it is not writable."""
    try:
        folder.mkdir(exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise UsageError(f"cannot write to the folder {folder}: PARLAB_RESULTS=FOLDER names another")


def kept(folder: Path = RESULTS) -> list[Path]:
    """The records of the folder, the newest first: ids begin with the time."""
    return sorted(folder.glob("[0-9]*.json"), reverse=True)


def find(wanted: str, folder: Path = RESULTS) -> Path:
    """The record that a user names: by file, by id or its beginning, or by number in the list, 1 the newest.

    Raises UsageError when there is no such record, or more than one.
    """
    if wanted.endswith(".json") or os.sep in wanted:
        return Path(wanted)
    records = kept(folder)
    if re.fullmatch(r"[0-9]{1,4}", wanted) and 1 <= int(wanted) <= len(records):
        return records[int(wanted) - 1]
    found = [path for path in records if path.stem.startswith(wanted)] if wanted else []
    if len(found) != 1:
        if found:
            raise UsageError(f"{len(found)} runs have an id that begins with {wanted!r}. Type more of it.")
        if not records:
            raise UsageError(f"No run {wanted!r}: {folder} is empty. Every run of a lab is kept there.")
        raise UsageError(f"No run {wanted!r}. Use a file, an id, or a number from {COMMAND} results.")
    return found[0]
