"""Engines that do not answer, or are not Docker's: told in time and in words, and a clean-up can be given up."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME
from tests.conftest import PATIENCE, ROOT, Invoke
from tests.hanging import Engine, hanging_engine

ANSWER = {"PARLAB_ENGINE_SECONDS": "4"}
SECONDS = 60  # two or three waits for an answer, and a run


@pytest.fixture
def engine(four: Cluster, tmp_path: Path) -> Iterator[Engine]:
    """The engine behind a socket that can stop answering; the cluster is up, and well again afterwards."""
    with hanging_engine(tmp_path) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hang", "stall", "words"),
    [
        ("GET .*/version", "(?!)", "no container engine answers"),
        ("GET .*/containers/json", "(?!)", "the engine did not answer GET"),
        ("POST .*/update", "(?!)", "/update in 4 s"),
        ("POST .*/exec ", "(?!)", "/exec in 4 s"),
        ("(?!)", "POST .*/exec/.*/start", "launcher on the head"),
        ("(?!)", "POST .*/update", "error: the engine "),
    ],
)
def test_an_engine_that_stops_answering_is_told_in_time(
    engine: Engine, invoke: Invoke, hang: str, stall: str, words: str
) -> None:
    engine.hang, engine.stall = hang, stall
    options = ("--cluster", NAME, "--backend", "cluster", "--quiet")
    done = invoke("lab.lock", *options, seconds=PATIENCE * SECONDS, DOCKER_HOST=engine.address, **ANSWER)
    assert engine.hung.is_set()
    assert words in done.stderr
    assert done.returncode == (2 if "version" in hang else 4)
    assert "Traceback" not in done.stderr


def test_a_second_ctrl_c_gives_the_clean_up_up_and_says_what_is_left(engine: Engine) -> None:
    engine.hang = "POST .*/update"
    command = [sys.executable, "-m", "invoke", "lab.lock", "--cluster", NAME]
    env = {**os.environ, "DOCKER_HOST": engine.address}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert engine.hung.wait(60)
    process.send_signal(signal.SIGINT)
    time.sleep(2)
    assert process.poll() is None, "it cleans up, against an engine that does not answer"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"ranks may still run on cluster {NAME}, without its limits; " in said
    assert f"down --cluster {NAME} removes it" in said


PODMAN = {
    "Platform": {"Name": "linux/amd64/debian-13"},
    "Components": [{"Name": "Podman Engine", "Version": "5.4.2"}, {"Name": "Conmon", "Version": "2.1.12"}],
    "Version": "5.4.2",
    "ApiVersion": "1.41",
}


@contextmanager
def answering(folder: Path, version: object) -> Iterator[str]:
    """Something that calls itself that when it is asked for its version."""
    body, path = json.dumps(version).encode(), folder / "other.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.recv(65536)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    threading.Thread(target=serve, daemon=True).start()
    yield f"unix://{path}"
    listener.close()


def test_an_engine_that_is_not_dockers_is_told_as_such(invoke: Invoke, tmp_path: Path) -> None:
    with answering(tmp_path, PODMAN) as address:
        done = invoke("status", DOCKER_HOST=address)
    assert done.returncode == 2
    assert f"usage: Podman Engine 5.4.2 answers at {address}, not Docker's engine: " in done.stderr


@pytest.mark.parametrize("seconds", ["soon", "0", "-3", "1e9"])
def test_how_long_it_may_take_is_whole_seconds(invoke: Invoke, seconds: str) -> None:
    done = invoke("status", PARLAB_ENGINE_SECONDS=seconds)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"PARLAB_ENGINE_SECONDS takes whole seconds from 1 to 9999, not {seconds!r}" in done.stderr
