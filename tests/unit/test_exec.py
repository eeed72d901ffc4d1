"""Starting the launcher, where the engine fails at it. That it starts is what every test of a cluster shows."""

from typing import Any

import pytest

from parlab.backend.exec import start_launcher
from parlab.errors import RunError


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
