"""The user's terminal, to be reproduced for a program's ranks."""

import msgspec


class Terminal(msgspec.Struct, frozen=True):
    """The streams that are a terminal (of `stdout`, `stderr`), and its size in characters; 0 if it has none."""

    streams: list[str]
    columns: int
    lines: int
