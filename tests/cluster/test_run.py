"""`run` on the cluster: the folder is that of all nodes, and what is new in it comes back."""

import json
import os
from pathlib import Path

import pytest

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME, strays
from tests.own_programs import start

CODE = """
import os, pathlib, sys
from mpi4py import MPI
comm = MPI.COMM_WORLD
name = f"out ä {comm.rank}.txt"
pathlib.Path(name).write_text(f"{pathlib.Path('in/größe.txt').read_text()} {comm.rank}")
comm.Barrier()
found = sorted(path.name for path in pathlib.Path('.').glob('out ä*'))
print(comm.rank, found == ["out ä 0.txt", "out ä 1.txt"], flush=True)
pathlib.Path("tool").write_text("#!/bin/sh\\necho made here\\n")
os.chmod("tool", 0o755)
if comm.rank == 0:
    with open("in/größe.txt", "a") as file:
        file.write(" and more")
    os.system("./tool")
    for secret in ("/etc/shadow", "outside/secret", "/root"):
        print(secret, os.access(secret, os.R_OK), flush=True)
comm.Barrier()  # the first rank that fails ends the others
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("code", [0, 3])
def test_files_go_there_and_come_back_after_a_failure_too(code: int, cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(2, print, at_least=True)
    folder, outside = tmp_path / "a folder", tmp_path / "outside"
    (folder / "in").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("x")
    (folder / "in/größe.txt").write_text("42")
    (folder / "own.py").write_text(CODE)
    (folder / "outside").symlink_to(outside)
    done = start(folder, "run", "--cluster", NAME, "--mpi", "--nodes", "2", "--ranks", "2", "own.py", str(code))
    said = done.stdout.decode()
    assert done.returncode == code, done.stderr.decode()
    assert {"0 True", "1 True", "made here", "outside/secret False", "/etc/shadow False"} <= set(said.splitlines())
    assert (folder / "out ä 1.txt").read_text() == "42 1"
    assert (folder / "in/größe.txt").read_text() == "42 and more"
    assert os.access(folder / "tool", os.X_OK)
    assert (folder / "out ä 0.txt").stat().st_uid == os.getuid()
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert "outside leads out of the folder" in done.stderr.decode()
    assert strays(cluster) == {}


def test_out_is_another_folder_for_what_is_new(cluster: Cluster, tmp_path: Path) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (folder / "own.py").write_text("open('new', 'w').write('x')")
    done = start(folder, "run", "--cluster", NAME, "--out", str(out), "own.py")
    assert done.returncode == 0, done.stderr.decode()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in folder.iterdir()] == ["own.py"]


def test_ten_thousand_files_are_there_and_ten_thousand_new_ones_come_back(cluster: Cluster, tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number}.txt").write_text(str(number))
    code = """
import glob, pathlib
names = glob.glob("*.txt")
print(len(names), sum(int(pathlib.Path(name).read_text()) for name in names))
for number in range(10_000):
    pathlib.Path(f"{number}.new").write_text(str(number))
"""
    (tmp_path / "own.py").write_text(code)
    done = start(tmp_path, "run", "--cluster", NAME, "own.py")
    assert done.stdout == b"10000 49995000\n", done.stderr.decode()[-500:]
    assert [(tmp_path / f"{number}.new").read_text() for number in range(10_000)] == [*map(str, range(10_000))]


ODD = [
    b"a blank",
    b" a blank ahead",
    b"a blank behind ",
    "größer".encode(),
    "u\u0308 in two".encode(),
    "\U0001f600".encode(),
    b"new\nline",
    b"tab\there",
    b"-dash",
    b"--option=x",
    b"not \xff UTF-8 \xfe",
    b"\x1b[31mescape",
    b"quote'\"",
    b"star*?[",
    b"back\\slash",
    b"~",
    b"..dots",
    b"x" * 255,
    b"of \xff/a folder\n/-f",
]
READS_ODD = """
import os
here = [os.path.join(folder, name)[2:] for folder, _, names in os.walk(b".") for name in names if name != b"own.py"]
assert all(open(name, "rb").read() == name for name in here if not os.path.islink(name))
print(len(here), os.readlink(b"link \\xff"), os.path.lexists(b"out \\xff"), os.listdir(b"empty \\xff"), flush=True)
for name in here:
    with open(os.path.join(b"new \\xff", name.replace(b"/", b"_")), "wb") as file:
        file.write(name)
