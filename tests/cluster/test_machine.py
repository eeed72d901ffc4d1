"""What a program asks for in its nodes: its folder read in place, packages, an image of the user's."""

import io
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from parlab.backend.cluster import Cluster
from parlab.backend.image import WITH_PACKAGES, image_name
from parlab.backend.prune import unused_images
from tests.cluster.conftest import NAME
from tests.own_programs import start

LARGE = 2_000_000_000
IN_PLACE = f"""
import errno, os
from mpi4py import MPI
rank, barrier = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.Barrier
with open("größe $HOME.bin", "rb") as file:
    file.seek(-4, os.SEEK_END)
    print(rank, os.path.getsize("größe $HOME.bin") == {LARGE}, file.read())
barrier()
if rank == 1:
    with open("middle", "r+b") as file:
        file.write(b"new")
    with open("replaced", "w") as file:
        file.write("all of it")
    os.rename("moved", "elsewhere")
barrier()
with open("together", "r+b") as file:
    file.seek(rank)
    file.write(b"%d" % rank)
barrier()
print(rank, open("together", "rb").read(2))
print(rank, open("middle", "rb").read(6), open("replaced").read(), os.path.getsize("elsewhere"))
for place in ("/input/middle", "/input/made"):
    try:
        open(place, "ab").close()
    except OSError as error:
        print(rank, "refused", error.errno in (errno.EROFS, errno.EACCES))
"""


def make(path: Path, end: bytes, bytes_: int = 2_000_000) -> None:
    with path.open("wb") as file:
        file.truncate(bytes_ - len(end))
        file.seek(0, os.SEEK_END)
        file.write(end)
    path.chmod(0o644)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder which the nodes' user may look into."""
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    found = tmp_path / "a folder"
    found.mkdir(mode=0o755)
    return found


def test_a_folder_too_large_to_copy_is_read_in_place_and_stays_as_it_was_but_for_what_changed(
    cluster: Cluster, folder: Path
) -> None:
    cluster.up(2, print, at_least=True)
    make(folder / "größe $HOME.bin", b"last", LARGE)
    for name in ("middle", "replaced", "moved", "together"):
        make(folder / name, b"end")
    (folder / "own.py").write_text(IN_PLACE)
    before = (folder / "größe $HOME.bin").stat()
    words = ("run", "--cluster", NAME, "--mpi", "--nodes", "2", "--ranks", "2", "own.py")
    done = start(folder, *words)
    assert done.returncode == 0, done.stderr.decode()
    assert f"nodes are recreated: they read {folder} in place" in done.stderr.decode()
    assert set(done.stdout.decode().splitlines()) == {
        line
        for rank in (0, 1)
        for line in (
            f"{rank} True b'last'",
            f"{rank} b'new\\x00\\x00\\x00' all of it 2000000",
            f"{rank} refused True",
            f"{rank} b'01'",
        )
    }
    assert (folder / "größe $HOME.bin").stat().st_mtime_ns == before.st_mtime_ns
    assert (folder / "middle").stat().st_size == 2_000_000
    assert (folder / "middle").read_bytes()[:3] == b"new"
    assert (folder / "replaced").read_text() == "all of it"
    assert (folder / "elsewhere").stat().st_size == (folder / "moved").stat().st_size == 2_000_000
    assert not (folder / "elsewhere").is_symlink()
    assert {path.name for path in folder.iterdir()} == {
        *("größe $HOME.bin", "middle", "replaced", "moved", "elsewhere", "together", "own.py")
    }
    nodes = [node.id for node in cluster.containers()]
    again = start(folder, *words)
    assert again.returncode == 0, again.stderr.decode()
    assert "recreated" not in again.stderr.decode()
    assert [node.id for node in cluster.containers()] == nodes


