"""Launches that cannot work, and runs that are broken off: they end in time, name the node, and leave nothing."""

import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import pytest

from parlab.backend.cluster import Cluster
from parlab.backend.compose import Container
from parlab.backend.cpu_limits import limits_of
from parlab.errors import LimitError, ParlabError, RunError
from parlab.host.places import LABS
from parlab.model.case import FUTURES, Case
from parlab.model.declaration import Asked
from parlab.model.messages import to_line
from parlab.model.reading import NodeReading
from parlab.model.spec import HEAD_CPUS, Spec
from parlab.run.launch import Order
from parlab.run.launch import launch as run_launch
from parlab.terminal.live import Silence
from tests.cluster.conftest import NAME, inside, left_of, strays
from tests.conftest import PATIENCE, Invoke, slow, start_invoke, within

SPEC = Spec(4, 2, Fraction(1, 8), 0.1)
CASE = Case("pool_of_ranks", FUTURES)
DEADLINE = 60
ENV = {"PARLAB_RUN": "test", "PARLAB_CASE": to_line(Asked(0, CASE, {})).decode()}
LIMITS = {float(HEAD_CPUS), float(SPEC.node_cpus)}


@pytest.fixture
def started(cluster: Cluster) -> Iterator[Cluster]:
    """Four well nodes; taken down afterwards, whatever became of them."""
    cluster.start(SPEC, print)
    yield cluster
    cluster.down()


def launch(cluster: Cluster, spec: Spec = SPEC, observer: Silence | None = None) -> None:
    """One launch of lab.mpi on a cluster that nobody has looked at since it came up."""
    session = cluster.session(LABS / "mpi.py")
    try:
        session.await_launcher(print)
        cluster.set_limits(spec, None)
        run_launch(cluster, session, Order(CASE, spec, "mpi.py", ENV), observer or Silence(), print)
    finally:
        session.close()
        cluster.stop()


def failure(cluster: Cluster, spec: Spec = SPEC, observer: Silence | None = None) -> str:
    start = time.monotonic()
    with pytest.raises(RunError) as error:
        launch(cluster, spec, observer)
    assert time.monotonic() - start < PATIENCE * DEADLINE
    return str(error.value)


def container(cluster: Cluster, number: int) -> Container:
    return cluster.containers()[number]


def test_a_paused_node_is_named_and_leaves_no_rank(started: Cluster) -> None:
    started.client.api.pause(container(started, 3).id)
    assert "node-3 is paused." in failure(started)
    started.client.api.unpause(container(started, 3).id)
    within(20, lambda: strays(started) == {})


@pytest.mark.slow
def test_a_node_whose_sshd_does_not_answer_is_named(started: Cluster) -> None:
    inside(container(started, 2), "pkill", "-STOP", "-f", "sshd -D")
    assert re.search(r"^node-2: .*timed out", failure(started), re.M)
    assert strays(started) == {}


def test_a_stopped_node_is_named(started: Cluster) -> None:
    started.client.api.stop(container(started, 2).id)
    assert "node-2 is exited." in failure(started)
    assert strays(started) == {}


def test_a_node_without_an_interpreter_is_named(started: Cluster) -> None:
    replace_without_python(started, container(started, 4))
    started.start(SPEC, print)
    assert re.search(r"^node-4: .*python", failure(started), re.M)
    assert strays(started) == {}


def replace_without_python(cluster: Cluster, node: Container) -> None:
    """Put in a node's place one that is the same but for its interpreter."""
    api = cluster.client.api
    old = api.inspect_container(node.id)
    (network,) = old["NetworkSettings"]["Networks"]
    host = api.create_host_config(
        read_only=True,
        init=True,
        cap_drop=["ALL"],
        tmpfs={"/tmp": "size=256m,mode=1777"},
        binds=[f"{cluster.project}_cluster:/cluster:ro", "/dev/null:/opt/parlab/bin/python3:ro"],
        network_mode=network,
        cpu_period=100_000,
        cpu_quota=25_000,
    )
    api.remove_container(node.id, force=True)
    new = api.create_container(
        old["Image"],
        command=["node"],
        name=node.called,
        hostname=node.name,
        labels=old["Config"]["Labels"],
        host_config=host,
    )
    api.start(new["Id"])


class Killer(Silence):
    """Kills a node that has been read for the third time: its tasks run by then."""

    def __init__(self, cluster: Cluster, node: Container) -> None:
        self.api, self.node, self.readings = cluster.client.api, node, 0

    def reading(self, node: str, reading: NodeReading) -> None:
        self.readings += node == self.node.name
        if self.readings == 3:
            self.readings += 1
            threading.Thread(target=self.api.kill, args=(self.node.id,), daemon=True).start()


def test_a_node_that_is_killed_in_mid_run_is_named(started: Cluster) -> None:
    killer = Killer(started, container(started, 2))
    assert "node-2 is exited." in failure(started, Spec(4, 2, Fraction(1, 8), 5.0), killer)
    assert strays(started) == {}


def test_a_node_that_is_unwell_is_restarted_by_the_next_run(started: Cluster, invoke: Invoke) -> None:
    started.client.api.pause(container(started, 1).id)
    started.client.api.kill(container(started, 2).id)
    done = invoke("lab.mpi", "--cluster", NAME, "--nodes", "4", "--unit", "0.02")
    assert done.returncode == 0, done.stderr
    assert "node-1 is paused: restarted" in done.stdout
    assert "node-2 is exited: restarted" in done.stdout


