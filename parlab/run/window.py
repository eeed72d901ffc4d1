"""The user's terminal, as a program must find it: which streams, which size, which kind."""

import os
from collections.abc import Mapping

import msgspec

from parlab.model.messages import SIZE
from parlab.model.terminal import Terminal
from parlab.run.streams import OUT, is_terminal

OF_TERMINALS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")  # variables


class Window:
    """The user's terminal; the last `margin` of its columns are ours."""

    def __init__(self, margin: int = 0) -> None:
        self._margin = margin
        self._streams = [name for name, fd in OUT.items() if is_terminal(fd)]
        self._size = self._measured()

    @property
    def told(self) -> Mapping[str, str]:
        """The variables that tell the supervisors of ranks about it."""
        if not self._streams:
            return {}
        return {"PARLAB_TERMINAL": msgspec.json.encode(Terminal(self._streams, *self._size)).decode()}

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables that tell the program about it; none if no stream is a terminal."""
        return {name: os.environ[name] for name in OF_TERMINALS if self._streams and name in os.environ}

    def resized(self) -> str | None:
        """The word for the ranks if the size has changed since the last call; else None."""
        if (size := self._measured()) == self._size:
            return None
        self._size = size
        return f"{SIZE} {size[0]} {size[1]}"

    def _measured(self) -> tuple[int, int]:
        """Columns and lines; 0 if the terminal does not report them, or is gone."""
        try:
            columns, lines = os.get_terminal_size(OUT[self._streams[0]])
        except (IndexError, OSError):
            return 0, 0
        return max(columns - self._margin, min(columns, 1)), lines
