"""`run --detach` on the cluster: jobs have it one after another."""

from pathlib import Path

from parlab.backend.cluster import Cluster
from tests.cluster.conftest import NAME, strays
from tests.conftest import within
from tests.detaching import user_in

SLEEPS = "import time\nopen('new', 'w').write('x')\nprint('written', flush=True)\ntime.sleep(1000)\n"


def test_a_job_waits_for_the_one_before_it_and_a_cancelled_one_brings_its_files_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.up(1, print, at_least=True)
    with user_in(tmp_path, "--cluster", NAME) as user:
        (user.folder / "sleeps.py").write_text(SLEEPS)
        (user.folder / "own.py").write_text("import os; print(os.path.exists('new'))")
        first = user.detaches("sleeps.py")
        second, third = user.detaches("own.py"), user.detaches("own.py")
        within(30, lambda: user.types("logs", first).stdout == "written\n")
        within(20, lambda: "is in use by job 1: waiting up to 24 h" in user.types("logs", second).stderr)
        assert user.sees() == {first: "running", second: "waiting", third: "waiting"}
        done = user.types("cancel", third)
        assert (done.returncode, done.stdout) == (0, "job 3 is cancelled\n"), done.stderr
        assert user.sees() == {first: "running", second: "waiting", third: "cancelled"}
        done = user.types("cancel", first)
        assert (done.returncode, done.stdout) == (0, "job 1 is cancelled\n"), done.stderr
        assert (user.folder / "new").read_text() == "x"
        followed = user.types("logs", second, "--follow")
        assert (followed.returncode, followed.stdout) == (0, "True\n"), followed.stderr
        assert user.sees() == {first: "cancelled", second: "done", third: "cancelled"}
    assert strays(cluster) == {}
