"""Reading a node's limit and its counters from inside, in every layout of cgroup files.

All were recorded in nodes of this project: version 1 on the machine of development; version 2 (`cgroup-v2/`) with
Debian 13, kernel 6.12 and Docker 26.1, once with the systemd driver and once with cgroupfs.
"""

from contextlib import closing
from pathlib import Path

import pytest

from parlab.model.reading import NodeReading, RawReading, read_limit
from parlab.node.cgroup import Cgroup

V1_MEMBERSHIP = """\
8:pids:/docker/f1bb234d72c5
3:cpuset:/docker/f1bb234d72c5
2:cpuacct:/docker/f1bb234d72c5
1:cpu:/docker/f1bb234d72c5
0::/docker/f1bb234d72c5
"""
V1_JOINED = "4:cpu,cpuacct:/docker/f1bb234d72c5\n1:name=systemd:/docker/f1bb234d72c5\n"
V1_STAT = "nr_periods 40\nnr_throttled 12\nthrottled_time 1500000000\nnr_bursts 0\nburst_time 0\n"
V2 = Path(__file__).parent / "cgroup-v2"
V2_STAT = (V2 / "systemd-node/cpu.stat").read_text()
V2_USED = NodeReading(7.5, 0.25, used_s=59.238164, periods=860, throttled=342, throttled_s=20.219984, reading_s=0.25)

in_every_layout_of_version_1 = pytest.mark.parametrize(
    ("membership", "cpu", "cpuacct"),
    [
        (V1_MEMBERSHIP, "cpu", "cpuacct"),
        (V1_MEMBERSHIP, "cpu/docker/f1bb234d72c5", "cpuacct/docker/f1bb234d72c5"),
        (V1_JOINED, "cpu,cpuacct", "cpu,cpuacct"),
        (V1_JOINED, "cpuacct,cpu", "cpuacct,cpu"),
    ],
    ids=["separate", "at its path", "joined", "joined the other way"],
)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def tree(root: Path, membership: str, files: dict[str, str]) -> dict[str, str]:
    """What the kernel's files say, found from inside."""
    write(root, {**files, "self": membership})
    with closing(Cgroup(root, root / "self")) as cgroup:
        return cgroup.texts()


def usage(texts: dict[str, str]) -> NodeReading:
    return NodeReading.from_node(RawReading(at=7.5, files=texts, host=None, foreign={}, reading_s=0.25))


# The limit.


@pytest.mark.parametrize(("quota", "cpus"), [("25000", 0.25), ("-1", None), ("150000", 1.5)])
@in_every_layout_of_version_1
def test_version_1_quota_over_period_is_the_limit(
    tmp_path: Path, membership: str, cpu: str, cpuacct: str, quota: str, cpus: float | None
) -> None:
    files = {f"{cpu}/cpu.cfs_quota_us": f"{quota}\n", f"{cpu}/cpu.cfs_period_us": "100000\n"}
    assert read_limit(tree(tmp_path, membership, files)) == cpus


@pytest.mark.parametrize(("limit", "cpus"), [("25000 100000", 0.25), ("max 100000", None), ("1562 100000", 0.01562)])
def test_version_2_in_a_namespace_of_its_own(tmp_path: Path, limit: str, cpus: float | None) -> None:
    files = {"cgroup.controllers": "cpu memory\n", "cpu.max": f"{limit}\n"}
    assert read_limit(tree(tmp_path, "0::/\n", files)) == cpus


def test_version_2_is_read_at_the_path_of_the_process(tmp_path: Path) -> None:
    place = "system.slice/docker-f1bb.scope"
    files = {"cgroup.controllers": "cpu\n", f"{place}/cpu.max": "50000 100000\n"}
    assert read_limit(tree(tmp_path, f"0::/{place}\n", files)) == 0.5


def test_version_2_has_no_limit_at_the_root(tmp_path: Path) -> None:
    files = {"cgroup.controllers": "cpu\n", "cpu.stat": (V2 / "root-cpu.stat").read_text()}
    texts = tree(tmp_path, "0::/\n", files)
    assert read_limit(texts) is None
    assert (usage(texts).used_s, usage(texts).periods, usage(texts).throttled_s) == (959.488, 0, 0.0)


