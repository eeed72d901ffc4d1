"""A launcher on the head, over the engine's exec, with the labs and this package as they are now."""

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
FOLDER = "/cluster/run"  # of one session: the labs
WORK = "/work"  # the folder of a program, shared by all nodes
LIBRARY = "/cluster/lib"  # this package as nodes need it, a folder for each version: kept, with its bytecode
LOCK = "/tmp/parlab.lock"
FOLDER_SECONDS = 600  # to copy a folder to the nodes, or back
PIECE = 1 << 20  # bytes that are to be taken within the deadline of an answer
TRIES = 2  # to start a launcher, or what fills the folder
NOT_STARTED = 126  # the exit code of what the engine could not start
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
    "node/hook",
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
    """What fills a program's folder on the nodes, or gives back what has changed there (parlab/node/folder.py)."""
    program = f"{library()}/parlab/node/folder.py"  # by its path: it needs nothing of the package
    return [PYTHON, program, what, WORK, f"{FOLDER}/before.json"]


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
        launcher = Exec(client, container, [PYTHON, "-c", BOOTSTRAP, str(len(data)), library()])
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
    return _exit_code(client.api, started, seconds)


def _exit_code(api: APIClient, started: str, seconds: float) -> int | None:
    """The exit code of an exec; None where it has not ended in `seconds`."""
    until, pause = time.monotonic() + seconds, 0.01
    while (found := api.exec_inspect(started))["Running"]:
        if time.monotonic() > until:
            return None
        time.sleep(pause)
        pause = min(2 * pause, 0.2)
    code: int | None = found["ExitCode"]
    return code


def fill_folder(client: DockerClient, container: str, archive: IO[bytes]) -> None:
    """Have what is in this archive, and nothing else, in the nodes' folder. Raises RunError.

    Where the engine fails to start what unpacks it, as it does with the launcher, it is tried once more.
    """
    for _ in range(TRIES):
        archive.seek(0)
        command = Exec(client, container, _folder_command("fill"))
        said = bytearray()
        with suppress(OSError):  # it has ended, and says why
            while piece := archive.read(PIECE):
                command.write(piece)
        code = command.finish(lambda _, piece, said=said: said.extend(piece))  # type: ignore[misc]
        if code != NOT_STARTED:
            break
    if code != 0:
        text = said.decode(errors="replace").strip()
        raise RunError(f"the folder could not be put on the nodes (exit code {code}): {text or 'it said nothing'}")


def changed_in_folder(client: DockerClient, container: str) -> IO[bytes]:
    """An archive of what is new or has changed in the nodes' folder since it was filled. Raises RunError."""
    command = Exec(client, container, _folder_command("changed"))
    said = bytearray()
    with ExitStack() as failing:
        archive = failing.enter_context(tempfile.TemporaryFile())  # results may be larger than memory
        code = command.finish(lambda stream, piece: archive.write(piece) if stream == 1 else said.extend(piece))
        if code != 0:
            text = said.decode(errors="replace").strip()
            raise RunError(f"new files in the folder could not be brought back (exit code {code}): {text}")
        archive.seek(0)
        failing.pop_all()  # whoever reads it closes it
    return archive


def sweep(client: DockerClient, container: str, seconds: float) -> None:
    """End the ranks and Open MPI daemons that a launch has left in a node, and remove what they have left there."""
    ours = f"PYTHONPATH={library()} {PYTHON} -m parlab.node.processes"  # ranks, and what they have started
    left = "/dev/shm/* /tmp/parlab-* /tmp/pymp-* /tmp/ompi.* /tmp/prte*"  # by MPI, by a program, by multiprocessing
    command = ["sh", "-c", f"{ours}; pkill -KILL -f 'parlab.node.[rs]|prte[d]'; rm -rf {left}"]
    with suppress(*FAILURES):  # a node that has gone meanwhile has no ranks
        run_in(client, container, command, seconds)


class Exec:
    """A command's standard input and output, over the engine's exec."""

    def __init__(self, client: DockerClient, container: str, argv: list[str]) -> None:
        self._api = client.api
        self._exec: str = self._api.exec_create(container, argv, stdin=True)["Id"]
        self._stream = self._api.exec_start(self._exec, socket=True)
        self._socket = getattr(self._stream, "_sock", self._stream)

    def write(self, data: bytes) -> None:
        self._socket.settimeout(ANSWER_SECONDS)  # an engine that takes nothing any more is an OSError
        for start in range(0, len(data), PIECE):  # a deadline for each: all of a large folder takes longer
            self._socket.sendall(data[start : start + PIECE])

    def lines(self) -> Iterator[bytes]:
        rest = {1: b"", 2: b""}  # standard output and standard error come in pieces of either
        for stream, data in frames_iter(self._stream, tty=False):
            *lines, rest[stream] = (rest[stream] + data).split(b"\n")
            yield from lines
        yield from filter(None, rest.values())

    def finish(self, take: Callable[[int, bytes], object]) -> int | None:
        """Close its standard input and take what it writes, by stream; its exit code, None after FOLDER_SECONDS.

        The SDK reads without a deadline: so another thread does, and is left to itself when it takes too long.
        """

        def read() -> None:
            with suppress(OSError, ValueError):
                for stream, piece in frames_iter(self._stream, tty=False):
                    take(stream, piece)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self.shut()
        reader.join(FOLDER_SECONDS)
        try:  # its output ends a little before it does
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
        """Close what was opened for it."""
        self._stream._response.close()  # the stream alone would leave the SDK's response, and its socket, open
