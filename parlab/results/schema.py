"""The schema of a record. Older records are upgraded step by step, from each version to the next.

A document is decoded JSON.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

# 1  spans without phases, claims without a verdict; never kept in results/
# 2  one file per run in results/; readings of nodes, clocks, verdict, environment (the fingerprint)
# 3  launch, workforce, lesson_s and figures of a case; ideal_s and serial_s may be null; required claims
# 4  handout; marks
# 5  other names: run_delay_s (was stalled_s), foreign (strangers), metrics (figures), required (must), breakdown
#    (account) with contended (held_back) and transfer (on_the_way); nodes of a case, by name
# 6  claims with holds, margin and rests_on; the answer `undecided`; lab_file in the environment; held_up_s of spans
# 7  busiest of a repeat; the answer `no claims` to reproduced
# 8  serial_s of a sweep's cases: the time of its smallest size (was: times its workers, as if it had lost nothing)
SCHEMA = 8

Document = dict[str, Any]


def _from_3(document: Document) -> None:
    """Version 4 has only added optional parts."""


def _from_4(document: Document) -> None:
    for case in document.get("cases", ()):
        _rename(case, "figures", "metrics")
    for repeat in _repeats(document):
        _rename(repeat, "figures", "metrics")
        _rename(repeat, "account", "breakdown")
        _rename(repeat.get("breakdown", {}), "held_back", "contended")
        _rename(repeat.get("breakdown", {}), "on_the_way", "transfer")
        for span in repeat.get("spans", ()):
            _rename(span, "stalled_s", "run_delay_s")
        for node in repeat.get("nodes", {}).values():
            for reading in node.get("readings", ()):
                _rename(reading, "strangers", "foreign")
    for claim in document.get("verdict", {}).get("claims", ()):
        _rename(claim, "must", "required")
    for case in document.get("cases", ()):
        case.setdefault("nodes", _nodes_of_4(case))


def _from_5(document: Document) -> None:
    """Version 6 has only added optional parts."""


def _from_6(document: Document) -> None:
    reproduced = document.get("verdict", {}).get("reproduced", {})
    if reproduced.get("evidence") == "the lab claims nothing":
        reproduced["answer"] = "no claims"


def _from_7(document: Document) -> None:
    cases = document.get("cases", ())
    if document.get("command") and cases:
        for case in cases:
            if case.get("serial_s") is not None:
                case["serial_s"] = cases[0]["measured_s"]
                case["speedup"] = case["measured_s"] and cases[0]["measured_s"] / case["measured_s"]


STEPS: dict[int, Callable[[Document], None]] = {3: _from_3, 4: _from_4, 5: _from_5, 6: _from_6, 7: _from_7}
READABLE = (*STEPS, SCHEMA)


def upgrade(document: Document, schema: int) -> None:
    """Upgrade a document of a readable schema, in place.

    Raises AttributeError, KeyError, TypeError or ValueError if it is damaged.
    """
    for version in range(schema, SCHEMA):
        STEPS[version](document)


def _nodes_of_4(case: Document) -> list[str]:
    """Names of nodes: older records knew nodes only by their names, which ended in the engine's number: `worker-2`."""
    spans = {span["node"] for repeat in case["repeats"] for span in repeat["spans"]}
    read = {node for repeat in case["repeats"] for node in repeat.get("nodes", {})}  # a case may have no spans
    seen = sorted((spans | read) - {"head"})
    numbered = [found for name in seen if (found := re.fullmatch(r"(.*)-([0-9]{1,4})", name))]
    prefix = numbered[0][1] if numbered else "worker"
    most = max([case["spec"]["nodes"], *(int(found[2]) for found in numbered)])
    return ["head", *(f"{prefix}-{number}" for number in range(1, most + 1))]


def _repeats(document: Document) -> Iterator[Document]:
    for case in document.get("cases", ()):
        yield from case.get("repeats", ())


def _rename(part: Document, old: str, new: str) -> None:
    if old in part:
        part[new] = part.pop(old)
