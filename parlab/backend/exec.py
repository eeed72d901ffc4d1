"""A launcher on the head, over the engine's exec, with the labs and this package as they are now."""

import hashlib
import io
import socket
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from docker.client import DockerClient
from docker.utils.socket import frames_iter

from parlab.backend.engine import ANSWER_SECONDS
from parlab.errors import RunError
from parlab.host.places import COMMAND, PACKAGE

PYTHON = "/opt/parlab/bin/python"
FOLDER = "/cluster/run"  # of one session: the labs
LIBRARY = "/cluster/lib"  # this package as nodes need it, a folder for each version: kept, with its bytecode
LOCK = "/tmp/parlab.lock"
TRIES = 2  # to start a launcher
PARTS = (  # what runs in nodes
    "__init__.py",
    "errors.py",
    "formatting.py",
    "thresholds.py",
    "lab.py",
    "model",
    "task",
    "analysis",
    "results/__init__.py",
    "results/record.py",
    "judge/__init__.py",
    "judge/claims.py",
    "judge/draws.py",
    "judge/uncertainty.py",
    "node",
)

# Runs on the head: unpacks what the host sends and becomes the launcher. The lock keeps a second client, another user's
# or on another machine, out of the limits and the folders: it waits here until the lock is free or its host hangs up.
BOOTSTRAP = f"""
import fcntl, io, os, select, shutil, sys, tarfile
size, library, data = int(sys.argv[1]), sys.argv[2], b""
while len(data) < size:
    data += os.read(0, size - len(data)) or sys.exit("the host hung up")
lock, waiting = open("{LOCK}", "w"), False
while True:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except BlockingIOError:
        if not waiting:
            waiting = not print('{{"event": "waiting"}}', flush=True)
        if select.select([0], [], [], 0.2)[0]:
            sys.exit("the host hung up")
shutil.rmtree("{FOLDER}", ignore_errors=True)
try:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        labs = [member for member in archive if member.name.startswith("labs")]
        archive.extractall("{FOLDER}", labs, filter="data")
        if not os.path.exists(library):
            import compileall  # once for all ranks of all launches
            shutil.rmtree("{LIBRARY}", ignore_errors=True)
            package = [member for member in archive if member.name.startswith("parlab")]
            archive.extractall("{LIBRARY}/new", package, filter="data")
            compileall.compile_dir("{LIBRARY}/new", quiet=2)
            os.rename("{LIBRARY}/new", library)
    sys.path.insert(0, library)
    sys.argv = ["launcher", "head"]
    from parlab.node.launcher import main
    main()
finally:
    shutil.rmtree("{FOLDER}", ignore_errors=True)
"""


@cache
def package() -> dict[str, bytes]:
    """This package as nodes need it, by path; read once, so that what is sent is what the folder is named after."""
    parts = [PACKAGE / part for part in PARTS]
    files = [file for part in parts for file in (sorted(part.glob("*.py")) if part.is_dir() else [part])]
    return {str(file.relative_to(PACKAGE.parent)): file.read_bytes() for file in files}


@cache
def library() -> str:
    """The folder of this package on the nodes, named after what is in it."""
    digest = hashlib.sha256()
    for name, data in package().items():
        digest.update(name.encode() + data)
    return f"{LIBRARY}/{digest.hexdigest()[:16]}"


def bundle(folder: Path, files: Iterable[Path]) -> bytes:
    """Pack these files of a lab's folder, and this package, into a tar archive."""
    packed = io.BytesIO()
    contents = package() | {f"labs/{file.relative_to(folder)}": file.read_bytes() for file in files}
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid, member.gid = len(data), 0o644, 1000, 1000
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def start_launcher(client: DockerClient, container: str, data: bytes) -> "Exec":
    """Start a launcher on the head, and once more where the engine fails at that: by then nothing has run.

    Seen of runc, once in some thousand: "exec failed: ... read init-p: connection reset by peer". Raises RunError.
    """
    for _ in range(TRIES):
        launcher = Exec(client, container, len(data))
        try:
            launcher.write(data)
            return launcher
        except OSError as error:  # whoever was to read it is not there
            launcher.close()
            failure = error
    raise RunError(
        f"the engine did not start the launcher on the head, {TRIES} times: {failure}. The engine's log says why; "
        f"run it again, or {COMMAND} down first"
    ) from failure


def run_in(client: DockerClient, container: str, argv: list[str], seconds: float) -> int | None:
    """Run a command in a container; its exit code, or None where it has not ended in `seconds`.

    The SDK reads an exec's output without a deadline, so that is left alone, and the engine asked until it has ended.
    """
    started: str = client.api.exec_create(container, argv, stdout=False, stderr=False)["Id"]
    client.api.exec_start(started, detach=True)
    until, pause = time.monotonic() + seconds, 0.01
    while (found := client.api.exec_inspect(started))["Running"]:
        if time.monotonic() > until:
            return None
        time.sleep(pause)
        pause = min(2 * pause, 0.2)
    code: int | None = found["ExitCode"]
    return code


class Exec:
    """A launcher's standard input and output, over the engine's exec."""

    def __init__(self, client: DockerClient, container: str, size: int) -> None:
        self._api = client.api
        argv = [PYTHON, "-c", BOOTSTRAP, str(size), library()]
        self._exec: str = self._api.exec_create(container, argv, stdin=True)["Id"]
        self._stream = self._api.exec_start(self._exec, socket=True)
        self._socket = getattr(self._stream, "_sock", self._stream)

    def write(self, data: bytes) -> None:
        self._socket.settimeout(ANSWER_SECONDS)  # an engine that takes nothing any more is an OSError
        self._socket.sendall(data)

    def lines(self) -> Iterator[bytes]:
        rest = {1: b"", 2: b""}  # standard output and standard error come in pieces of either
        for stream, data in frames_iter(self._stream, tty=False):
            *lines, rest[stream] = (rest[stream] + data).split(b"\n")
            yield from lines
        yield from filter(None, rest.values())

    def hang_up(self, deadline: float) -> None:
        try:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            until = time.monotonic() + deadline
            while self._api.exec_inspect(self._exec)["Running"] and time.monotonic() < until:
                time.sleep(0.02)
        finally:
            self.close()

    def close(self) -> None:
        """Close what was opened for it."""
        self._stream._response.close()  # the stream alone would leave the SDK's response, and its socket, open
