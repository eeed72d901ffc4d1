"""Spreads the tests over the processes of pytest-xdist: one by one, but for those that share something."""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# Each with a cluster of its own; an environment with the wheel.
WHOLE = ("tests/cluster/test_slurm.py", "tests/cluster/test_slurm_shell.py", "tests/install")
EMBEDDED = "tests/embedded"  # nothing limits the CPU time of its ranks: many such runs at once would crowd the machine
FILES = sorted(path.name for path in (Path(__file__).parents[1] / EMBEDDED).glob("test_*.py"))
LANES = 2  # so many processes have these tests, with half of the files each


class Spread(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one scope run in one process, in order. (`--dist loadgroup` has no effect under pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(test: str) -> str:
    """The scope of a test, given its id: its own, or that of all tests which go to the same process."""
    file, *_ = test.split("::")
    if file.startswith(f"{EMBEDDED}/"):
        return f"{EMBEDDED} {FILES.index(Path(file).name) % LANES}"
    return next((whole for whole in WHOLE if test.startswith((f"{whole}::", f"{whole}/"))), test)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    return Spread(config, log)
