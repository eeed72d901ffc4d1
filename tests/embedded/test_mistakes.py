"""Typical mistakes, on this machine: the learner's own line, what is wrong with it, what to do."""

from pathlib import Path

import pytest

from tests.conftest import slow
from tests.mistakes import TABLE, TAKES_A_MINUTE, see


@pytest.mark.parametrize("name", [slow(name) if name in TAKES_A_MINUTE else name for name in TABLE])
def test_a_mistake_is_told_with_its_line_and_what_to_do(name: str, tmp_path: Path) -> None:
    see(TABLE[name], TABLE[name].run(tmp_path, "embedded", "default"))
