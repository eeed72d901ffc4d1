"""Spreads the tests over pytest-xdist's processes, but for those that look at this whole machine: one gets them all."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

THIS_MACHINE = ("embedded", "install")  # folders: their runs have this machine for their node, and look at all of it
WHOLE = ("tests/cluster/test_slurm.py",)  # files with a cluster of their own, which takes a while to get up


class Spread(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of one scope run in one process, in order. (`--dist loadgroup` does nothing under pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(test: str) -> str:
    """The scope of a test, given its id: its own, if it may run beside any other."""
    file, *_ = test.split("::")
    _, folder, *_ = file.split("/")
    if file in WHOLE:
        return file
    return "this machine" if folder in THIS_MACHINE else test


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    return Spread(config, log)