class Listener(Silence):
    """Keeps the lines that a run says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class Tampered(Cluster):
    """Something else sets another limit on node-3, right after ours."""

    def set_limits(self, spec: Spec, cpus: Fraction | None) -> None:
        super().set_limits(spec, cpus)
        if cpus is not None:
            self.client.api.update_container(self.containers_for(spec)[3].id, cpu_period=100_000, cpu_quota=50_000)


@pytest.mark.parametrize("number", [signal.SIGINT, slow(signal.SIGTERM), signal.SIGKILL])
@pytest.mark.parametrize("phase", ["booting", "running"])
def test_an_interrupted_run_leaves_the_cluster_up_and_no_rank_in_it(
    four: Cluster, number: signal.Signals, phase: str
) -> None:
    four.up_with_limits(SPEC, print)  # another test's would stay if the run were ended before it sets its own
    before = four.containers()
    process = start_invoke("lab.mpi", "--cluster", NAME, "--nodes", "4", "--speed", "1/8", "--unit", "2")
    within(20, lambda: strays(four) != {})
    if phase == "running":
        within(20, lambda: set(limits_of(four.client, before).values()) == LIMITS)
        time.sleep(0.5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE * 30)
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert errors == f"error: interrupted by {number.name}\n"
        assert strays(four) == {}
        assert set(limits_of(four.client, before).values()) == LIMITS
    within(10, lambda: strays(four) == {})
    assert four.containers() == before


@pytest.mark.parametrize("number", [signal.SIGINT, slow(signal.SIGTERM)])
@pytest.mark.parametrize("moment", ["first thing there", "some nodes", "all nodes"])
def test_an_interrupted_up_leaves_nothing(cluster: Cluster, number: signal.Signals, moment: str) -> None:
    cluster.down()
    process = start_invoke("up", "--cluster", NAME, "--nodes", "12", "--speed", "1/32")
    enough = {"first thing there": 0, "some nodes": 3, "all nodes": 13}[moment]
    within(30, lambda: left_of(cluster.project) != "" and len(cluster.containers()) >= enough)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE * 60)
    assert process.returncode == 130
    assert errors == f"error: interrupted by {number.name}\n"
    assert left_of(cluster.project) == ""


def test_an_up_whose_limits_do_not_hold_leaves_nothing(cluster: Cluster) -> None:
    cluster.down()
    backend = Tampered(cluster.client, NAME)
    with pytest.raises(LimitError, match=r"node-3"):
        backend.up_with_limits(SPEC, print)
    assert left_of(cluster.project) == ""


def test_an_image_that_cannot_be_built_leaves_the_cluster_as_it_was(
    four: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(client: object) -> str:
        raise ParlabError("no image")

    before = four.containers()
    monkeypatch.setattr("parlab.backend.machine.current_image", lambda client: None)
    monkeypatch.setattr("parlab.backend.machine.build_image", fail)
    with pytest.raises(ParlabError, match="no image"):
        four.up_with_limits(SPEC, print)
    assert four.containers() == before


def test_down_in_the_middle_of_a_run_is_told_as_such(four: Cluster, invoke: Invoke) -> None:
    process = start_invoke("lab.mpi", "--cluster", NAME, "--nodes", "4", "--speed", "1/8", "--unit", "2")
    within(20, lambda: strays(four).keys() > {"head"})  # before that, its file is read on the head
    assert invoke("down", "--cluster", NAME).returncode == 0
    _, errors = process.communicate(timeout=PATIENCE * 60)
    assert process.returncode == 4
    assert errors.startswith("error: pool_of_ranks(nodes=4): ")
    assert re.search(r"^(head|node-\d)( is |: )", errors, re.M)
    assert left_of(four.project) == ""


def test_down_while_a_cluster_comes_up_is_told_as_such(cluster: Cluster, invoke: Invoke) -> None:
    cluster.down()
    process = start_invoke("lab.mpi", "--cluster", NAME, "--nodes", "16", "--speed", "1/64")
    within(60, lambda: len(cluster.containers()) >= 8)
    assert invoke("down", "--cluster", NAME).returncode in (0, 4)  # what comes up behind it, it names
    _, errors = process.communicate(timeout=PATIENCE * 60)
    assert process.returncode == 4
    assert "while it came up" in errors or re.search(r"^(head|node-\d+)( is |: )", errors, re.M)
    cluster.down()
    assert left_of(cluster.project) == ""


def test_leftovers_of_an_earlier_run_are_ended_and_told(four: Cluster) -> None:
    spin = ["docker", "exec", "--detach", "--env", "PARLAB_RUN=earlier", container(four, 2).id, "sleep", "1000"]
    subprocess.run(spin, check=True, timeout=60)
    listener = Listener()
    four.start(SPEC, listener.say)
    session = four.session(LABS / "mpi.py")
    run_launch(four, session, Order(CASE, SPEC, "mpi.py", ENV), listener, print)
    session.close()
    assert any(line.startswith("node-2: ended 1 process that") for line in listener.said)
    assert "sleep" not in str(four.client.api.top(container(four, 2).id))
