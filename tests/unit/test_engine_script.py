"""docker/engine.sh where the daemon does not come up: what it says. That it works is shown by .ci/bare."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "docker/engine.sh"
NO_SERVER = "case $1 in version) echo 'no server answers' >&2; exit 1;; esac"  # what plugins there are do answer
COMMANDS = {
    "id": "echo 0",
    "docker": NO_SERVER,
    "dockerd": "echo 'a reason'; exit 1",
    "setsid": 'exec "$@"',
    "journalctl": 'echo "$*: a reason"',
    "systemctl": "exit 1",
}

pytestmark = pytest.mark.skipif(not Path("/etc/os-release").exists(), reason="the script is for Debian and Ubuntu")


def said(folder: Path, **commands: str) -> str:
    """What the script says, with these commands in the place of the machine's."""
    folder.joinpath("bin").mkdir()
    for name, code in {**COMMANDS, **commands}.items():
        file = folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{code}\n")
        file.chmod(0o755)
    script = folder / "engine.sh"
    text = SCRIPT.read_text().replace("/run/systemd", f"{folder}/systemd").replace("/run/docker", f"{folder}/docker")
    script.write_text(text)
    env = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "PARLAB_ENGINE_LOG": str(folder / "log")}
    done = subprocess.run(["sh", script], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_a_daemon_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    assert said(tmp_path) == f"engine: the daemon ended; the end of {tmp_path}/log: a reason\n"


def test_a_daemon_that_runs_and_does_not_answer_is_not_said_to_have_ended(tmp_path: Path) -> None:
    later = f"echo x >>{tmp_path}/calls; expr 61 '*' $(wc -l <{tmp_path}/calls)"  # a minute passes at each look
    text = said(tmp_path, dockerd="exec sleep 5", date=later)
    assert text.startswith("engine: the daemon runs, but 'docker version' has shown no server in 60 s")
    assert "the client says: no server answers" in text
    assert "ended" not in text


def test_under_systemd_the_journal_is_named_and_no_log_file(tmp_path: Path) -> None:
    tmp_path.joinpath("systemd/system").mkdir(parents=True)
    text = said(tmp_path)
    assert text.startswith("engine: systemd could not start docker.service; for the reason see journalctl -u docker")
    assert "--unit docker --lines 5" in text
    assert f"{tmp_path}/log" not in text
