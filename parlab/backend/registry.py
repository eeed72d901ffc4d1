"""Which backends there are. A new one is one new module of this package, with a KIND (backend/base.py)."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import parlab.backend
from parlab.backend.base import Backend, Kind, Unavailable
from parlab.formatting import Show


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds of backends, in the order in which they are tried."""
    modules = [import_module(f"parlab.backend.{found.name}") for found in iter_modules(parlab.backend.__path__)]
    return tuple(sorted((m.KIND for m in modules if hasattr(m, "KIND")), key=lambda kind: kind.rank))


def backend_names() -> tuple[str, ...]:
    """The names that `--backend` takes."""
    return tuple(kind.name for kind in kinds())


def open_backend(wanted: str | None, cluster: str, show: Show) -> Backend:
    """Open the backend of that name, or the first that is there. Raises Unavailable, which is a UsageError."""
    *others, last = [kind for kind in kinds() if wanted in (None, kind.name)]
    for kind in others:
        try:
            return kind.open(cluster, show)
        except Unavailable as missing:
            show(f"no {kind.name}: {missing.reason}")
    return last.open(cluster, show)
