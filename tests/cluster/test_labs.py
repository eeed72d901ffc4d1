"""Every lab on the real cluster: its results, and that each claim was shown that must be."""

import json
from pathlib import Path
from typing import Any

import pytest

from parlab.backend.cluster import Cluster
from parlab.course.catalog import lab_files
from parlab.errors import EXIT_CLAIM_FAILED, EXIT_NOT_A_MEASUREMENT
from parlab.results.store import read_json
from tests.cluster.conftest import NAME
from tests.conftest import Invoke, slow
from tests.measuring import shown

SHORT = ("cores", "lock", "process", "reduce")  # 9 to 15 s each; the others up to 40


@pytest.mark.judged
@pytest.mark.parametrize("lab", [lab if lab in SHORT else slow(lab) for lab in lab_files()])
def test_a_lab_shows_what_it_must(lab: str, four: Cluster, invoke: Invoke, tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    done = invoke(f"lab.{lab}", "--cluster", NAME, "--check", "--json", str(record))
    assert done.returncode in (0, EXIT_CLAIM_FAILED, EXIT_NOT_A_MEASUREMENT), done.stdout + done.stderr
    run = json.loads(record.read_text())
    verdict = run["verdict"]
    assert verdict["correct"]["answer"] == "yes"
    must = [claim for claim in verdict["claims"] if claim["required"]]
    assert must, "a lab claims something"
    assert used_under_limits(run) <= burned_at_once(run)
    shown(read_json(record).verdict)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [claim for claim in must if claim["answer"] != "yes"] == []


def used_under_limits(run: dict[str, Any]) -> set[frozenset[str]]:
    """The nodes of each launch that had limits."""
    launches = (repeat["nodes"] for case in run["cases"] for repeat in case["repeats"])
    return {frozenset(nodes) for nodes in launches if any(use["wanted"] is not None for use in nodes.values())}


def burned_at_once(run: dict[str, Any]) -> set[frozenset[str]]:
    """The nodes on which an unpaced burn was made at once, in some launch."""
    launches = (repeat["nodes"] for case in run["cases"] for repeat in case["repeats"])
    return {frozenset(nodes) for nodes in launches if all(use["burned"] is not None for use in nodes.values())}
