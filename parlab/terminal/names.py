"""Breaks the names of cases into the lines of a column: at blanks, not inside words."""

from textwrap import wrap

HELD = "\N{NO-BREAK SPACE}"  # a blank at which no line ends
LEAST = 16  # columns for a name, however few the other columns leave


def room(width: int) -> int:
    """The number of columns for names beside a bar or beside words; `width` is the total."""
    return max(LEAST, width * 3 // 7)


def widest(*texts: str) -> int:
    """Columns of the longest line of these texts."""
    return max(len(line) for text in texts for line in text.split("\n"))


def broken(name: str, width: int) -> str:
    """The name in lines of at most `width` columns; a longer word is broken before its settings, or folded."""
    if len(name) <= width:
        return name
    lines = _lines(name.replace(" ", HELD).replace(f",{HELD}", ", "), width, "", "  ")  # preferably between settings
    if max(map(len, lines)) > width:
        lines = _lines(name, width, "", "  ")
    function, bracket, settings = name.partition("(")
    if max(map(len, lines)) > width and bracket:
        lines = [*_lines(function, width, "", "  "), *_lines(f"({settings}", width, "  ", "   ")]
    folded = [part for line in lines for part in (_folded(line, width) if len(line) > width else [line])]
    return "\n".join(folded).replace(HELD, " ")


def _lines(text: str, width: int, first: str, others: str) -> list[str]:
    return wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def _folded(word: str, width: int) -> list[str]:
    return [word[at : at + width] for at in range(0, len(word), width)]
