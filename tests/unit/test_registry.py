"""Backends are found, not listed: a third one is one new file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import parlab.backend
from parlab.backend import registry
from parlab.backend.base import Unavailable
from parlab.backend.registry import backend_names, open_backend
from parlab.errors import UsageError
from parlab.run.request import read_backend

NO_ENGINE = "unix:///nowhere/docker.sock"
THIRD = """
from parlab.backend.base import Kind, Unavailable

def open(cluster, show):
    if cluster == "closed":
        raise Unavailable("no site answers", "Ask its staff.")
    return ("third", cluster)

KIND = Kind("third", rank=0, open=open)
"""


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One more module beside the backends."""
    (tmp_path / "third_backend.py").write_text(THIRD)
    monkeypatch.setattr(parlab.backend, "__path__", [*parlab.backend.__path__, str(tmp_path)])
    registry.kinds.cache_clear()
    yield
    registry.kinds.cache_clear()


def test_the_cluster_is_tried_first() -> None:
    assert backend_names() == ("cluster", "embedded", "slurm")


def test_where_no_engine_answers_it_is_said_and_the_next_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    said: list[str] = []
    assert open_backend(None, "default", said.append).name == "embedded"
    assert said[0] == f"no cluster: no container engine answers at {NO_ENGINE}"
    assert said[1].startswith("embedded: nodes are simulated")


def test_a_backend_that_is_asked_for_and_not_there_is_bad_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    with pytest.raises(Unavailable, match="no container engine answers") as refused:
        open_backend("cluster", "default", print)
    assert isinstance(refused.value, UsageError)
    assert refused.value.exit_code == 2


@pytest.mark.usefixtures("third")
def test_a_third_backend_is_one_new_file() -> None:
    assert backend_names() == ("third", "cluster", "embedded", "slurm")
    assert read_backend("third") == "third"
    found: object = open_backend("third", "here", print)
    assert found == ("third", "here")
    with pytest.raises(Unavailable, match="Ask its staff"):
        open_backend("third", "closed", print)
