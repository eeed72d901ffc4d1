"""Starts a launcher on the head, over the engine's exec, with current copies of the labs and of this package."""

import hashlib
import io
import socket
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import IO

from docker.api.client import APIClient
from docker.client import DockerClient
from docker.utils.socket import frames_iter

from parlab.backend.engine import ANSWER_SECONDS, FAILURES
from parlab.errors import RunError
from parlab.host.places import COMMAND, PACKAGE

PYTHON = "/opt/parlab/bin/python"
FOLDER = "/cluster/run"  # the labs of one session
WORK = "/work"  # a program's folder, shared by all nodes
LIBRARY = "/cluster/lib"  # this package for the nodes: one folder per version, kept with its bytecode
LOCK = "/tmp/parlab.lock"
FOLDER_SECONDS = 600  # to copy a folder to the nodes, or back
PIECE = 1 << 20  # bytes per write: each must succeed within the engine's deadline
TRIES = 2  # to start a launcher, or the command that fills the folder
NOT_STARTED = 126  # exit code of a command that the engine could not start
PARTS = (  # the parts of the package that run in nodes
    "__init__.py",
    "errors.py",
    "formatting.py",
    "thresholds.py",
    "lab.py",
    "model",
    "task",
    "analysis",
    "results/__init__.py",
    "results/alike.py",
    "results/record.py",
    "judge/__init__.py",
    "judge/claims.py",
    "judge/draws.py",
    "judge/uncertainty.py",
    "node",
    "node/hook",
)

# Runs on the head: unpacks the host's data and becomes the launcher. The lock keeps a second client (of another user
# or another machine) out of the limits and the folders: it waits here until the lock is free or its host hangs up.
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
os.mkdir("{FOLDER}")
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


def _folder_command(what: str) -> list[str]:
    """The command that fills a program's folder on the nodes, or returns its changes (parlab/node/folder.py)."""
    program = f"{library()}/parlab/node/folder.py"  # run by path: it needs nothing of the package
    return [PYTHON, program, what, WORK, f"{FOLDER}/before.json"]


@cache
def package() -> dict[str, bytes]:
    """The parts of this package for nodes, by path; read once, so that the files sent match the folder's digest."""
    parts = [PACKAGE / part for part in PARTS]
    files = [file for part in parts for file in (sorted(part.glob("*.py")) if part.is_dir() else [part])]
    return {str(file.relative_to(PACKAGE.parent)): file.read_bytes() for file in files}


@cache
def library() -> str:
    """The folder of this package on the nodes, named after a digest of its content."""
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
    """Start a launcher on the head; if the engine fails to start it, try once more, since nothing has run yet.

    With runc about one start in a thousand fails: "exec failed: ... read init-p: connection reset by peer".
    Raises RunError.
    """
    for _ in range(TRIES):
        launcher = Exec(client, container, [PYTHON, "-c", BOOTSTRAP, str(len(data)), library()])
        try:
            launcher.write(data)
            return launcher
        except OSError as error:  # the process that should read it is gone
            launcher.close()
            failure = error
    raise RunError(
        f"the engine did not start the launcher on the head, {TRIES} times: {failure}. The engine's log says why. "
        f"Retry. If it fails again, run {COMMAND} down first"
    ) from failure


def run_in(client: DockerClient, container: str, argv: list[str], seconds: float) -> int | None:
    """Run a command in a container; return its exit code, or None if it has not ended in `seconds`.

    The SDK reads an exec's output without a deadline. So its output is ignored, and the engine is polled for its end.
    """
    started: str = client.api.exec_create(container, argv, stdout=False, stderr=False)["Id"]
    client.api.exec_start(started, detach=True)
    return _exit_code(client.api, started, seconds)


def _exit_code(api: APIClient, started: str, seconds: float) -> int | None:
    """The exit code of an exec; None if it has not ended in `seconds`."""
    until, pause = time.monotonic() + seconds, 0.01
    while (found := api.exec_inspect(started))["Running"]:
        if time.monotonic() > until:
            return None
        time.sleep(pause)
        pause = min(2 * pause, 0.2)
    code: int | None = found["ExitCode"]
    return code


