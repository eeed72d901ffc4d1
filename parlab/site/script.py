"""The batch script for a site's program: one body for all batch systems, and for each its own head."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Template

from parlab.site.description import Site


@dataclass(frozen=True)
class Shipment:
    """A program that goes to a site: the words behind `python`, and the size that its job asks for."""

    name: str
    command: tuple[str, ...]
    ranks: int
    nodes: int

    @property
    def per_node(self) -> int:
        """Ranks on each node; the last one may have fewer."""
        return -(-self.ranks // self.nodes)


@dataclass(frozen=True)
class System:
    """A batch system: its mark, its variables for the folder of submission and for the job, and how it is asked."""

    mark: str
    folder: str
    job: str
    submit: str
    tested: bool
    asks: Callable[[Site, Shipment], Sequence[str]]


def _slurm(site: Site, sent: Shipment) -> list[str]:
    return [
        f"--job-name={sent.name}",
        f"--nodes={sent.nodes}",
        f"--ntasks={sent.ranks}",
        f"--ntasks-per-node={sent.per_node}",
        f"--time={site.time}",
        f"--output={sent.name}-%j.out",
        *_given("--partition=", site.partition),
        *_given("--account=", site.account),
    ]


def _pbs(site: Site, sent: Shipment) -> list[str]:
    return [
        f"-N {sent.name[:15]}",
        f"-l select={sent.nodes}:ncpus={site.cores}:mpiprocs={sent.per_node}",
        f"-l walltime={site.time}",
        "-j oe",
        *_given("-q ", site.partition),
        *_given("-A ", site.account),
    ]


def _lsf(site: Site, sent: Shipment) -> list[str]:
    hours, minutes, _ = site.time.split(":")
    return [
        f"-J {sent.name}",
        f"-n {sent.ranks}",
        f'-R "span[ptile={sent.per_node}]"',
        f"-W {int(hours)}:{max(int(minutes), 0 if int(hours) else 1):02d}",
        f"-o {sent.name}-%J.out",
        *_given("-q ", site.partition),
        *_given("-P ", site.account),
    ]


def _given(option: str, value: str) -> list[str]:
    return [f"{option}{value}"] if value else []


SYSTEMS: Mapping[str, System] = {
    "slurm": System("#SBATCH", "SLURM_SUBMIT_DIR", "SLURM_JOB_ID", "sbatch job.sh", tested=True, asks=_slurm),
    "pbs": System("#PBS", "PBS_O_WORKDIR", "PBS_JOBID", "qsub job.sh", tested=False, asks=_pbs),
    "lsf": System("#BSUB", "LS_SUBCWD", "LSB_JOBID", "bsub < job.sh", tested=False, asks=_lsf),
}
UNTESTED = "# UNTESTED: this script was checked by a shell, but no such batch system has run it yet.\n"

BODY = Template(
    """#!/bin/bash
$head
$untested
# ---- EDIT: what this site needs. The lines above ask for nodes; README.txt explains all of it. ----
$modules
$environment
launcher=$launcher  # starts the ranks; -n and their number follow it
python=$python  # with mpi4py; venv/bin/python is taken if setup.sh has made it
container=""  # e.g. program.sif, made from program.def: then Python and mpi4py are those in it
scratch="$scratch"  # a folder that all nodes see; empty: this one
# ---- Nothing below needs a change. ----

here=$${$folder:-$$PWD}
cd "$$here" || exit 1
job=$${$job:-$$$$}
job=$${job%%.*}
[ ! -x "$$here/venv/bin/python" ] || python=$$here/venv/bin/python
inside=
if [ -n "$$container" ]; then
    inside="apptainer exec --bind $$here $$here/$$container" python=python3
fi
work=$$here/program
if [ -n "$$scratch" ]; then
    work=$$scratch/$name-$$job
    mkdir -p "$$work" && cp -R "$$here/program/." "$$work" || exit 1
    echo "the program's new files are in $$work"
fi
parts=$$here/parts-$$job
mkdir "$$parts" && cd "$$work" || exit 1

began=$$(date +%s.%N)
$$launcher -n $ranks $$inside "$$python" "$$here/parlab_rank.py" "$$parts" $command
code=$$?
$$inside "$$python" "$$here/parlab_rank.py" --collect "$$parts" "$$here/record-$$job.json" "$$began" "$$code" || exit
rm -r "$$parts"
echo "exit code $$code; at home: parlab import record-$$job.json"
exit "$$code"
"""
)


def job_script(site: Site, sent: Shipment) -> str:
    """The batch script, in the words of the site's batch system."""
    system = SYSTEMS[site.scheduler]
    asked = [*system.asks(site, sent), *site.options]
    return BODY.substitute(
        head="\n".join(f"{system.mark} {words}" for words in asked),
        untested="" if system.tested else UNTESTED,
        modules="\n".join(f"module load {shlex.quote(name)} || exit 1" for name in site.modules)
        or "# module load python openmpi",
        environment="\n".join(f"export {name}={shlex.quote(value)}" for name, value in site.environment.items())
        or "# export NAME=value",
        launcher=shlex.quote(site.starts_ranks),
        python=shlex.quote(site.python),
        scratch=site.scratch,
        folder=system.folder,
        job=system.job,
        name=sent.name,
        ranks=sent.ranks,
        command=shlex.join(sent.command),
    )
