"""A lab that hangs on this machine is ended by its deadline, and it is told what it was at; who asks only looks."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ROOT, slow, within
from tests.embedded.test_embedded import ranks
from tests.stuck import DEFAULT, NAP, QUICK, STUCK, run, started, why


@pytest.mark.parametrize("name", [name if name in DEFAULT else slow(name) for name in STUCK if name != "out of memory"])
def test_a_lab_that_hangs_is_ended_and_explained_and_the_next_one_runs(name: str, tmp_path: Path) -> None:
    code, said = run(STUCK[name].write(tmp_path), "embedded", "default", "5")
    assert code == 4, said
    STUCK[name].see(said)
    assert re.search(r"^(It was ended\.|In it only .*) .*--timeout SECONDS", said, re.MULTILINE)
    assert "\nThe details are in " in said
    assert ranks() == []
    code, said = run(QUICK.write(tmp_path), "embedded", "default", "60")
    assert code == 0, said


def test_a_running_lab_is_asked_from_its_terminal_and_from_another_one(tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with started(NAP.write(tmp_path), "embedded", "default", "60", **state) as process:
        within(20, lambda: len(ranks(state["XDG_STATE_HOME"])) == 3 or process.poll() is not None)
        asked = why("default", **state)
        process.send_signal(signal.SIGQUIT)
        _, said = process.communicate(timeout=PATIENCE * 60)
    assert asked.returncode == 0, asked.stderr + said
    assert asked.stdout.startswith("rank 0 on simulated-1 is asleep in stuck.py:"), asked.stdout + said
    assert "2 children of rank 0 on simulated-1" in asked.stdout
    assert "time.sleep(4))" in asked.stdout.splitlines()[1]
    assert said.startswith("rank 0 on simulated-1 is asleep in stuck.py:"), said
    assert process.returncode == 0, "who asks only looks"


@pytest.mark.parametrize("timeout", ["0", "x", "-3", "1e3", "", "99999999"])
def test_a_timeout_that_is_none_is_refused_in_a_line(timeout: str) -> None:
    words = [sys.executable, "-m", "parlab", "lab.mpi", f"--timeout={timeout}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == f"usage: --timeout takes seconds from 1 to 604800, or 5m, or 2h, not {timeout!r}\n"
