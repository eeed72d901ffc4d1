"""Programs after public bug reports, without an engine: those that need no nodes come out right here, too."""

from pathlib import Path
from typing import Any

import pytest

from tests.own_programs import all_cases, check, timed

# What ranks that a program spawns say never reaches it on one machine: Open MPI hangs. On the cluster it does.
NOT_HERE = ("dynamic_processes",)
HERE = [p for p in all_cases() if p.values[0].get("embedded", True) and p.values[0]["name"] not in NOT_HERE]


@pytest.mark.parametrize("case", HERE)
def test_a_program_comes_out_right(case: dict[str, Any], tmp_path: Path) -> None:
    if case["name"] in ("ranks_and_hosts", "pool_over_nodes"):
        case = {**case, "out": [text.replace("hosts 3", "hosts 1") for text in case["out"]]}
    for number in range(min(case.get("repeat", 1), 3)):
        folder = tmp_path / str(number)
        check(case, timed(case, folder, "--backend", "embedded"), folder)
