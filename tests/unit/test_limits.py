"""Comparing limits: what the engine says, and what the ranks read inside."""

from fractions import Fraction
from typing import Any, cast

import pytest

from parlab.backend.cluster import Cluster, Node
from parlab.errors import LimitError
from parlab.spec import Spec

SPEC = Spec(2, 1, Fraction(1, 32), 0.5)
NODES = [Node(name, name, name, "image", "running") for name in ("head", "worker-1", "worker-2")]


class Recorded(Cluster):
    """A cluster whose engine gave these answers."""

    def __init__(self, driver: str) -> None:
        super().__init__(cast(Any, None))
        self._nodes, self.info = NODES, {"CgroupDriver": driver}

    def engine_limits(self, nodes: list[Node]) -> dict[str, float | None]:
        return {"head": 0.5, "worker-1": 0.03125, "worker-2": 0.03125}


@pytest.mark.parametrize("driver", ["cgroupfs", "systemd"])
def test_the_limit_asked_for_is_held(driver: str) -> None:
    Recorded(driver).check_limits(SPEC, {0: 0.5, 1: 0.03125, 2: 0.03125})


def test_the_systemd_driver_may_round_up_to_a_whole_percent() -> None:
    Recorded("systemd").check_limits(SPEC, {0: 0.5, 1: 0.04, 2: 0.04})


@pytest.mark.parametrize(
    ("driver", "found"), [("cgroupfs", 0.04), ("systemd", 0.05), ("systemd", 0.03), ("systemd", None)]
)
def test_another_limit_is_not_held_and_its_node_is_named(driver: str, found: float | None) -> None:
    with pytest.raises(LimitError, match=r"worker-2: its cgroup says .* asked for was 0\.031 CPU"):
        Recorded(driver).check_limits(SPEC, {0: 0.5, 1: 0.03125, 2: found})
