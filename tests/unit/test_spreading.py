"""Which tests may run beside each other."""

import re

import pytest

from tests.spreading import scope_of


@pytest.mark.parametrize("folder", ["embedded", "install"])
def test_those_that_look_at_this_machine_go_to_one_process(folder: str) -> None:
    assert scope_of(f"tests/{folder}/test_a.py::test_b[c/d]") == scope_of(f"tests/{folder}/test_e.py::test_f")


def test_a_file_with_a_cluster_of_its_own_is_not_taken_apart() -> None:
    assert scope_of("tests/cluster/test_slurm.py::test_a") == scope_of("tests/cluster/test_slurm.py::test_b[c]")


@pytest.mark.parametrize("folder", ["unit", "browser", "cluster"])
def test_each_of_the_others_goes_to_any_process(folder: str) -> None:
    test = f"tests/{folder}/test_a.py::test_b[tests/embedded]"
    assert scope_of(test) == test


def test_one_process_has_all_that_look_at_this_machine_while_others_run(pytester: pytest.Pytester) -> None:
    code = "import pytest, time\n@pytest.mark.parametrize('n', range(5))\ndef test_it(n): time.sleep(0.1)"
    pytester.makepyfile(**{f"tests/{folder}/test_it": code for folder in ("embedded", "install", "cluster")})
    options = ("--import-mode=importlib", "-p", "no:cacheprovider", "-p", "tests.spreading", "-n", "3", "-v")
    result = pytester.runpytest_subprocess(*options, "tests")
    result.assert_outcomes(passed=15)
    ran = set(re.findall(r"\[(gw\d)\] .* PASSED tests/(\w+)/", "\n".join(result.outlines)))
    processes = {folder: {process for process, where in ran if where == folder} for _, folder in ran}
    assert processes["embedded"] == processes["install"]
    assert len(processes["embedded"]) == 1
    assert len(processes["cluster"]) > 1
