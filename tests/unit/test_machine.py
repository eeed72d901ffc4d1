"""The machine on a page: each fact that is known, in words that a reader knows."""

import pytest

from parlab.report.machine import facts

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("git", COMMIT, "0123456789ab"),
        ("git", f"{COMMIT}-dirty", "0123456789ab-dirty"),
        ("image", f"sha256:{COMMIT}", "0123456789ab"),
        ("image", "parlab-nodes:latest", "parlab-nodes:latest"),
        ("lab_file", "0123456789ab", "0123456789ab"),
        ("gil", True, "yes"),
        ("cpu", COMMIT, COMMIT),
    ],
)
def test_only_the_digits_of_a_digest_are_cut(name: str, value: object, words: str) -> None:
    ((_, found),) = facts({name: value})
    assert found == words


def test_what_is_not_known_is_left_out() -> None:
    assert list(facts({"git": None, "cpus": 2})) == [("CPUs", "2")]
