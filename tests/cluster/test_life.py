"""The cluster's life: up, limits, keys, hardening, down."""

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from parlab.backend.cpu_limits import limits_of
from parlab.backend.exec import LOCK
from parlab.backend.image import image_name
from parlab.errors import ParlabError
from parlab.model.spec import HEAD_CPUS, Spec
from tests.cluster.conftest import NAME, inside, left_of, see_that_it_is_hardened
from tests.conftest import ROOT, Invoke

V1, V2 = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu.max"


def test_up_is_idempotent_and_changing_size_or_limits_recreates_nothing(four: Cluster, invoke: Invoke) -> None:
    def ids() -> dict[str, str]:
        return {node.name: node.id for node in four.containers()}

    before = ids()
    for options in ([], ["--speed", "1/16"], ["--cores", "3"], ["--nodes", "2"]):
        done = invoke("up", "--cluster", NAME, *options)
        assert done.returncode == 0, done.stderr
        assert ids().items() <= before.items()
    assert len(ids()) == 3
    assert invoke("up", "--cluster", NAME).returncode == 0
    assert {key: value for key, value in ids().items() if key in ("head", "node-1", "node-2")}.items() <= before.items()
    assert len(ids()) == 5


def test_limits_are_what_the_engine_and_the_node_say(four: Cluster) -> None:
    spec = Spec(4, 2, Fraction(1, 8), 1)
    nodes = four.containers()
    four.set_limits(spec, spec.node_cpus)
    said = limits_of(four.client, nodes)
    assert said == {"head": float(HEAD_CPUS), **{f"node-{number + 1}": 0.25 for number in range(4)}}
    for node in nodes:
        text = inside(node, "sh", "-c", f"cat {V1} 2>/dev/null || cat {V2}").split()[0]
        assert int(text) == (50_000 if node.name == "head" else 25_000)
    four.set_limits(spec, None)
    assert set(limits_of(four.client, nodes).values()) == {None}


def test_status_shows_nodes_and_limits(four: Cluster, invoke: Invoke) -> None:
    four.set_limits(Spec(4, 2, Fraction(1, 8), 1), Fraction(1, 4))
    text = invoke("status", "--cluster", NAME).stdout
    rows = [line.split()[:4] for line in text.splitlines()[1:]]
    assert rows == [["head", "running", "0.5", "CPU"], *(["node-" + n, "running", "0.25", "CPU"] for n in "1234")]


