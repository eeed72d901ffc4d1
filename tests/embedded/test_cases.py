"""Programs after public bug reports, without an engine: those that need no nodes come out right here, too."""

from pathlib import Path
from typing import Any

import pytest

from tests.own_programs import all_cases, check, pooled_cases, timed

# What ranks that a program spawns say never reaches it on one machine: Open MPI hangs. On the cluster it does.
NOT_HERE = ("dynamic_processes",)


def here(cases: list[Any]) -> list[Any]:
    """Those that come out right here, as they do here."""
    found = [p for p in cases if p.values[0].get("embedded", True) and p.values[0]["name"] not in NOT_HERE]
    for param in found:
        (case,) = param.values
        if case["name"] in ("ranks_and_hosts", "pool_over_nodes"):
            case["out"] = [text.replace("hosts 3", "hosts 1") for text in case["out"]]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", here(pooled_cases()))
def test_it_comes_out_as_right_when_it_is_traced(case: dict[str, Any], tmp_path: Path) -> None:
    check(case, timed(case, tmp_path, "--backend", "embedded", "--trace"), tmp_path)


@pytest.mark.parametrize("case", here(all_cases()))
def test_a_program_comes_out_right(case: dict[str, Any], tmp_path: Path) -> None:
    for number in range(min(case.get("repeat", 1), 3)):
        folder = tmp_path / str(number)
        check(case, timed(case, folder, "--backend", "embedded"), folder)
