"""The output of a lab: its first lines on the screen; all of it in a file, if there are more."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from parlab.formatting import Show, plural
from parlab.host.places import shown

SHOWN_LINES = 200  # of a launch: a few screens; further lines would scroll these away


class LabOutput:
    """The output of a run, launch by launch; a file is made when the first launch prints more than is shown."""

    def __init__(self, file: Path, show: Show) -> None:
        self._path, self._show = file, show
        self._file: IO[str] | None = None
        self._unwritten = ""  # the reason why there is no file
        self._what, self._count = "", 0
        self._first: list[str] = []

    def begin(self, what: str) -> None:
        """A launch of this case begins."""
        self.end()
        self._what, self._count, self._first = what, 0, []

    def line(self, text: str) -> None:
        """Show a line, or count it; keep it in the file."""
        self._count += 1
        if self._count <= SHOWN_LINES:
            self._first.append(text)
            self._show(text)
            return
        if self._count == SHOWN_LINES + 1:
            self._open()
        self._write(lambda file: file.write(f"{text}\n"))

    def keep(self, text: str) -> str:
        """Write a text that is too long for the screen into the file; return a description of its place."""
        if self._file is None and not self._unwritten:
            self._open()
        self._write(lambda file: file.write(f"=== {self._what}: details\n{text}\n"))
        self._write(lambda file: file.flush())
        return f"in {shown(self._path)}" if self._file is not None else self._unwritten

    def end(self) -> None:
        """The launch is over: report how much was not shown, and where it is."""
        if self._count > SHOWN_LINES:
            self._write(lambda file: file.flush())
            where = f"all of it in {shown(self._path)}" if self._file is not None else self._unwritten
            self._show(f"... {plural(self._count - SHOWN_LINES, 'line')} more of {self._what}, {where}")
        self._count = 0

    def close(self) -> None:
        """The run is over."""
        self.end()
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _open(self) -> None:
        """Create the file if it does not exist yet, and write the lines of this launch that were shown."""
        if self._file is None and not self._unwritten:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8", errors="replace")
            except OSError as error:
                self._unwritten = f"not kept in {shown(self._path)}: {error.strerror}"
        head = "".join(f"{line}\n" for line in (f"=== {self._what}", *self._first))
        self._write(lambda file: file.write(head))

    def _write(self, write: Callable[[IO[str]], object]) -> None:
        if self._file is None:
            return
        try:
            write(self._file)
        except OSError as error:  # a full disk: the measurement does not depend on it
            self._unwritten = f"not whole in {shown(self._path)}: {error.strerror}"
            self._file = None