def test_the_shell_opens_on_a_node(four: Cluster) -> None:
    command = ["./invoke", "shell", "--cluster", NAME, "--node", "node-2"]
    done = subprocess.run(
        command, cwd=ROOT, input="whoami; exit 7\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("lab\n", 7)


def test_every_node_is_hardened(four: Cluster) -> None:
    for node in four.containers():
        see_that_it_is_hardened(four, node)


def test_keys_are_made_per_cluster_and_are_in_no_image(four: Cluster, invoke: Invoke) -> None:
    key = inside(four.containers()[0], "cat", "/cluster/ssh/user")
    assert key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    mount = inside(four.containers()[1], "grep", " /cluster ", "/proc/mounts").split()
    assert mount[2] == "tmpfs"
    assert "ro" in mount[3].split(",")
    empty = ["docker", "run", "--rm", "--user", "0", "--entrypoint", "sh", image_name(), "-c"]
    words = "-----BEGIN OPENSSH PRIVATE KEY"
    find = f"grep -rl --exclude-dir=proc --exclude-dir=sys -e '{words}' / 2>/dev/null; ls -A /cluster 2>/dev/null"
    found = subprocess.run([*empty, find], capture_output=True, text=True, check=False).stdout.split()
    programs = {name for name in found if name.startswith("/usr/")}  # ssh's own know the words: the search did run
    assert "/usr/bin/ssh-keygen" in programs
    assert set(found) == programs
    four.down()
    four.up(1, print)
    assert inside(four.containers()[0], "cat", "/cluster/ssh/user") != key


def test_down_leaves_nothing(four: Cluster, invoke: Invoke) -> None:
    assert left_of(four.project) != ""
    done = invoke("down", "--cluster", NAME)
    assert done.returncode == 0
    assert left_of(four.project) == ""
    again = invoke("down", "--cluster", NAME)
    assert (again.returncode, again.stdout) == (0, f"cluster {NAME} was not up\n")


def test_a_failed_up_leaves_nothing(cluster: Cluster, invoke: Invoke) -> None:
    cluster.down()
    done = invoke("up", "--cluster", NAME, PARLAB_MEMORY="1k")  # less than an engine accepts for a container
    assert done.returncode == 4
    assert "`docker compose up` failed with exit code" in done.stderr
    assert left_of(cluster.project) == ""


def test_plain_compose_gives_the_default_cluster(cluster: Cluster) -> None:
    command = ["docker", "compose", "--project-name", f"parlab-{NAME}-plain"]
    try:
        subprocess.run([*command, "up", "--detach", "--wait"], cwd=ROOT, check=True, capture_output=True, timeout=120)
        plain = Cluster(cluster.client, f"{NAME}-plain")
        assert limits_of(plain.client, plain.containers()) == {"head": 0.5, **{f"node-{n + 1}": 0.25 for n in range(4)}}
    finally:
        subprocess.run([*command, "down", "--volumes"], cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert left_of(f"parlab-{NAME}-plain") == ""


def test_the_image_is_small(cluster: Cluster) -> None:
    image = cluster.client.images.get(image_name()).attrs
    base = cluster.client.images.get("debian:trixie-slim").attrs
    assert image["Size"] - base["Size"] <= 130e6
    if image["Architecture"] == "amd64":  # the official base for arm64 is larger by itself
        assert image["Size"] <= 200e6


@pytest.mark.parametrize("name", ["docker/node.sh", "docker/Dockerfile", "requirements/node.txt"])
def test_the_image_is_out_of_date_when_an_input_changes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parlab.backend import image

    before = image.inputs_digest()
    for path in image.INPUTS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())
    monkeypatch.setattr(image, "ROOT", tmp_path)
    assert image.inputs_digest() == before
    (tmp_path / name).write_text("changed")
    assert image.inputs_digest() != before


def test_nodes_have_their_names_in_a_shell(four: Cluster) -> None:
    command = ["mpiexec", "--host", "node-1:2,node-3:1", "-n", "3", "hostname"]
    assert sorted(inside(four.containers()[0], *command).split()) == ["node-1", "node-1", "node-3"]


def test_a_node_that_was_removed_by_hand_is_there_again_and_no_other_is_gone(four: Cluster, invoke: Invoke) -> None:
    four.up(5, print)
    four.client.api.remove_container(four.containers()[2].id, force=True)
    assert [node.name for node in four.containers()] == ["head", "node-1", "node-3", "node-4", "node-5"]
    done = invoke("lab.mpi", "--cluster", NAME, "--nodes", "4", "--unit", "0.02")
    assert done.returncode == 0, done.stderr
    assert [node.name for node in four.containers()] == ["head", *(f"node-{n}" for n in range(1, 6))]


@pytest.mark.parametrize("name", ["head", "node-3"])
def test_a_node_that_is_cut_off_is_seen_and_put_right_by_the_next_run(four: Cluster, invoke: Invoke, name: str) -> None:
    others = {node.name: node.id for node in four.containers() if node.name != name}
    subprocess.run(
        ["docker", "network", "disconnect", f"{four.project}_cluster", f"{four.project}-{name}-1"],
        check=True,
        timeout=60,
    )
    rows = [line.split("  ") for line in invoke("status", "--cluster", NAME).stdout.splitlines()]
    (state,) = [[cell.strip() for cell in row if cell.strip()][1] for row in rows if row[0] == name]
    assert state == "cut off from its network"
    done = invoke("lab.lock", "--cluster", NAME)
    assert done.returncode == 0, done.stderr
    after = {node.name: node for node in four.containers()}
    assert all(node.well for node in after.values())
    assert {known: after[known].id for known in others}.items() <= others.items()


@pytest.fixture
def older(cluster: Cluster) -> Iterator[Cluster]:
    """What an older version left: a head and a worker, without a label of ours, on a network of the project."""
    cluster.down()
    project, image = f"com.docker.compose.project={cluster.project}", cluster.client.images.get(image_name())
    for service in ("head", "worker"):
        cluster.client.containers.run(
            image,
            ["sleep", "600"],
            entrypoint=[],
            detach=True,
            name=f"{cluster.project}-{service}-1",
            labels={
                **dict([project.split("=")]),
                "com.docker.compose.service": service,
                "com.docker.compose.container-number": "1",
                "com.docker.compose.oneoff": "False",
            },
        )
    yield cluster
    cluster.down()


def test_what_an_older_version_left_is_shown_and_goes_with_the_next_down(older: Cluster, invoke: Invoke) -> None:
    assert "of another version of parlab" in invoke("status", "--cluster", NAME).stdout
    assert "2 nodes removed" in invoke("down", "--cluster", NAME).stdout
    assert left_of(older.project) == ""


def test_what_an_older_version_left_is_replaced_unless_it_is_in_use(older: Cluster) -> None:
    head = older.containers()[0]
    subprocess.run(["docker", "exec", "-d", head.id, "flock", LOCK, "sleep", "300"], check=True, timeout=60)
    with pytest.raises(ParlabError, match="another user or machine is running on it"):
        older.up(1, print)
    subprocess.run(["docker", "exec", head.id, "pkill", "flock"], check=False, timeout=60)
    subprocess.run(["docker", "exec", head.id, "pkill", "-f", "sleep 300"], check=False, timeout=60)
    older.up(1, print)
    assert [(node.name, node.state) for node in older.containers()] == [("head", "running"), ("node-1", "running")]
