"""Starting the launcher, where the engine fails at it. That it starts is what every test of a cluster shows."""

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from parlab.backend import exec as exec_
from parlab.backend.exec import bundle, library, package, start_launcher
from parlab.errors import RunError
from parlab.host.places import PACKAGE


class Engine:
    """A client whose first so many execs end before they read anything, as the engine's runtime has them at times."""

    def __init__(self, failures: int) -> None:
        self.failures, self.started, self.closed, self.read = failures, 0, 0, b""
        self.api = self._response = self._sock = self

    def exec_create(self, *_: Any, **__: Any) -> dict[str, str]:
        return {"Id": "1"}

    def exec_start(self, *_: Any, **__: Any) -> "Engine":
        self.started += 1
        return self

    def settimeout(self, _: float) -> None: ...

    def sendall(self, data: bytes) -> None:
        if self.started <= self.failures:
            raise ConnectionResetError(104, "Connection reset by peer")
        self.read += data

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("failures", [0, 1])
def test_a_launcher_that_the_engine_fails_to_start_is_started_once_more(failures: int) -> None:
    engine: Any = Engine(failures)
    start_launcher(engine, "head", b"labs")
    assert (engine.read, engine.started, engine.closed) == (b"labs", failures + 1, failures)


def test_an_engine_that_never_starts_one_is_an_error_in_words() -> None:
    engine: Any = Engine(9)
    with pytest.raises(
        RunError, match=r"did not start the launcher on the head, 2 times: .*Connection reset"
    ) as caught:
        start_launcher(engine, "head", b"labs")
    assert caught.value.exit_code == 4
    assert engine.closed == engine.started == 2


def test_the_package_is_sent_as_its_folder_is_named_whatever_is_edited_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "parlab"
    shutil.copytree(PACKAGE, copy)
    monkeypatch.setattr(exec_, "PACKAGE", copy)
    for cached in (package, library):
        cached.cache_clear()
    try:
        before = library(), bundle(tmp_path, ())
        (copy / "lab.py").write_text("oh")
        assert (library(), bundle(tmp_path, ())) == before
    finally:
        for cached in (package, library):
            cached.cache_clear()


def test_what_lies_in_folders_beside_a_lab_is_packed_there(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("lab.py", "data/one.csv"):
        (tmp_path / name).write_text(name)
    with tarfile.open(
        fileobj=io.BytesIO(bundle(tmp_path, [tmp_path / "lab.py", tmp_path / "data/one.csv"]))
    ) as archive:
        members = {member.name: member for member in archive}
    assert {"labs/lab.py", "labs/data/one.csv", "parlab/lab.py", "parlab/node/rank.py"} <= members.keys()
    assert {(member.mode, member.uid) for member in members.values()} == {(0o644, 1000)}
