"""What a command makes of a run: what it tells, and its exit code."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parlab.commands import labs
from parlab.results.record import Run
from parlab.run.request import Output, Request
from tests.unit.samples import failed_run


def test_a_run_that_broke_off_is_told_beside_a_file_that_could_not_be_written(
    lab_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def broken(*_: object, **__: object) -> Run:
        out.rmdir()
        return failed_run()

    monkeypatch.setattr(labs, "run_lab", broken)
    monkeypatch.setattr(labs, "open_backend", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        labs.run_and_show(lab_file("lab = 1"), Request(), Output(json=out / "r.json"))
    said = capsys.readouterr().err
    assert ended.value.code == 4
    assert "node-2 is gone" in said
    assert "r.json could not be written" in said
