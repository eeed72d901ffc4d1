"""Which labs there are, and what a lab file declares, without running any of its work."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from parlab.errors import UsageError
from parlab.host.places import LABS
from parlab.lab import Lab


def lab_files(folder: Path = LABS) -> dict[str, Path]:
    """Every lab of a folder by its name."""
    return {path.stem: path for path in sorted(folder.glob("*.py")) if path.stem.isidentifier()}


def load_lab(path: Path) -> Lab:
    """Import a lab file for what it declares.

    The host does not have what only runs in nodes (mpi4py, NumPy ...), so whatever is neither the standard library
    nor ours is stood in for by an empty module, present or not: declaring must not need it. Raises UsageError when
    the file cannot be imported, holds no lab, or has the name of a module of Python's own.
    """
    if path.stem in sys.stdlib_module_names:
        raise UsageError(f"{path.name} hides Python's own module {path.stem} from what runs beside it: rename it")
    name = f"parlab_lab_{path.stem}"
    spec = spec_from_file_location(name, path, loader=_Unkept(name, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with _stand_ins():
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise UsageError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error
    lab = getattr(module, "lab", None)
    if not isinstance(lab, Lab) or not lab.cases:
        raise UsageError(f"{path.name} declares no lab: it needs `lab = Lab(...)` and a function under `@lab.case()`")
    return lab


class _Unkept(SourceFileLoader):
    """Keeps no byte code: a lab's folder, which may be in site-packages, gets no `__pycache__`."""

    def set_data(self, *_: Any, **__: Any) -> None:
        """Write nothing."""


class _StandIn(ModuleType):
    """A module, or a thing in one, that is there in name only; called, as a decorator is, it gives itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system looks for these, and must not find them
            raise AttributeError(name)
        return _StandIn(f"{self.__name__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class _Finder(MetaPathFinder, Loader):
    """Finds a stand-in for every import but ours and the standard library's."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        top = name.partition(".")[0]
        return None if top == "parlab" or top in sys.stdlib_module_names else ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


@contextmanager
def _stand_ins() -> Iterator[None]:
    finder, before = _Finder(), dict(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in list(sys.modules.items()):
            if isinstance(module, _StandIn) and name not in before:
                del sys.modules[name]
