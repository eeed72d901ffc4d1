"""Formats for texts, the same everywhere."""

import math
import signal
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction

Show = Callable[[str], None]  # shows the user a line


NO_TASK = "no task"  # a worker without tasks


MOST_OF_A_LINE = 100  # characters of a source line


def at_line(file: str, line: int, text: str) -> str:
    """A line of a learner's file, with its source: `mine.py:9 (return 10 / number)`."""
    shown = text if len(text) <= MOST_OF_A_LINE else f"{text[: MOST_OF_A_LINE - 3]}..."
    return f"{file}:{line}" + (f" ({shown})" if shown else "")


def plural(count: int, noun: str) -> str:
    """`1 node`, `2 nodes`, `3 processes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{'es' if noun.endswith(('s', 'ch')) else 's'}"


def decimal(value: Fraction | float) -> str:
    """At most three decimals, no trailing zeros: 1.5, 0.25, 1."""
    return f"{float(value):.3f}".rstrip("0").rstrip(".")


def percent(share: float, decimals: int = 1) -> str:
    """0.025 as `2.5 %`."""
    return f"{100 * share:.{decimals}f} %"


def share(value: float) -> str:
    """Like `percent`; `-` for NaN."""
    return "-" if math.isnan(value) else percent(value)


def signed_percent(share: float) -> str:
    """0.025 as `+2.5 %`; `-` for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:+.1f} %"


def times(ratio: float) -> str:
    """1.97 as `1.97 x`; `-` for NaN."""
    return "-" if math.isnan(ratio) else f"{ratio:.2f} x"


def size(of: int) -> str:
    """A number of bytes: `2.3 MB`, `14 kB`."""
    return f"{of / 1e6:.1f} MB" if of >= 1e6 else f"{of / 1e3:.0f} kB"


def number(value: float) -> str:
    """At least three significant digits, no trailing zeros: 1235, 0.035, 12.5, 3."""
    if abs(value) >= 999.5:
        return f"{value:.0f}"
    return f"{value:.3g}" if not 0 < abs(value) < 1e-4 else f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def seconds(value: float | None) -> str:
    """In hundredths of a second; below a tenth, e.g. for unpaced work, in milliseconds; `-` for None.

    Milliseconds have three digits, also if the last are zeros: 9.80 ms.
    """
    if value is None or math.isnan(value):
        return "-"
    if value >= 0.1 or not value:
        return f"{value:.2f} s" if value else "0 ms"
    return f"{1000 * value:#.3g}".rstrip(".") + " ms"


def at_most(limit: float) -> str:
    """A time limit as it was set, in hours if it is a whole number of them: `120 s`, `24 h`."""
    return f"{limit / 3600:g} h" if limit and limit % 3600 == 0 else f"{limit:g} s"


def ending(code: int) -> str:
    """How a process ended: `with exit code 3`, or, for a negative code, a signal: `by SIGKILL`."""
    if code >= 0:
        return f"with exit code {code}"
    with suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"by signal {-code}"