@pytest.mark.parametrize(
    ("node", "limit", "used_s"),
    [("systemd-head", 0.5, 54.808139), ("systemd-node", 0.25, 59.238164), ("cgroupfs-node", 0.1875, 20.764411)],
)
def test_recorded_nodes_are_read_from_inside(tmp_path: Path, node: str, limit: float, used_s: float) -> None:
    files = {name: (V2 / node / name).read_text() for name in ("cpu.max", "cpu.stat")}
    found = usage(tree(tmp_path, (V2 / node / "self").read_text(), {"cgroup.controllers": "cpu\n", **files}))
    assert (found.limit, found.used_s) == (limit, used_s)


def test_without_cgroups_there_is_no_limit(tmp_path: Path) -> None:
    with closing(Cgroup(tmp_path, tmp_path / "missing")) as cgroup:
        assert cgroup.texts() == {}
    assert read_limit({}) is None
    assert usage({}) == NodeReading(at=7.5, limit=None, reading_s=0.25)


# The counters.


@in_every_layout_of_version_1
def test_version_1_counts_in_nanoseconds(tmp_path: Path, membership: str, cpu: str, cpuacct: str) -> None:
    files = {
        f"{cpu}/cpu.cfs_quota_us": "25000\n",
        f"{cpu}/cpu.cfs_period_us": "100000\n",
        f"{cpu}/cpu.stat": V1_STAT,
        f"{cpuacct}/cpuacct.usage": "2500000000\n",
    }
    expected = NodeReading(7.5, 0.25, used_s=2.5, periods=40, throttled=12, throttled_s=1.5, reading_s=0.25)
    assert usage(tree(tmp_path, membership, files)) == expected


@pytest.mark.parametrize(("path", "place"), [("/", "."), ("/docker/f1bb", "docker/f1bb")])
def test_version_2_counts_in_microseconds(tmp_path: Path, path: str, place: str) -> None:
    files = {"cgroup.controllers": "cpu\n", f"{place}/cpu.max": "25000 100000\n", f"{place}/cpu.stat": V2_STAT}
    assert usage(tree(tmp_path, f"0::{path}\n", files)) == V2_USED


def test_each_reading_says_what_the_files_say_by_then(tmp_path: Path) -> None:
    files = {"cgroup.controllers": "cpu\n", "cpu.max": "25000 100000\n", "cpu.stat": "usage_usec 1000000\n"}
    write(tmp_path, {**files, "self": "0::/\n"})
    with closing(Cgroup(tmp_path, tmp_path / "self")) as cgroup:
        assert usage(cgroup.texts()).used_s == 1
        (tmp_path / "cpu.stat").write_text("usage_usec 2500000\n")
        (tmp_path / "cpu.max").write_text("max 100000\n")
        assert (usage(cgroup.texts()).used_s, usage(cgroup.texts()).limit) == (2.5, None)


def test_this_process_has_files_that_are_understood() -> None:
    with closing(Cgroup()) as cgroup:
        found = usage(cgroup.texts())
    assert found.limit is None or found.limit > 0
    assert found.used_s is None or found.used_s > 0


# Files of no kernel.


@pytest.mark.parametrize(
    "texts",
    [
        {"cpu.max": ""},
        {"cpu.max": "plenty\n"},
        {"cpu.max": "much 100000\n"},
        {"cpu.max": "25000 100000 7\n"},
        {"cpu.cfs_quota_us": "", "cpu.cfs_period_us": "100000\n"},
        {"cpu.cfs_quota_us": "25000\n", "cpu.cfs_period_us": "long\n"},
        {"cpu.cfs_quota_us": "25000\n"},
        {"cpu.max": "25000 0\n"},
        {"cpu.max": "-5 100000\n"},
        {"cpu.stat": "usage_usec\n"},
        {"cpu.stat": "usage_usec lots\n"},
        {"cpu.stat": "no such file or directory\n"},
        {"cpuacct.usage": "\n"},
    ],
)
def test_nonsense_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"expected|invalid literal|a quota of"):
        usage(texts)
