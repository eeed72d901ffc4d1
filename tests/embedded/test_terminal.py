"""`run` at a terminal, without an engine: what a program finds there, and what is to be seen of it."""

from pathlib import Path

import pytest

from tests.terminals import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_program_at_a_terminal(scenario: Scenario, tmp_path: Path) -> None:
    scenario(tmp_path / "folder", ("--backend", "embedded"))
