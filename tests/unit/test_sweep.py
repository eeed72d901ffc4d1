"""A sweep's sizes and the arguments that grow with them are read from the command line."""

import pytest

from parlab.errors import UsageError
from parlab.run.sweep import Sweep, Weak, read_sweep

PROGRAM = ["solver.py", "--cells", "{N}", "{M}"]


def test_a_sweep_has_one_size_with_ascending_values() -> None:
    assert read_sweep(None, None, PROGRAM) is None
    assert read_sweep("nodes=1,2,4", None, PROGRAM) == Sweep("nodes", (1, 2, 4))


def test_an_argument_grows_with_the_sizes() -> None:
    sweep = read_sweep("ranks=2,8", "N=1000*ranks", PROGRAM)
    assert sweep == Sweep("ranks", (2, 8), Weak("N", 1000, "ranks"))
    assert sweep.weak is not None
    assert sweep.weak.in_words(PROGRAM, 8) == ["solver.py", "--cells", "8000", "{M}"]


@pytest.mark.parametrize(
    ("sweep", "weak", "said"),
    [
        ("memory=1,2", None, "--sweep takes nodes=1,2,4"),
        ("nodes=1", None, "--sweep takes nodes=1,2,4"),
        ("nodes=1,,2", None, "--sweep takes nodes=1,2,4"),
        ("nodes=2,1", None, "from small to large"),
        ("nodes=0,1", None, "from small to large"),
        ("nodes=" + ",".join(map(str, range(1, 40))), None, "up to 32 sizes"),
        (None, "N=1000*nodes", "--weak goes with --sweep"),
        ("nodes=1,2", "N=1000*ranks", "--weak takes N=1000*nodes"),
        ("nodes=1,2", "N=nodes", "--weak takes N=1000*nodes"),
        ("nodes=1,2", "K=10*nodes", "no argument of the program has {K}"),
    ],
)
def test_what_is_no_sweep_is_refused(sweep: str | None, weak: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("{", "\\{").replace("*", "\\*")):
        read_sweep(sweep, weak, PROGRAM)
