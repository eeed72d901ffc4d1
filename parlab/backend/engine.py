"""The container engine: the Docker SDK's client for it, and the one command line that the SDK has no call for."""

import os
import subprocess
from collections.abc import Mapping

from docker.client import DockerClient, from_env
from docker.context import ContextAPI
from docker.errors import DockerException

from parlab.environment import ROOT
from parlab.errors import ParlabError, UsageError

OLDEST_API = (1, 44)  # Engine 25: the first with a health check's start_interval
ANSWER_SECONDS = 30
END_SECONDS = 10

HOW_TO_GET_ONE = (
    "Start Docker, or get an engine: on Debian and Ubuntu `sudo docker/engine.sh`, elsewhere Docker Desktop or Colima. "
    "Labs run without one: ./invoke lab.NAME --backend embedded."
)


class NoEngine(UsageError):
    """No container engine answers."""


def connect() -> DockerClient:
    """A client for the engine that the `docker` command would talk to: DOCKER_HOST, else the current context.

    Raises NoEngine when none answers or it is older than Engine 25.
    """
    try:
        if os.environ.get("DOCKER_HOST"):
            client = from_env(timeout=ANSWER_SECONDS)
        else:
            context = ContextAPI.get_current_context()
            client = DockerClient(context.Host, tls=context.TLSConfig, timeout=ANSWER_SECONDS)
        version = client.version()
    except (DockerException, OSError, ValueError) as error:
        raise NoEngine(f"no container engine answers ({_short(error)}). {HOW_TO_GET_ONE}") from error
    if tuple(map(int, version["ApiVersion"].split("."))) < OLDEST_API:
        raise NoEngine(f"Docker Engine {version['Version']} is too old: 25 or newer is needed. {HOW_TO_GET_ONE}")
    return client


def _short(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:160] if text else type(error).__name__


def compose(
    project: str,
    *arguments: str,
    deadline: float | None = None,
    shown: bool = False,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run `docker compose` on this project's file; its progress goes to the terminal when `shown`.

    Raises ParlabError, with the last lines of its output, when it fails or takes longer than `deadline` seconds.
    """
    command = ["docker", "compose", "--project-name", project, "--file", str(ROOT / "compose.yaml"), *arguments]
    output = None if shown else subprocess.PIPE
    what = f"`docker compose {arguments[0]}`"
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,  # a Ctrl-C is ours to pass on, once, and not in the middle of a clean-up
        )
    except FileNotFoundError as error:
        raise ParlabError(f"there is no `docker` command: Compose v2 is needed. {HOW_TO_GET_ONE}") from error
    try:
        text = "".join(part or "" for part in process.communicate(timeout=deadline))
    except subprocess.TimeoutExpired as error:
        raise ParlabError(
            f"{what} did not finish in {deadline:g} s. Look at `docker ps -a`, then try again."
        ) from error
    finally:
        if process.poll() is None:
            _end(process)
    if process.returncode:
        last = "\n  ".join(text.strip().splitlines()[-8:])
        raise ParlabError(f"{what} failed with exit code {process.returncode}" + (f":\n  {last}" if last else ""))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
