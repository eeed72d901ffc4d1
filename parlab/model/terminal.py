"""The user's terminal, as a program's ranks are to find it."""

import msgspec


class Terminal(msgspec.Struct, frozen=True):
    """Which streams are a terminal (of `stdout`, `stderr`), and its size in characters; 0 where it has none."""

    streams: list[str]
    columns: int
    lines: int
