"""The process around each rank of a program: `mpiexec -n N ... python -m parlab.node.supervisor WHEN WORDS...`.

It starts `python WORDS...`, writes its standard input, passes on its output, waits for its end, ends all processes that
it leaves behind, and reports all of it over its own connection: mpiexec loses output, holds input back, and takes a
dead rank for a finished one. It ends when the launcher has heard of all ranks.

WHEN tells when the rank is booted and waits for the limits: `now`, once its Python has started, or a module's name,
once that module is imported (parlab/node/hook/sitecustomize.py).
"""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64decode
from contextlib import suppress
from pathlib import Path

from parlab.model import messages
from parlab.model.case import PYTHON
from parlab.model.job_events import Ended, Logged, Looked
from parlab.model.messages import Hello, Ready
from parlab.node import hook
from parlab.node.control import Control, control
from parlab.node.family import become_subreaper, descendants, died, end_all, look_at
from parlab.node.feeder import Feeder
from parlab.node.hook.parlab_log import FILE
from parlab.node.hook.sitecustomize import RANK
from parlab.node.kernel import boot_id
from parlab.node.memory import oom_kills, out_of_memory, shared_memory_is_full
from parlab.node.outlet import Outlet, terminal
from parlab.node.passing import Passing
from parlab.node.rank import end_leftovers

LOOKING_SECONDS = 1.0
LOGGED = 256 << 10  # bytes of a log in one message
WAITING = Path(sys.prefix) / "lib" / "libparlab-waiting.so"  # docker/waiting.c
OPEN_SECONDS = 2.0  # for output that is kept open by a process that cannot be ended
GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL


class Supervisor:
    """One rank: its process, its pipes, and the launcher's commands for it."""

    def __init__(self, line: Control, when: str, words: list[str]) -> None:
        self._line, self._stopped, self._went = line, threading.Event(), threading.Event()
        self._folder = Path(json.loads(os.environ["PARLAB_FOLDER"]))
        self._stacks = Path(tempfile.mkdtemp(prefix="parlab-stacks-"))
        self._goodbye = False
        self.well = False  # it has ended normally
        self._kills = oom_kills()
        self._reaping = threading.Lock()
        self._outlets = {name: Outlet(name, terminal()) for name in ("stdout", "stderr")}
        ready, self._ready_end = os.pipe()
        go_end, self._go = os.pipe()
        self._ready = os.fdopen(ready, "rb", buffering=0)
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=self._folder,
            env=self._environment(when, f"{self._ready_end},{go_end}"),
            stdin=subprocess.PIPE if line.rank == 0 else subprocess.DEVNULL,
            stdout=self._outlets["stdout"].far,
            stderr=self._outlets["stderr"].far,
            pass_fds=(self._ready_end, go_end),
            # A program may signal its group, but must not signal us. It leads no session: a leader that opens our
            # terminal by its name gets it as its controlling terminal, and SIGHUP when it closes.
            process_group=0,
        )
        for end in (self._ready_end, go_end, *(outlet.far for outlet in self._outlets.values())):
            os.close(end)
        line.hung_up = self._end_at_once

    def _environment(self, when: str, gate: str) -> dict[str, str]:
        """The program's environment. PYTHONPATH: our hook's folder, then the user's PYTHONPATH, then its packages."""
        ours = ("PYTHONPATH", "PARLAB_CONTROL", "PARLAB_ENV", "PARLAB_TERMINAL")
        env = {name: value for name, value in os.environ.items() if name not in ours}
        env |= json.loads(os.environ.get("PARLAB_ENV", "{}"))
        if when == PYTHON:  # one process, not a rank
            env = {name: value for name, value in env.items() if not name.startswith(RANK)}
            when = "now"
        path = [str(Path(hook.__file__).parent), env.pop("PYTHONPATH", ""), env.pop("PARLAB_PACKAGES", "")]
        if env.pop("PARLAB_WAITS", None) is not None:
            env["LD_PRELOAD"] = " ".join(filter(None, (str(WAITING), env.get("LD_PRELOAD"))))
        gate = f"{gate},{when}"
        here = {"PARLAB_GATE": gate, "PARLAB_STACKS": str(self._stacks), "PWD": str(self._folder)}
        return {"PYTHONUNBUFFERED": "1"} | env | here | {"PYTHONPATH": os.pathsep.join(filter(None, path))}

    def run(self) -> None:
        """Follow the rank to its end, and report all of it."""
        threading.Thread(target=self._await_ready, daemon=True).start()
        threading.Thread(target=self._obey, daemon=True).start()
        passing = Passing(self._line, self.process.pid, self._outlets)
        output = threading.Thread(target=passing.run, daemon=True)
        output.start()
        self._await_rank()
        at = time.monotonic()
        with self._reaping:
            _, status = os.waitpid(self.process.pid, 0)
            code = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.well = code == 0 and self._goodbye
        left = end_all(os.getpid())
        while output.is_alive() and time.monotonic() < passing.silent_since + OPEN_SECONDS:
            output.join(0.1)
        self._send_log()
        of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._line.send(
            Ended(
                self._line.rank,
                code,
                goodbye=self._goodbye,
                stopped=self._stopped.is_set(),
                why=self._why(code),
                pid=self.process.pid,
                began=self._began,
                at=at,
                cpu_s=of_children.ru_utime + of_children.ru_stime,
                peak=of_children.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
                left=left,
                died=died(self._stacks),
            )
        )
        shutil.rmtree(self._stacks, ignore_errors=True)

    def _send_log(self) -> None:
        """Send its processes' log of tasks, if there is one."""
        with suppress(FileNotFoundError), (self._stacks / FILE).open("rb") as file:
            while data := file.read(LOGGED):
                self._line.send(Logged(self._line.rank, data))

    def _await_rank(self) -> None:
        """Wait until it has ended, without reaping it: so its pid stays its own. Orphans are reaped meanwhile."""
        while hasattr(os, "waitid"):
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            if ended is None or ended.si_pid == self.process.pid:
                return
            os.waitpid(ended.si_pid, 0)

    def _why(self, code: int = 0) -> str:
        """The kernel's part of the reason: memory that ran out."""
        if why := out_of_memory(self._kills):
            return why
        if code == -signal.SIGBUS and shared_memory_is_full():
            return "/dev/shm is full"
        return ""

    def _await_ready(self) -> None:
        """Report when the rank is booted, or has ended before that. Then hear whether it says goodbye."""
        said = self._ready.read(1)
        with suppress(OSError):
            self._line.send(Ready(self._line.rank))
        while said:
            self._goodbye = self._goodbye or said == b"g"
            said = self._ready.read(1)

    def _obey(self) -> None:
        """Obey the launcher while the rank runs."""
        feed = Feeder(self._line, self.process.stdin)
        while True:
            word, _, data = self._line.next_word().partition(" ")
            match word:
                case messages.START:
                    self._release()
                case messages.FEED:
                    feed.more(b64decode(data))
                case messages.LOOK:
                    threading.Thread(target=self._look, daemon=True).start()
                case messages.STOP:
                    threading.Thread(target=self._stop, daemon=True).start()
                case messages.SIZE:
                    self._resize(*map(int, data.split()))
                case messages.END:
                    self._went.set()

    def _release(self) -> None:
        with suppress(OSError):
            os.write(self._go, b"s")

    def _resize(self, columns: int, lines: int) -> None:
        """The user's terminal has a new size: give it to the rank's, and signal it as a terminal of its own would."""
        for outlet in self._outlets.values():
            outlet.resize(columns, lines)
        self._signal(signal.SIGWINCH)

    def await_end(self) -> None:
        """Wait until the launcher says that all ranks have ended."""
        self._went.wait()

    def _look(self) -> None:
        pids = descendants(os.getpid())
        seen = look_at(pids, self._stacks, self._folder, LOOKING_SECONDS)
        self._line.send(Looked(self._line.rank, seen, died(self._stacks, pids), self._why(), self._goodbye))

    def _stop(self) -> None:
        """End the rank: by SIGTERM, then by SIGKILL. All processes that it has started are ended with it."""
        self._stopped.set()
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal(number)
            until = time.monotonic() + GRACE_SECONDS
            while self.process.returncode is None and time.monotonic() < until:
                time.sleep(0.01)

    def _signal(self, number: int) -> None:
        """Signal the rank, unless it has been reaped: its pid may belong to another process by now."""
        with self._reaping, suppress(ProcessLookupError):
            if self.process.returncode is None:
                os.kill(self.process.pid, number)

    def _end_at_once(self) -> None:
        """The launcher is gone: nobody receives reports about the rank any more."""
        self._signal(signal.SIGKILL)
        end_all(os.getpid())
        shutil.rmtree(self._stacks, ignore_errors=True)


def sweep() -> None:
    """Remove the leftovers of programs from a node's own shared memory and /tmp, once all programs have ended.

    Open MPI's daemon removes its own files there as it ends; a lock there is the launcher's.
    """
    for path in (*Path("/dev/shm").iterdir(), *Path("/tmp").iterdir()):
        if path.name.startswith(("prte", "parlab.lock")):
            continue
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def main() -> None:
    """Separate from mpiexec, say hello, and follow a rank to its end.

    MPI_Abort makes mpiexec kill every process that it has started. Here that is a process which only waits for the
    supervisor, so the supervisor survives, and can report how its rank ended.
    """
    if (child := os.fork()) != 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    os.setsid()
    _, when, *words = sys.argv
    become_subreaper()
    line = control()
    own_node = "PARLAB_OWN_NODE" in os.environ
    ended = end_leftovers() if own_node else []
    line.send(Hello(line.rank, socket.gethostname(), boot_id(), ended))
    supervisor = Supervisor(line, when, words)
    line.listen()
    supervisor.run()
    supervisor.await_end()
    if own_node and line.speaks:
        sweep()
    # Threads that wait for the launcher's words must not keep this process alive. After a rank has left MPI without a
    # word, mpiexec would wait forever, unless the exit code says that the rank failed.
    os._exit(0 if supervisor.well else 1)


if __name__ == "__main__":
    main()