def fill_folder(client: DockerClient, container: str, archive: IO[bytes]) -> None:
    """Make the nodes' folder contain exactly the content of this archive. Raises RunError.

    If the engine fails to start the command, try once more, as with the launcher.
    """
    for _ in range(TRIES):
        archive.seek(0)
        command = Exec(client, container, _folder_command("fill"))
        said = bytearray()
        with suppress(OSError):  # it has ended, and its output says why
            while piece := archive.read(PIECE):
                command.write(piece)
        code = command.finish(lambda _, piece, said=said: said.extend(piece))  # type: ignore[misc]
        if code != NOT_STARTED:
            break
    if code != 0:
        text = said.decode(errors="replace").strip()
        raise RunError(f"cannot copy the folder to the nodes (exit code {code}): {text or 'no output'}")


def changed_in_folder(client: DockerClient, container: str) -> IO[bytes]:
    """An archive of the new and changed files in the nodes' folder since it was filled. Raises RunError."""
    command = Exec(client, container, _folder_command("changed"))
    said = bytearray()
    with ExitStack() as failing:
        archive = failing.enter_context(tempfile.TemporaryFile())  # results may be larger than memory
        code = command.finish(lambda stream, piece: archive.write(piece) if stream == 1 else said.extend(piece))
        if code != 0:
            text = said.decode(errors="replace").strip()
            raise RunError(f"cannot copy new files back from the nodes (exit code {code}): {text}")
        archive.seek(0)
        failing.pop_all()  # the reader closes it
    return archive


def sweep(client: DockerClient, container: str, seconds: float) -> None:
    """End the ranks and Open MPI daemons that a launch has left in a node, and remove their files."""
    ours = f"PYTHONPATH={library()} {PYTHON} -m parlab.node.processes"  # ranks, and processes that they started
    left = "/dev/shm/* /tmp/parlab-* /tmp/pymp-* /tmp/ompi.* /tmp/prte*"  # files of MPI, a program, multiprocessing
    command = ["sh", "-c", f"{ours}; pkill -KILL -f 'parlab.node.[rs]|prte[d]'; rm -rf {left}"]
    with suppress(*FAILURES):  # a node that has disappeared has no ranks
        run_in(client, container, command, seconds)


class Exec:
    """A command's standard input and output, over the engine's exec."""

    def __init__(self, client: DockerClient, container: str, argv: list[str]) -> None:
        self._api = client.api
        self._exec: str = self._api.exec_create(container, argv, stdin=True)["Id"]
        self._stream = self._api.exec_start(self._exec, socket=True)
        self._socket = getattr(self._stream, "_sock", self._stream)

    def write(self, data: bytes) -> None:
        self._socket.settimeout(ANSWER_SECONDS)  # an OSError if the engine takes no more data
        for start in range(0, len(data), PIECE):  # a deadline for each piece: a large folder takes longer in total
            self._socket.sendall(data[start : start + PIECE])

    def lines(self) -> Iterator[bytes]:
        rest = {1: b"", 2: b""}  # incomplete last lines of standard output and standard error
        for stream, data in frames_iter(self._stream, tty=False):
            *lines, rest[stream] = (rest[stream] + data).split(b"\n")
            yield from lines
        yield from filter(None, rest.values())

    def finish(self, take: Callable[[int, bytes], object]) -> int | None:
        """Close its standard input and pass its output to `take`, by stream; return its exit code.

        Returns None after FOLDER_SECONDS. The SDK reads without a deadline, so a thread reads, and is abandoned if it
        takes too long.
        """

        def read() -> None:
            with suppress(OSError, ValueError):
                for stream, piece in frames_iter(self._stream, tty=False):
                    take(stream, piece)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self.shut()
        reader.join(FOLDER_SECONDS)
        try:  # its output ends a little before the command does
            return None if reader.is_alive() else _exit_code(self._api, self._exec, ANSWER_SECONDS)
        finally:
            self.close()

    def shut(self) -> None:
        """Close its standard input."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def hang_up(self, deadline: float) -> None:
        try:
            self.shut()
            _exit_code(self._api, self._exec, deadline)
        finally:
            self.close()

    def close(self) -> None:
        """Close the stream and the response under it."""
        self._stream._response.close()  # closing only the stream would leave the SDK's response, and its socket, open
