"""A site's file, read once: what a batch system of other people asks of a job.

Every value has a default, so a file says only what differs; docs/sites.md lists them.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from parlab.errors import UsageError
from parlab.model.advice import did_you_mean

Scheduler = Literal["slurm", "pbs", "lsf"]
# These words become a part of a script: none may begin another line of it.
Line = Annotated[str, msgspec.Meta(pattern=r"\A[^\n\r\0]*\Z")]
# Such a value may name variables of the site, as $SCRATCH; nothing in it is run.
Place = Annotated[str, msgspec.Meta(pattern=r"\A[\w./${}-]*\Z")]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z_]\w*\Z")]
Duration = Annotated[str, msgspec.Meta(pattern=r"\A\d{1,3}:[0-5]\d:[0-5]\d\Z")]
LAUNCHERS: Mapping[str, str] = {"slurm": "srun --mpi=pmix --kill-on-bad-exit=1", "pbs": "mpirun", "lsf": "mpirun"}


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A site, as its file describes it. `time` is a job's limit; '' leaves a value to the site, or to our default."""

    name: Line = "site"
    scheduler: Scheduler = "slurm"
    partition: Line = ""  # PBS and LSF call it a queue
    account: Line = ""
    time: Duration = "00:10:00"
    cores: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 2  # per node
    options: tuple[Line, ...] = ()  # more words for the batch system, e.g. --constraint=cpu
    modules: tuple[Line, ...] = ()
    launcher: Line = ""
    python: Line = "python3"
    scratch: Place = ""  # a folder that all nodes share; '': the exported directory itself
    environment: dict[Name, Line] = {}

    @property
    def starts_ranks(self) -> str:
        """The command that starts ranks, without their number."""
        return self.launcher or LAUNCHERS[self.scheduler]


def read_site(path: Path) -> Site:
    """Read a site's file. Raises UsageError, in one line, for what it does not know or cannot take."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--site: {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--site: {path} is no TOML: {error}") from error
    known = Site.__struct_fields__
    for key in document:
        if key not in known:
            told = did_you_mean(key, known).replace("Did", "did", 1) or f"it may have {', '.join(known)}"
            raise UsageError(f"--site: {path} has {key!r}, which no site's file has: {told}")
    try:
        return msgspec.convert({"name": path.stem, **document}, type=Site)
    except msgspec.ValidationError as error:
        what, _, where = str(error).replace("`", "").partition(" - at ")
        told = re.sub(r"^Expected (.*), got (.*)$", r"required \1, found \2", what)
        raise UsageError(f"--site: {path}: {where.removeprefix('$.') or 'the file'}: {told}") from error
