"""Reading a node's limit from inside, in every layout of cgroup files.

Version 1 was recorded in a node of this project. Version 2 cannot be run on the machine these were recorded on: its
files are written here as the kernel's cgroup-v2 documentation gives them.
"""

from pathlib import Path

import pytest

from parlab.node.cgroup import read_limit

V1_MEMBERSHIP = """\
8:pids:/docker/f1bb234d72c5
3:cpuset:/docker/f1bb234d72c5
2:cpuacct:/docker/f1bb234d72c5
1:cpu:/docker/f1bb234d72c5
0::/docker/f1bb234d72c5
"""
V1_JOINED = "4:cpu,cpuacct:/docker/f1bb234d72c5\n1:name=systemd:/docker/f1bb234d72c5\n"


def tree(root: Path, membership: str, files: dict[str, str]) -> float | None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "self").write_text(membership)
    return read_limit(root, root / "self")


@pytest.mark.parametrize(("quota", "cpus"), [("25000", 0.25), ("-1", None), ("150000", 1.5)])
@pytest.mark.parametrize(("membership", "mount"), [(V1_MEMBERSHIP, "cpu"), (V1_JOINED, "cpu,cpuacct")])
def test_version_1_quota_over_period_is_the_limit(
    tmp_path: Path, membership: str, mount: str, quota: str, cpus: float | None
) -> None:
    files = {f"{mount}/cpu.cfs_quota_us": f"{quota}\n", f"{mount}/cpu.cfs_period_us": "100000\n"}
    assert tree(tmp_path, membership, files) == cpus


@pytest.mark.parametrize(("limit", "cpus"), [("25000 100000", 0.25), ("max 100000", None), ("1562 100000", 0.01562)])
def test_version_2_in_a_namespace_of_its_own(tmp_path: Path, limit: str, cpus: float | None) -> None:
    assert tree(tmp_path, "0::/\n", {"cgroup.controllers": "cpu memory\n", "cpu.max": f"{limit}\n"}) == cpus


def test_version_2_is_read_at_the_path_of_the_process(tmp_path: Path) -> None:
    place = "system.slice/docker-f1bb.scope"
    files = {"cgroup.controllers": "cpu\n", f"{place}/cpu.max": "50000 100000\n"}
    assert tree(tmp_path, f"0::/{place}\n", files) == 0.5


def test_version_2_has_no_limit_at_the_root(tmp_path: Path) -> None:
    assert tree(tmp_path, "0::/\n", {"cgroup.controllers": "cpu\n"}) is None


def test_without_cgroups_there_is_no_limit(tmp_path: Path) -> None:
    assert read_limit(tmp_path, tmp_path / "missing") is None
