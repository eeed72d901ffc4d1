"""What goes along with a lab."""

from collections.abc import Callable
from pathlib import Path

import pytest

from parlab.course import beside
from parlab.course.beside import copy_beside, files_beside
from parlab.errors import UsageError


@pytest.fixture
def lab(lab_file: Callable[[str], Path]) -> Path:
    """A lab with a module, a package, data, and what is nobody's business."""
    path = lab_file("lab")
    for name in ("helper.py", "package/__init__.py", "data/a/b.csv", ".git/config", "__pycache__/x.pyc", ".secret"):
        (path.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (path.parent / name).write_text(name)
    return path


def names(lab: Path) -> list[str]:
    return [str(file.relative_to(lab.parent)) for file in files_beside(lab)]


def test_modules_and_data_go_along_and_what_is_hidden_does_not(lab: Path) -> None:
    assert names(lab) == ["helper.py", "sample.py", "data/a/b.csv", "package/__init__.py"]


def test_results_do_not_go_along(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "RESULTS", lab.parent / "data")
    assert names(lab) == ["helper.py", "sample.py", "package/__init__.py"]


def test_a_folder_that_leads_back_to_itself_ends(lab: Path) -> None:
    (lab.parent / "data/again").symlink_to(lab.parent)
    assert names(lab) == ["helper.py", "sample.py", "data/a/b.csv", "package/__init__.py"]


@pytest.mark.parametrize(("limit", "value"), [("MOST_FILES", 3), ("MOST_BYTES", 20)])
def test_more_than_a_cluster_takes_is_refused(
    lab: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(beside, limit, value)
    with pytest.raises(UsageError, match="put the lab into a folder of its own"):
        files_beside(lab)


def test_on_this_machine_modules_are_copied_and_all_else_is_linked(
    lab: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("copy")
    copy_beside(lab, folder)
    lab.write_text("edited")
    assert (folder / "sample.py").read_text() == "lab"
    assert (folder / "data/a/b.csv").read_text() == "data/a/b.csv"
    assert (folder / "data").is_symlink()
    assert not (folder / "helper.py").is_symlink()


def test_a_module_that_cannot_be_copied_keeps_nobody_from_the_lab(
    lab: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (lab.parent / "folder.py").mkdir()
    (lab.parent / "gone.py").symlink_to("nowhere")
    folder = tmp_path_factory.mktemp("copy")
    copy_beside(lab, folder)
    assert (folder / "sample.py").read_text() == "lab"
    assert (folder / "folder.py").is_dir()


def test_a_link_that_leads_out_of_the_folder_does_not_go_along(
    lab: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("home") / "key"
    secret.write_text("the instructor's")
    (lab.parent / "key").symlink_to(secret)
    (lab.parent / "again.csv").symlink_to("data/a/b.csv")
    assert names(lab) == ["again.csv", "helper.py", "sample.py", "data/a/b.csv", "package/__init__.py"]
