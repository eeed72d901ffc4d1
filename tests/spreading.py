"""Spreads the tests over the processes of pytest-xdist: one by one, but for those that share something."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

WHOLE = (
    "tests/cluster/test_slurm.py",  # has a cluster of its own
    "tests/install",  # has an environment with the wheel
    "tests/embedded",  # nothing limits the CPU time of its ranks: several such runs at once would crowd the machine
)


class Spread(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one scope run in one process, in order. (`--dist loadgroup` has no effect under pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(test: str) -> str:
    """The scope of a test, given its id: its own, or that of its file or folder if one process runs all of these."""
    return next((whole for whole in WHOLE if test.startswith((f"{whole}::", f"{whole}/"))), test)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    return Spread(config, log)
