"""Labs that print a lot: capped on the screen, whole in a file, in order, and no line too long."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from parlab.run.request import Request
from parlab.terminal.live import Silence
from tests.running import run_file

LAB = """
import sys
from parlab.lab import Lab
lab = Lab(unit=0.01)
def work(number):
    {body}
    return number
@lab.serial
def one_after_another(task=work):
    return [task(number) for number in range(2)]
@lab.case()
def loop(task=work):
    return [task(number) for number in range(2)]
if __name__ == "__main__":
    lab.main()
"""


class Heard(Silence):
    """What is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def heard(path: Path) -> list[str]:
    listener = Heard()
    run = run_file(path, Request(backend="embedded"), listener)
    assert run.failure is None
    return listener.lines


def test_many_lines_are_capped_on_the_screen_and_whole_in_a_file(lab_file: Callable[[str], Path]) -> None:
    lines = heard(lab_file(LAB.format(body='print(*range(20_000), sep="\\n", flush=True)')))
    assert len(lines) < 210
    (told,) = [line for line in lines if "lines more of loop" in line]
    found = re.fullmatch(r"\.\.\. 39800 lines more of loop on 1 node, all of it in (\S+\.txt)", told)
    assert found
    kept = Path(found[1]).read_text().splitlines()
    assert kept == ["=== loop on 1 node", *map(str, range(20_000)), *map(str, range(20_000))]


@pytest.mark.parametrize(
    "body",
    ['print("x" * 1_000_000, flush=True)', "sys.stdout.buffer.write(bytes(range(256)) * 1000); sys.stdout.flush()"],
)
def test_a_line_without_an_end_and_bytes_that_are_no_text_are_output_too(
    lab_file: Callable[[str], Path], body: str
) -> None:
    lines = heard(lab_file(LAB.format(body=body)))
    assert max(map(len, lines)) <= 2 * 64 * 1024
    assert sum(map(len, lines)) > 40_000
