"""A program's folder: packed as it is, and what comes back is written nowhere else."""

import io
import os
import sys
import tarfile
from pathlib import Path

import pytest

from parlab.backend.folder import contents, large_files, pack, packed, see_that_it_can_be_copied, unpack
from parlab.errors import UsageError


def names(folder: Path) -> list[str]:
    with pack(contents(folder)) as data, tarfile.open(fileobj=data) as archive:
        return archive.getnames()


def archive_of(*members: tuple[str, bytes | None, str]) -> io.BytesIO:
    """Of names with their data or, in its place, a link's target."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data, target in members:
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.linkname = tarfile.SYMTYPE, target
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    packed.seek(0)
    return packed


def test_all_files_go_along_but_those_of_git_caches_and_environments(tmp_path: Path) -> None:
    for name in (
        "a b.txt",
        "Größe.csv",
        "sub/deep/c.bin",
        ".git/config",
        "__pycache__/a.pyc",
        "env/pyvenv.cfg",
        "env/x",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "empty").mkdir()
    assert set(names(tmp_path)) == {"Größe.csv", "a b.txt", "empty", "sub", "sub/deep", "sub/deep/c.bin"}


def test_links_within_the_folder_stay_links_and_those_out_of_it_are_named(tmp_path: Path) -> None:
    folder, secret = tmp_path / "folder", tmp_path / "secret"
    folder.mkdir()
    secret.write_text("not for the nodes")
    (folder / "data.txt").write_text("x")
    (folder / "inside").symlink_to("data.txt")
    (folder / "outside").symlink_to(secret)
    (folder / "upward").symlink_to("..")
    found = contents(folder)
    assert [path.name for path in found.out_of_it] == ["outside", "upward"]
    assert set(names(folder)) == {"data.txt", "inside"}
    with pack(found) as data:
        assert b"not for the nodes" not in data.read()


def test_two_names_of_one_file_are_two_files_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("the same")
    os.link(tmp_path / "a", tmp_path / "b")
    with pack(contents(tmp_path)) as data, tarfile.open(fileobj=data) as archive:
        read = [archive.extractfile(name) for name in ("a", "b")]
        assert [file.read() for file in read if file is not None] == [b"the same", b"the same"]


def test_what_comes_back_is_written_with_its_folders(tmp_path: Path) -> None:
    assert unpack(archive_of(("out.txt", b"new", ""), ("sub/deep.txt", b"deep", "")), tmp_path) == []
    assert (tmp_path / "out.txt").read_bytes() == b"new"
    assert (tmp_path / "sub/deep.txt").read_bytes() == b"deep"
    assert (tmp_path / "out.txt").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    "members",
    [
        [("../escaped", b"x", "")],
        [("way", None, ".."), ("way/escaped", b"x", "")],
        [("way", None, "/"), ("way/tmp/parlab-escaped", b"x", "")],
    ],
)
def test_nothing_is_written_outside_of_the_folder(members: list[tuple[str, bytes | None, str]], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    complaints = unpack(archive_of(*members, ("good", b"y", "")), folder)
    assert complaints
    assert all("was not brought back" in line for line in complaints)
    assert not (tmp_path / "escaped").exists()
    assert not Path("/tmp/parlab-escaped").exists()
    assert (folder / "good").read_bytes() == b"y"


def test_a_link_of_the_users_that_leads_out_is_not_written_through(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "file").write_text("old")
    (folder / "link").symlink_to(outside)
    (folder / "file").symlink_to(outside / "file")
    complaints = unpack(archive_of(("link/new", b"x", ""), ("file", b"x", "")), folder)
    assert len(complaints) == 1
    assert not (outside / "new").exists()
    assert (outside / "file").read_text() == "old"
    assert (folder / "file").read_text() == "x"


def test_pipes_are_left_out_and_odd_names_go_along(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    odd = os.fsdecode(b"latin-\xe4.txt")
    (tmp_path / odd).write_text("x")
    assert names(tmp_path) == [odd]


def test_a_folder_that_is_too_large_is_refused_with_its_size(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2_000_000_000)
    with pytest.raises(UsageError, match=r"1 file of 2000\.0 MB; at most"):
        see_that_it_can_be_copied(contents(tmp_path))


def large(path: Path, mode: int = 0o644) -> Path:
    with path.open("wb") as file:
        file.truncate(600_000_000)
    path.chmod(mode)
    return path


def test_where_nodes_read_a_folder_in_place_its_large_files_are_links(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    large(tmp_path / "größe 1")
    (tmp_path / "small").write_text("x")
    (tmp_path / "link").symlink_to("größe 1")
    with packed(tmp_path, print, mounted=True) as data, tarfile.open(fileobj=data) as archive:
        found = {member.name: (member.linkname, member.size) for member in archive}
        assert data.seek(0, io.SEEK_END) < 20_000
    assert found == {"größe 1": ("/input/größe 1", 0), "small": ("", 1), "link": ("größe 1", 0)}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the engine reads as this user does")
@pytest.mark.parametrize(("file", "folder", "readable"), [(0o644, 0o755, 1), (0o640, 0o755, 0), (0o644, 0o750, 0)])
def test_a_large_file_that_nodes_may_not_read_is_copied_or_refused(
    tmp_path: Path, file: int, folder: int, readable: int
) -> None:
    (tmp_path / "sub").mkdir()
    tmp_path.chmod(0o755)
    large(tmp_path / "sub" / "data", file)
    (tmp_path / "sub").chmod(folder)
    if (tmp_path / "sub").stat().st_uid == 1000:
        pytest.skip("the nodes' user has the number of this one")
    found = contents(tmp_path)
    assert len(large_files(found)) == readable
    if not readable:
        with pytest.raises(UsageError, match="sub/data is large; others need read permission to read it in place"):
            packed(tmp_path, print, mounted=True)


def test_neither_git_nor_an_environment_is_changed_from_there(tmp_path: Path) -> None:
    for name in (".git/config", "env/pyvenv.cfg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("the user's")
    members = [(name, b"x", "") for name in (".git/config", ".git/hooks/run", "env/pyvenv.cfg", "sub/.git/x")]
    assert len(unpack(archive_of(*members), tmp_path)) == len(members)
    assert (tmp_path / ".git/config").read_text() == (tmp_path / "env/pyvenv.cfg").read_text() == "the user's"
    assert not (tmp_path / ".git/hooks").exists()


def test_a_second_name_a_pipe_and_a_link_elsewhere_are_not_written_through(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "backup").write_text("old")
    (outside / "latest").symlink_to("backup")
    os.link(outside / "backup", folder / "file")
    os.mkfifo(folder / "log")
    (folder / "data").symlink_to(outside)
    complaints = unpack(archive_of(("file", b"new", ""), ("log", b"new", ""), ("data/latest", b"new", "")), folder)
    assert len(complaints) == 1
    assert (outside / "backup").read_text() == "old"
    assert (outside / "latest").is_symlink()
    assert (folder / "file").read_bytes() == (folder / "log").read_bytes() == b"new"


def test_links_in_a_circle_go_along_and_absolute_ones_lead_to_the_same_file_there(tmp_path: Path) -> None:
    there = tmp_path / "there"
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    there.mkdir()
    (folder / "file").write_text("x")
    (folder / "deep/link").symlink_to(folder / "file")
    (folder / "circle").symlink_to("elcric")
    (folder / "elcric").symlink_to("circle")
    with pack(contents(folder)) as data:
        assert unpack(data, there) == []
    assert str((there / "deep/link").readlink()) == "../file"
    assert (there / "deep/link").read_text() == "x"
    assert str((there / "circle").readlink()) == "elcric"


def test_what_stands_in_a_files_place_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    whole = archive_of(("first", b"new", ""), ("data", b"y" * 100_000, "")).getvalue()
    (tmp_path / "first").write_text("old")
    (tmp_path / "data").write_text("the user's")
    (line,) = unpack(io.BytesIO(whole[:50_000]), tmp_path)
    assert "not brought back" in line
    assert (tmp_path / "first").read_text() == "new"
    assert (tmp_path / "data").read_text() == "the user's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "first"]


@pytest.mark.parametrize("kind", ["link away", "link to the root", "pipe"])
def test_what_cannot_come_back_does_not_take_the_users_file_with_it(tmp_path: Path, kind: str) -> None:
    (tmp_path / "data").write_text("the user's")
    packed = archive_of(("data", None, "../../x" if kind == "link away" else "/x"))
    if kind == "pipe":
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            member = tarfile.TarInfo("data")
            member.type = tarfile.FIFOTYPE
            archive.addfile(member)
        packed.seek(0)
    (line,) = unpack(packed, tmp_path)
    assert line.startswith("data was not brought back")
    assert (tmp_path / "data").read_text() == "the user's"


def test_a_link_of_the_users_is_not_written_through_though_it_leads_to_the_folder(tmp_path: Path) -> None:
    for name in ("v1", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "v1/x").write_text("the user's")
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "g").symlink_to(".git")
    complaints = unpack(archive_of(("data/x", b"new", ""), ("g/hook", b"new", "")), tmp_path)
    assert complaints == [
        "data/x was not brought back: data is a link here, and a folder there",
        "g/hook was not brought back: g is a link here, and a folder there",
    ]
    assert (tmp_path / "v1/x").read_text() == "the user's"
    assert not (tmp_path / ".git/hook").exists()
