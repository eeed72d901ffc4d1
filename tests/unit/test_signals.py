"""The first signal stops and cleans up; what it finds a clean-up at is put off, and no second one."""

import signal
import time
from collections.abc import Iterator

import pytest

from parlab.errors import Interrupted
from parlab.host.signals import ECHO_SECONDS, deferred, interruptible, undisturbed


@pytest.fixture(autouse=True)
def _nothing_is_left_to_be_heard() -> Iterator[None]:
    yield
    with interruptible():  # as the next command does; here other tests follow
        pass


def a_run(kept: list[str]) -> None:
    """As every run: a clean-up at its end, then it is kept."""
    with interruptible():
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
        time.sleep(ECHO_SECONDS + 0.1)
        with deferred():
            kept.append("the run")


def test_a_first_signal_in_a_clean_up_is_put_off_until_the_run_is_kept() -> None:
    kept: list[str] = []
    with pytest.raises(Interrupted, match="SIGINT"):
        a_run(kept)
    assert kept == ["the run"]
    with interruptible(), deferred():  # the next command begins anew
        pass


def test_after_one_that_was_put_off_the_next_is_a_first_one() -> None:
    """Not the one that gives a clean-up up: that would end this process."""

    def two() -> None:
        with interruptible():
            with undisturbed():
                signal.raise_signal(signal.SIGINT)
            time.sleep(ECHO_SECONDS + 0.1)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        two()
