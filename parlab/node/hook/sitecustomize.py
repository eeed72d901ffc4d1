"""Runs first in a program's Python, and in each Python that it starts; nothing here changes a result.

Python imports a module of this name at its start, and this folder is in PYTHONPATH (parlab/node/supervisor.py).

- The process can show its stacks: on the signal LOOK each thread's stack goes to a file of this process.
- A rank stops once, when it is booted, until its node's limits are on; and it says goodbye when it ends by itself.
- Processes that a rank starts do not take its place in MPI: they do not get the variables that identify a rank.
- A large file of the user's folder is read in place (PARLAB_INPUT); a file that is opened for writing is copied first.
- A child that failed, or was ended by a signal, is noted: a pool that has lost a worker waits forever, silently.
- With `run --trace` (PARLAB_TRACE) libraries that hand out tasks log them (parlab_trace.py).
"""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False  # an import of typing would cost each Python of the program 10 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LOOK = 62 if sys.platform == "linux" else 31  # a real-time signal, which no program is known to use; or SIGUSR2
HIGH = 200  # no program closes, or depends on, descriptors from here on
COPY = ".parlab-copy"  # the end of an unfinished copy's name; in parlab/node/folder.py, too
RANK = ("PMIX_", "PRTE_", "OMPI_COMM_")


def _let_stacks_be_seen(folder: str) -> None:
    import faulthandler
    import fcntl

    state: dict[str, int] = {}

    def register() -> None:
        fd = os.open(f"{folder}/{os.getpid()}.stack", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH)
        os.close(fd)
        faulthandler.register(LOOK, file=high, all_threads=True)
        if "fd" in state:
            os.close(state["fd"])
        state["fd"] = high

    def again() -> None:
        try:
            register()
        except OSError:  # the folder is gone: nobody looks any more
            pass

    register()
    os.register_at_fork(after_in_child=again)


def _note_who_died(folder: str) -> None:
    import time

    def noting(wait: Callable[..., Any], pid_and_status: Callable[[Any], tuple[int, int]]) -> Callable[..., Any]:
        def waiting(*arguments: Any) -> Any:
            found = wait(*arguments)
            pid, status = pid_and_status(found)
            if pid and status and (os.WIFSIGNALED(status) or os.WIFEXITED(status)):
                line = f"{pid} {os.waitstatus_to_exitcode(status)} {time.monotonic()}\n"
                try:
                    with open(f"{folder}/died", "a") as file:
                        file.write(line)
                except OSError:
                    pass
            return found

        return waiting

    os.waitpid = noting(os.waitpid, lambda found: found)
    os.wait = noting(os.wait, lambda found: found)
    os.wait3 = noting(os.wait3, lambda found: found[:2])
    os.wait4 = noting(os.wait4, lambda found: found[:2])


def _become_a_rank(gate: str) -> None:
    *descriptors, when = gate.split(",")
    (ready, go), rank = map(int, descriptors), os.getpid()
    os.environ["PARLAB_RANK_PID"] = str(rank)

    def goodbye() -> None:
        if os.getpid() == rank:
            try:
                os.write(ready, b"g")
            except OSError:
                pass

    def stop_until_go() -> None:
        os.write(ready, b"r")
        os.read(go, 1)

    atexit.register(goodbye)
    if when == "now":
        stop_until_go()
    else:
        _once_imported(when, stop_until_go)


def _once_imported(name: str, do: Callable[[], None]) -> None:
    """Call `do` after the first import of the module of that name: for mpi4py.MPI, after MPI_Init.

    A package may add its own finder for its modules, as mpi4py does. So once the package has been imported, this finder
    moves before it, and asks all the others.
    """
    package, _, _ = name.rpartition(".")

    class Finder:
        @staticmethod
        def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:
            if fullname not in (package, name):
                return None
            others = [finder for finder in sys.meta_path if finder is not Finder]
            found = (finder.find_spec(fullname, path, target) for finder in others)
            spec = next((spec for spec in found if spec is not None), None)
            if spec is None or spec.loader is None:
                return spec
            execute = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                sys.meta_path.remove(Finder)
                if fullname == name:
                    do()
                else:
                    sys.meta_path.insert(0, Finder)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, Finder)


def _copy_before_writing(place: str) -> None:
    """Replace the link to a file by a copy of the file, before Python's `open` writes to it.

    Libraries that open files themselves, such as HDF5, are not seen by an audit hook.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open":
            return
        path, _, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR) and not flags & os.O_EXCL and isinstance(path, str | bytes):
            name = os.fsdecode(path)
            while os.path.islink(name):
                if leads_there(name):
                    copy(name, keep=not flags & os.O_TRUNC)
                    return
                name = os.path.join(os.path.dirname(name), os.readlink(name))

    def leads_there(name: str) -> bool:
        return os.path.islink(name) and os.readlink(name).startswith(place + "/")

    def copy(name: str, keep: bool) -> None:
        import fcntl
        from shutil import copyfile, copymode
        from tempfile import mkstemp

        try:
            folder = os.open(os.path.dirname(name) or ".", os.O_RDONLY)
        except OSError:
            return
        new = None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # ranks may open one file at once: all must write to the same copy
            if leads_there(name):
                file, new = mkstemp(COPY, dir=os.path.dirname(name) or ".")
                os.close(file)
                if keep:
                    copyfile(name, new)
                copymode(name, new)
                os.chmod(new, os.stat(new).st_mode | 0o600)
                os.replace(new, name)
                new = None
        except OSError:  # the program's own attempt reports the error
            if new is not None:
                os.unlink(new)
        finally:
            os.close(folder)

    sys.addaudithook(hook)


def _withhold_rank() -> None:
    for name in [name for name in os.environ if name.startswith(RANK)]:
        del os.environ[name]


def _start() -> None:
    folder = os.environ.get("PARLAB_STACKS")
    if folder is not None:
        try:
            _let_stacks_be_seen(folder)
            _note_who_died(folder)
        except (OSError, ValueError):
            pass
        if "PARLAB_TRACE" in os.environ:
            __import__("parlab_trace").begin(folder)
    place = os.environ.get("PARLAB_INPUT")
    if place is not None:
        _copy_before_writing(place)
    gate = os.environ.pop("PARLAB_GATE", None)
    if gate is not None:
        _become_a_rank(gate)
    elif os.environ.get("PARLAB_RANK_PID", str(os.getpid())) != str(os.getpid()):
        _withhold_rank()


def _go_on() -> None:
    """Remove this folder from the path, and run the module of this name that would have been found without us."""
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if folder != here]
    spec = PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None and spec.origin != __file__:
        from importlib.util import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


if __name__ == "sitecustomize":  # not in modules that import the definitions above
    _start()
    _go_on()