"""


def test_names_are_whatever_they_are(cluster: Cluster, tmp_path: Path) -> None:
    top = os.fsencode(tmp_path) + b"/-a\n\xff"
    for name in ODD:
        path = Path(os.fsdecode(top + b"/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name)
    folder = Path(os.fsdecode(top))
    for name in (b"empty \xff", b"new \xff"):
        (folder / os.fsdecode(name)).mkdir()
    (folder / os.fsdecode(b"link \xff")).symlink_to("größer")
    (folder / os.fsdecode(b"out \xff")).symlink_to("/etc/passwd")
    (folder / "own.py").write_text(READS_ODD)
    done = start(folder, "run", "--cluster", NAME, "own.py")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == f"{len(ODD) + 1} {'größer'.encode()!r} False []\n".encode()
    assert "out \\udcff leads out of the folder" in done.stderr.decode()
    new = folder / os.fsdecode(b"new \xff")
    assert sorted(path.read_bytes() for path in new.iterdir()) == sorted([*ODD, b"link \xff"])


def test_a_folder_that_may_not_be_written_to_is_gone_in_the_next_run(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import os; os.mkdir('d'); open('d/f', 'w').close(); os.chmod('d', 0o555)")
    (tmp_path / "look.py").write_text("import os; print(sorted(os.listdir()))")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, name in ((first, "own.py"), (second, "look.py")):
        folder.mkdir()
        (folder / name).write_text((tmp_path / name).read_text())
    for folder, name, said in ((first, "own.py", b""), (second, "look.py", b"['look.py']\n")):
        done = start(folder, "run", "--cluster", NAME, name)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == said
    assert (first / "d/f").exists()


def test_memory_is_what_each_node_has_for_this_run(cluster: Cluster, tmp_path: Path) -> None:
    cluster.up(2, print, at_least=True)
    (tmp_path / "wants.py").write_text("import sys; from mpi4py import MPI; print(len(b'x' * int(sys.argv[1])))")
    options = ["run", "--cluster", NAME, "--mpi", "--nodes", "2", "--ranks", "2", "--timeout", "60"]
    done = start(tmp_path, *options, "--memory", "128m", "wants.py", "300_000_000")
    assert done.returncode == 137, done.stderr.decode()
    assert "the node's memory ran out" in done.stderr.decode()
    assert " MB of 134.2 MB" in done.stderr.decode()
    done = start(tmp_path, *options, "wants.py", "300_000_000")
    assert done.stdout == b"300000000\n" * 2, done.stderr.decode()


FUTURES = """
import time
from mpi4py.futures import MPIPoolExecutor
def nap(n): time.sleep(0.05)
if __name__ == "__main__":
    with MPIPoolExecutor() as executor: print(len(list(executor.map(nap, range(24)))))
"""


def test_the_tasks_of_all_nodes_are_joined_with_who_handed_them_out(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FUTURES)
    options = ["--cluster", NAME, "--trace", "--futures", "--nodes", "2", "--json", "record.json"]
    done = start(tmp_path, "run", *options, "own.py")
    said = done.stderr.decode()
    assert done.stdout == b"24\n", said
    assert "parlab: tasks       24 on 4 workers: " in said
    _, tasks = json.loads((tmp_path / "record.json").read_text())["cases"]
    (repeat,) = tasks["repeats"]
    assert set(repeat["by_node"]) == {"node-1", "node-2"}
    assert all(span["submitted"] < span["started"] < span["finished"] < span["received"] for span in repeat["spans"])
    assert repeat["nodes"]["node-1"]["readings"]
