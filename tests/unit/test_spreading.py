"""Which tests may run beside each other."""

import re

import pytest

from tests.conftest import ROOT
from tests.spreading import LANES, WHOLE, scope_of


@pytest.mark.parametrize("whole", WHOLE)
def test_what_shares_something_costly_goes_to_one_process(whole: str) -> None:
    file = whole if whole.endswith(".py") else f"{whole}/test_c.py"
    assert scope_of(f"{file}::test_a") == scope_of(f"{file}::test_b[c/d]") == whole


def test_the_embedded_ones_go_to_few_processes_file_by_file() -> None:
    files = [f"tests/embedded/{path.name}" for path in (ROOT / "tests/embedded").glob("test_*.py")]
    assert all(scope_of(f"{file}::test_a") == scope_of(f"{file}::test_b[c/d]") for file in files)
    assert len({scope_of(f"{file}::test_a") for file in files}) == LANES


@pytest.mark.parametrize("folder", ["unit", "browser", "cluster"])
def test_each_of_the_others_goes_to_any_process(folder: str) -> None:
    test = f"tests/{folder}/test_a.py::test_b[tests/install]"
    assert scope_of(test) == test


def test_one_process_has_all_that_belongs_together_while_others_run(pytester: pytest.Pytester) -> None:
    code = "import pytest, time\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): time.sleep(0.1)"
    for name in ("install/test_it", "install/test_that", "cluster/test_it"):
        pytester.makepyfile(**{f"tests/{name}": code})
    options = ("--import-mode=importlib", "-p", "no:cacheprovider", "-p", "tests.spreading", "-n", "3", "-v")
    result = pytester.runpytest_subprocess(*options, "tests")
    result.assert_outcomes(passed=15)
    ran = set(re.findall(r"\[(gw\d)\] .* PASSED tests/(\w+)/", "\n".join(result.outlines)))
    assert len([process for process, folder in ran if folder == "install"]) == 1
    assert len([process for process, folder in ran if folder == "cluster"]) > 1
