"""The commands that send a program to a real site, and that take its record home."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from parlab.backend.folder import contents, pack, see_that_it_can_be_copied, unpack
from parlab.errors import ParlabError, UsageError
from parlab.host.places import COMMAND, shown
from parlab.model.case import PYTHON
from parlab.results.store import in_id, keep, see_that_it_can_be_written
from parlab.run.job_request import read_job
from parlab.site.description import Site, read_site
from parlab.site.directory import RECORDER, texts
from parlab.site.home import read_home
from parlab.site.script import SYSTEMS, Shipment
from parlab.terminal.tables import make_console, show_run

EXPORT = "export"  # like `run`, its options may be followed by a program and the program's own arguments


def names_a_program(word: str) -> bool:
    """Whether a word of `export` is a program or a lab, not the id of a chart."""
    return word.endswith(".py") or word.startswith("lab.")


def export_program(
    words: Sequence[str],
    *,
    site: str | None,
    mpi: bool,
    nodes: str,
    cores: str | None,
    ranks: str | None,
    folder: str,
    requirements: str | None,
    out: str | None,
) -> None:
    """Write the directory that goes to a site. Raises UsageError, and then has written nothing."""
    if words[0].startswith("lab."):
        raise UsageError(f"{words[0]} is a lab, and a site takes programs so far: {COMMAND} {EXPORT} --mpi PROGRAM.py")
    found = Site() if site is None else read_site(Path(site))
    request = read_job(
        words,
        module=None,
        mpi=mpi,
        futures=False,
        nodes=nodes,
        cores=cores or str(found.cores),
        speed="1",
        memory=None,
        ranks=ranks,
        sweep=None,
        weak=None,
        repeat="1",
        env=(),
        folder=folder,
        out=None,
        timeout="3600",
        no_limits=False,
        spin=False,
        tag=False,
        trace=False,
        image=None,
        requirements=requirements,
        cluster="default",
        backend=None,
        json=None,
        junit=None,
        quiet=False,
    )
    ask = request.asks[0]
    job, spec = ask.job, ask.spec
    if job.launch != PYTHON and not spec.nodes <= job.ranks <= spec.virtual_cores:
        raise UsageError(
            f"--ranks takes {spec.nodes} to {spec.virtual_cores} on {spec.nodes} x {spec.cores} cores, "
            f"not {job.ranks}: a site gives each rank a core, and each node a rank"
        )
    name = in_id(job.name)
    sent = Shipment(name, job.command, job.ranks, spec.nodes)
    own = ask.equipment.packages.files if ask.equipment is not None and ask.equipment.packages is not None else ()
    target = _new_directory(out or f"{name}-site")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".parlab-") as beside:
            new = Path(beside) / "new"
            new.mkdir(mode=0o755)
            _copy(ask.folder, new / "program", Path(beside))
            for file, text in texts(structs.replace(found, cores=spec.cores), sent, job.launch, own):
                path = new / file
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
            new.replace(target)
    except OSError as error:
        raise ParlabError(f"{target} could not be written: {error}") from error
    print(
        f"written: {shown(target)}: edit job.sh, copy the directory to {found.name}, {SYSTEMS[found.scheduler].submit}"
    )
    print(f"then, here: {COMMAND} import record-JOB.json")


def _new_directory(out: str) -> Path:
    """The directory to write; it may exist, if it is empty. Raises UsageError."""
    target = Path(out).absolute()
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UsageError(f"--out takes a new directory, and {shown(target)} is there: remove it, or name another")
    if not target.parent.is_dir():
        raise UsageError(f"--out takes a new directory in a folder that is there, not {out!r}")
    return target


def _copy(folder: Path, target: Path, beside: Path) -> None:
    """Copy the program's folder, without what nodes do not get either, and without exported directories in it."""
    try:
        found = contents(folder)
    except OSError as error:
        raise UsageError(f"cannot read the folder: {error}") from error
    exported = {path.parent for path in found.files if path.name == RECORDER} | {beside}
    kept = tuple(path for path in found.files if not exported & {path, *path.parents})
    found = replace(found, files=kept)
    see_that_it_can_be_copied(found)
    target.mkdir()
    with pack(found) as data:
        complaints = unpack(data, target)
    if complaints:
        raise ParlabError(f"the folder could not be copied: {complaints[0]}")
    for path in (*found.out_of_it, *found.unreadable):
        print(
            f"{path.relative_to(folder)} is not in it: it leads out of the folder, or cannot be read", file=sys.stderr
        )


def import_record(name: str) -> None:
    """Take a site's record into results/, and show it. Raises UsageError for a file that is none."""
    see_that_it_can_be_written()
    run = read_home(Path(name))
    kept = keep(run)
    show_run(make_console(), run)
    print(f"kept as {shown(kept)}; {COMMAND} compare sets it beside a run of this machine")