def test_the_next_program_does_not_see_that_folder(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    make(folder / "secret", b"secret", LARGE)
    (folder / "own.py").write_text("import os; print(os.listdir('/input'))")
    first = start(folder, "run", "--cluster", NAME, "own.py")
    assert "secret" in first.stdout.decode(), first.stderr.decode()
    other = tmp_path / "other"
    other.mkdir()
    (other / "own.py").write_text("import os; print(os.path.exists('/input/secret'))")
    second = start(other, "run", "--cluster", NAME, "own.py")
    assert second.stdout.decode() == "False\n", second.stderr.decode()
    assert "nodes are recreated" in second.stderr.decode()


OWN_IMAGE = "parlab-test-own-image"


@pytest.fixture
def own_image(four: Cluster) -> Iterator[str]:
    """An image built on ours, with a file and a program of the system's."""
    text = f"FROM {image_name()}\nUSER root\nRUN echo from the image >/etc/own\nUSER lab\n"
    four.client.images.build(fileobj=io.BytesIO(text.encode()), tag=OWN_IMAGE, rm=True)
    yield OWN_IMAGE
    four.up(4, print)  # off that image
    with suppress(ImageNotFound):
        four.client.images.remove(OWN_IMAGE)


def test_nodes_are_made_of_an_image_of_the_users_and_the_next_lab_has_ours(
    four: Cluster, own_image: str, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text("print(open('/etc/own').read())")
    done = start(tmp_path, "run", "--cluster", NAME, "--image", own_image, "own.py")
    assert done.stdout.decode().strip() == "from the image", done.stderr.decode()
    plain = start(tmp_path, "run", "--cluster", NAME, "own.py")
    assert plain.returncode == 1
    assert "FileNotFoundError" in plain.stderr.decode()


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("FROM scratch\nLABEL x=y\n", "is not built on parlab's"),
        (f"FROM {image_name()}\nUSER root\n", "end with USER lab"),
    ],
)
def test_an_image_that_is_not_built_on_ours_is_refused(four: Cluster, tmp_path: Path, last: str, said: str) -> None:
    (tmp_path / "own.py").write_text("print(1)")
    four.client.images.build(fileobj=io.BytesIO(last.encode()), tag=f"{OWN_IMAGE}-bad", rm=True)
    before = [node.id for node in four.containers()]
    try:
        done = start(tmp_path, "run", "--cluster", NAME, "--image", f"{OWN_IMAGE}-bad", "own.py")
    finally:
        four.client.images.remove(f"{OWN_IMAGE}-bad")
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert said in line
    assert [node.id for node in four.containers()] == before


def test_an_image_that_is_not_there_is_one_line(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("print(1)")
    done = start(tmp_path, "run", "--cluster", NAME, "--image", "no-such-image:9", "own.py")
    assert done.returncode == 2
    assert done.stderr.decode().strip() == (
        "usage: --image: the engine has no image 'no-such-image:9'. Build it, or `docker pull` it"
    )


PACKAGES = """# /// script
# dependencies = ["tqdm"]
# ///
import multiprocessing
import tqdm

def version(_):
    import tqdm
    return tqdm.__version__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(set(pool.map(version, range(4))))
"""


def test_packages_are_installed_once_and_the_old_ones_are_pruned(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PACKAGES)
    (tmp_path / "wanted.txt").write_text(f"tqdm==4.66.6  # {tmp_path} {time.time()}\n")  # a list of no earlier run
    words = ("run", "--cluster", NAME, "--requirements", "wanted.txt", "own.py")
    first = start(tmp_path, *words, seconds=600)
    assert first.stdout.decode() == "{'4.66.6'}\n", first.stderr.decode()
    assert "installing the packages of wanted.txt and" in first.stderr.decode()
    again = start(tmp_path, *words, seconds=600)
    assert again.stdout.decode() == "{'4.66.6'}\n", again.stderr.decode()
    assert "installing" not in again.stderr.decode()
    (image,) = {node.image for node in cluster.containers()}
    tags = cluster.client.images.get(image).tags
    assert [tag.split(":")[0] for tag in tags] == [WITH_PACKAGES]
    assert f"image {tags[0]}" not in unused_images(cluster.client), "a cluster is made of it"
    cluster.up(1, print)
    assert f"image {tags[0]}" in unused_images(cluster.client)


def test_packages_that_do_not_exist_are_pips_to_tell_and_nothing_has_changed(four: Cluster, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("print(1)")
    (tmp_path / "wanted.txt").write_text("no-such-package-of-anybody==99\n")
    before = [node.id for node in four.containers()]
    done = start(tmp_path, "run", "--cluster", NAME, "--requirements", "wanted.txt", "own.py", seconds=600)
    said = done.stderr.decode()
    assert done.returncode == 125, said
    assert "cannot install the packages of wanted.txt:" in said
    assert "no-such-package-of-anybody==99" in said
    assert [node.id for node in four.containers()] == before
