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
        print(secret, os.access(secret, os.R_OK))
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


def test_ten_thousand_files_and_a_long_line(cluster: Cluster, tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number}.txt").write_text(str(number))
    code = "import glob, sys\nprint(len(glob.glob('*.txt')))\nprint('x' * 1_000_000)\n"
    (tmp_path / "own.py").write_text(code)
    done = start(tmp_path, "run", "--cluster", NAME, "own.py")
    assert done.stdout == b"10000\n" + b"x" * 1_000_000 + b"\n", done.stderr.decode()[-500:]


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
    assert "; a node has 134.2 MB" in done.stderr.decode()
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
