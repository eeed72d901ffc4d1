"""Makes each library that hands out tasks log them, once the program has imported it, if it is as expected.

Any other library is left unchanged, and a note says so once the program has ended.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import SourceFileLoader

TYPE_CHECKING = False  # as in sitecustomize.py
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from parlab.node.hook.parlab_log import Log

HERE = os.path.dirname(os.path.abspath(__file__))
BY = {  # the module beside this one that knows the library
    "multiprocessing.pool": "parlab_pools",
    "multiprocess.pool": "parlab_pools",
    "concurrent.futures.process": "parlab_processes",
    "loky.process_executor": "parlab_processes",
    "joblib.externals.loky.process_executor": "parlab_processes",
    "concurrent.futures.thread": "parlab_threads",
    "mpi4py.futures._core": "parlab_ranks",
}


def load(name: str) -> ModuleType:
    """A module beside this one: this folder is not in the path any more when the program runs."""
    if name not in sys.modules:
        module = type(sys)(name)
        module.__file__ = f"{HERE}/{name}.py"
        SourceFileLoader(name, module.__file__).exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


class Finder:
    """Finds these libraries through the other finders, and makes them log as soon as they are imported."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """The spec that the others find; its execution has one more step."""
        if fullname not in BY:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self.watch(module, fullname)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def watch(self, module: ModuleType, name: str) -> None:
        """Make a library log its tasks."""
        log = load("parlab_log")
        number = log.LIBRARIES.index(name)
        try:
            load(BY[name]).watch(module, number, self._log, log)
        except Exception as error:
            self._log.note(number, f"its tasks are not shown: it is not as --trace knows it ({error!r})")


def begin(folder: str) -> None:
    """Log to that folder from here on."""
    finder = Finder(load("parlab_log").Log(folder))
    sys.meta_path.insert(0, finder)
    for name in BY:
        if name in sys.modules:
            finder.watch(sys.modules[name], name)
