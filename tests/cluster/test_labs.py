"""Every lab on the real cluster: its results, and that each claim was shown that must be."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parlab.backend.cluster import Cluster
from parlab.course.catalog import lab_files
from parlab.errors import EXIT_NOT_A_MEASUREMENT
from tests.cluster.conftest import NAME
from tests.conftest import Invoke

# A host that others use gives no measurement; that fails no claim, and shows none. They may take it for some minutes.
PAUSE_S, PAUSES = 20.0, 45  # of all labs together


@pytest.fixture(scope="module")
def pauses() -> Iterator[float]:
    """The pauses that are left, in seconds."""
    return iter([PAUSE_S] * PAUSES)


@pytest.mark.parametrize("lab", lab_files())
def test_a_lab_shows_what_it_must(
    lab: str, four: Cluster, invoke: Invoke, pauses: Iterator[float], tmp_path: Path
) -> None:
    record = tmp_path / "r.json"

    def run_it() -> subprocess.CompletedProcess[str]:
        return invoke(f"lab.{lab}", "--cluster", NAME, "--check", "--json", str(record))

    while (done := run_it()).returncode == EXIT_NOT_A_MEASUREMENT and (pause := next(pauses, None)):
        time.sleep(pause)
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(record.read_text())
    verdict = run["verdict"]
    assert verdict["correct"]["answer"] == "yes"
    must = [claim for claim in verdict["claims"] if claim["required"]]
    assert must, "a lab claims something"
    assert [claim for claim in must if claim["answer"] != "yes"] == []
    assert used_under_limits(run) <= burned_at_once(run)


def used_under_limits(run: dict[str, Any]) -> set[frozenset[str]]:
    """The nodes of each launch that had limits."""
    launches = (repeat["nodes"] for case in run["cases"] for repeat in case["repeats"])
    return {frozenset(nodes) for nodes in launches if any(use["wanted"] is not None for use in nodes.values())}


def burned_at_once(run: dict[str, Any]) -> set[frozenset[str]]:
    """The nodes on which an unpaced burn was made at once, in some launch."""
    launches = (repeat["nodes"] for case in run["cases"] for repeat in case["repeats"])
    return {frozenset(nodes) for nodes in launches if all(use["burned"] is not None for use in nodes.values())}
