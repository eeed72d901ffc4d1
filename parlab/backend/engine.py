"""The container engine: the Docker SDK's client, and Compose's command line, for which the SDK has no call."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from shlex import quote
from typing import Any, TypeVar

from docker.client import DockerClient, from_env
from docker.errors import DockerException
from requests.exceptions import RequestException, Timeout

from parlab.backend.base import Unavailable
from parlab.errors import ParlabError, UsageError
from parlab.host.places import COMMAND, INSTALLED, ROOT
from parlab.host.signals import child

Thing = TypeVar("Thing")
Result = TypeVar("Result")
FAILURES = (ParlabError, DockerException, RequestException)  # the errors that a call of an engine may raise
API = "1.44"  # Engine 25: the first with a health check's start_interval
TOLD = os.environ.get("PARLAB_ENGINE_SECONDS") or "30"  # more for a distant or slow engine
ANSWER_SECONDS = float(TOLD) if re.fullmatch(r"[0-9]{1,4}", TOLD) and int(TOLD) else 30.0
END_SECONDS = 10

ENGINE_SH = quote(str(ROOT / "docker/engine.sh")) if INSTALLED else "docker/engine.sh"
HOW_TO_GET_ONE = (
    f"Start Docker, or get an engine: on Debian and Ubuntu `sudo {ENGINE_SH}`, elsewhere Docker Desktop or Colima. "
    f"Labs run without one: {COMMAND} lab.NAME --backend embedded."
)


def describe(error: Exception) -> str:
    """Tell the user about a failure of the engine itself."""
    if isinstance(error, Timeout):
        asked = "a request" if error.request is None else f"{error.request.method} {error.request.url!s}"
        return f"the engine did not answer {asked} in {ANSWER_SECONDS:g} s. Is it running? Try `docker ps`"
    return f"the engine failed: {error}. Is it running? Try {COMMAND} status"


class NoEngine(Unavailable):
    """No usable container engine answers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, HOW_TO_GET_ONE)


def connect() -> DockerClient:
    """A client for the engine that the `docker` command uses: DOCKER_HOST, else the current context.

    Raises NoEngine when no engine answers, when it is older than Engine 25, or when it is not Docker's. Raises
    UsageError for an invalid PARLAB_ENGINE_SECONDS.
    """
    if str(int(ANSWER_SECONDS)) != TOLD:
        raise UsageError(f"PARLAB_ENGINE_SECONDS takes whole seconds from 1 to 9999, not {TOLD!r}")
    client = None
    try:
        client = from_env(timeout=ANSWER_SECONDS, use_ssh_client=True, version=API)
        version = client.version()
    except (DockerException, RequestException, OSError, ValueError) as error:
        if client is not None:
            client.close()
        raise NoEngine(_why_not(error)) from error
    if other := _other_engine(version):
        client.close()
        raise NoEngine(other)
    return client


def _other_engine(version: Mapping[str, Any]) -> str:
    """Describe an engine that is not Docker's; '' for Docker's engine and for an answer without names."""
    parts = {part["Name"]: part.get("Version", "") for part in version.get("Components") or ()}
    if not parts or "Engine" in parts:
        return ""
    name, number = next(iter(parts.items()))
    said = f"{name} {number} answers at {_where()}, not Docker's engine"
    if "Podman" in name:  # tried with 5.4
        said += ": it refuses Compose's start_interval, and reading a command's output never ends"
    return said


def _where() -> str:
    return os.environ.get("DOCKER_HOST") or "the socket of the current Docker context"


def _why_not(error: Exception) -> str:
    where = _where()
    if "Permission denied" in str(error):
        return f"permission denied on {where}: add yourself to the group docker, and log in again"
    if "is too new" in str(error):  # an older engine's answer to our API version
        return f"the container engine at {where} is too old, Docker Engine 25 or newer is needed"
    return f"no container engine answers at {where}"


def facts_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """An engine's and its machine's facts for the record."""
    return {
        "engine": info["ServerVersion"],
        "kernel": info["KernelVersion"],
        "architecture": info["Architecture"],
        "cpus": info["NCPU"],
        "cgroup": info.get("CgroupVersion", "1"),
        "cgroup_driver": info.get("CgroupDriver", ""),
    }


def on_each(things: Sequence[Thing], do: Callable[[Thing], Result]) -> list[Result]:
    """Call `do` for all things, eight at a time: an engine on two cores gains nothing from more."""
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(do, thing) for thing in things]
        for future in as_completed(futures):
            if isinstance(error := future.exception(), Timeout):  # the engine does not answer: do not ask for the rest
                pool.shutdown(wait=True, cancel_futures=True)
                raise error
    return [future.result() for future in futures]  # after the loop, so that one failure does not stop the others


class ComposeFailed(ParlabError):
    """Compose ended with an exit code other than 0; `output` is everything it wrote, unless it was shown already."""

    def __init__(self, what: str, code: int, output: str) -> None:
        last = "\n  ".join(output.strip().splitlines()[-8:])
        super().__init__(f"{what} failed with exit code {code}" + (f":\n  {last}" if last else ""))
        self.output = output


def compose(
    project: str,
    *arguments: str,
    deadline: float | None = None,
    shown: bool = False,
    env: Mapping[str, str] | None = None,
    more: str | None = None,
) -> None:
    """Run `docker compose` on this project's file, plus the file text `more`; if `shown`, progress goes to stderr.

    Raises ParlabError, with the last lines of its output, when it fails or takes longer than `deadline` seconds.
    """
    added = [] if more is None else ["--file", "-"]  # from standard input
    files = ["--project-directory", str(ROOT), "--file", str(ROOT / "compose.yaml"), *added]
    command = ["docker", "compose", "--project-name", project, *files, *arguments]
    output = sys.stderr if shown else subprocess.PIPE  # standard output may belong to a program (run)
    what = f"`docker compose {arguments[0]}`"
    options = {"env": {**os.environ, **(env or {})}, "stdin": subprocess.PIPE, "stdout": output, "stderr": output}
    try:
        with child(command, signal.SIGTERM, END_SECONDS, **options) as process:
            text = "".join(part or "" for part in process.communicate(more, timeout=deadline))
    except FileNotFoundError as error:
        raise ParlabError(f"no `docker` command found; Compose v2 is required. {HOW_TO_GET_ONE}") from error
    except subprocess.TimeoutExpired as error:
        raise ParlabError(
            f"{what} did not finish in {deadline:g} s. Look at `docker ps -a`, then try again."
        ) from error
    if process.returncode:
        raise ComposeFailed(what, process.returncode, text)
