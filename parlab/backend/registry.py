"""The available backends. To add one, add a module to this package with a KIND (backend/base.py)."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import parlab.backend
from parlab.backend.base import Backend, Kind, Unavailable
from parlab.formatting import Show


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds of backends, in the order of trying them."""
    modules = [import_module(f"parlab.backend.{found.name}") for found in iter_modules(parlab.backend.__path__)]
    return tuple(sorted((m.KIND for m in modules if hasattr(m, "KIND")), key=lambda kind: kind.rank))


def backend_names() -> tuple[str, ...]:
    """The names that `--backend` accepts."""
    return tuple(kind.name for kind in kinds())


def open_backend(wanted: str | None, cluster: str, show: Show) -> Backend:
    """Open the backend of that name, or else the first available one. Raises Unavailable, which is a UsageError."""
    *others, last = [kind for kind in kinds() if wanted in (None, kind.name)]
    for kind in others:
        try:
            return kind.open(cluster, show)
        except Unavailable as missing:
            show(f"no {kind.name}: {missing.reason}")
    return last.open(cluster, show)
