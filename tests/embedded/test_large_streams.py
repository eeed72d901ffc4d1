"""Large and odd streams without an engine: every byte comes, and memory stays bounded."""

from pathlib import Path

import pytest

from tests.large_streams import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_streams(scenario: Scenario, tmp_path: Path) -> None:
    scenario(tmp_path / "folder", ("--backend", "embedded"))
