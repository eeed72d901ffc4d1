"""A launcher on the head, over the engine's exec, with the labs and this package as they are now."""

import io
import socket
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from docker.client import DockerClient
from docker.utils.socket import frames_iter

from parlab.course.catalog import lab_files
from parlab.errors import RunError
from parlab.host.places import COMMAND, PACKAGE

PYTHON = "/opt/parlab/bin/python"
FOLDER = "/cluster/run"
LOCK = "/tmp/parlab.host.cluster_lock"
TRIES = 2  # to start a launcher

# Runs on the head: unpacks what the host sends and becomes the launcher. The lock keeps a second client, another user's
# or on another machine, out of the limits and the folder: it waits here until the lock is free or its host hangs up.
BOOTSTRAP = f"""
import fcntl, io, os, select, shutil, sys, tarfile
size, data = int(sys.argv[1]), b""
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
    tarfile.open(fileobj=io.BytesIO(data)).extractall("{FOLDER}", filter="data")
    sys.path.insert(0, "{FOLDER}")
    sys.argv = ["launcher", "head"]
    from parlab.node.launcher import main
    main()
finally:
    shutil.rmtree("{FOLDER}", ignore_errors=True)
"""


def bundle(labs: Path) -> bytes:
    """Pack the labs of a folder and this package, without the data of an installed one, into a tar archive."""
    data = io.BytesIO()

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if "__pycache__" in member.name or member.name == "parlab/data":
            return None
        member.uid = member.gid = 1000
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.add(PACKAGE, "parlab", filter=plain)
        for file in lab_files(labs).values():
            archive.add(file, f"labs/{file.name}", filter=plain)
    return data.getvalue()


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


class Exec:
    """A launcher's standard input and output, over the engine's exec."""

    def __init__(self, client: DockerClient, container: str, size: int) -> None:
        self._api = client.api
        argv = [PYTHON, "-c", BOOTSTRAP, str(size)]
        self._exec: str = self._api.exec_create(container, argv, stdin=True)["Id"]
        self._stream = self._api.exec_start(self._exec, socket=True)
        self._socket = getattr(self._stream, "_sock", self._stream)

    def write(self, data: bytes) -> None:
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
