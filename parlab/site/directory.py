"""The texts of an exported directory, by file name: the batch script, the lock, the container, what to edit."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from parlab.host.places import ROOT
from parlab.site import rank
from parlab.site.description import Site
from parlab.site.script import SYSTEMS, Shipment, job_script

RECORDER = "parlab_rank.py"
OF_PARLAB = ("msgspec", "openmpi")  # of the nodes' lock: parlab's own, and the MPI that a site has itself
SETUP = """#!/bin/sh
# Run once, where the network is (a login node): Python's packages, by their hashes. Load the modules of job.sh first,
# so that mpi4py is built with the site's own MPI.
set -eu
cd "$(dirname "$0")"
${1:-python3} -m venv venv
venv/bin/python -m pip install --require-hashes --no-binary mpi4py -r requirements.txt
"""
OWN = "venv/bin/python -m pip install -r own/requirements.txt\n"
DEFINITION = """Bootstrap: docker
From: debian:trixie-slim

# UNTESTED: no Apptainer has built this yet. `apptainer build program.sif program.def`, then set `container` in job.sh.
# The container's Open MPI has to fit the launcher of the site: `srun --mpi=pmix`, or an mpirun of Open MPI 5.

%files
    requirements.txt /opt/requirements.txt
OWN_FILES
%post
    apt-get update
    apt-get install --yes --no-install-recommends python3-venv python3-dev gcc libc6-dev libopenmpi-dev openmpi-bin
    rm -rf /var/lib/apt/lists/*
    python3 -m venv /opt/venv
    /opt/venv/bin/python -m pip install --require-hashes --no-binary mpi4py -r /opt/requirements.txt
OWN_POST
%environment
    export PATH=/opt/venv/bin:$PATH
"""
README = """{name}: {ranks} ranks on {nodes} nodes, for {site}

EDIT  job.sh: its first lines ask for nodes and time; its block EDIT has modules, variables, launcher, Python, scratch.
1     copy this directory to the site, into a folder that all its nodes see
2     sh setup.sh              once, for Python's packages; not needed if `python` of job.sh has mpi4py
3     {submit}
4     copy record-JOB.json home: parlab import record-JOB.json, then parlab compare 1 2

program/          the program's folder
requirements.txt  packages by version and hash; the MPI is the site's own
program.def       the same packages as an Apptainer container, untested
parlab_rank.py    notes when and where each rank ran, and how it ended: nothing else of parlab goes to the site
export.json       what was exported; a part of the record
"""


def texts(site: Site, sent: Shipment, launch: str, own: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each file's name and text, without the program's folder. `own` are the program's own requirements files."""
    own = list(own)
    known = {
        "name": sent.name,
        "command": list(sent.command),
        "launch": launch,
        "ranks": sent.ranks,
        "nodes": sent.nodes,
        "site": site.name,
    }
    yield "job.sh", job_script(site, sent)
    yield "setup.sh", SETUP + (OWN if own else "")
    yield "requirements.txt", lock()
    yield from ((f"own/{name}", text) for name, text in own)
    files = "    own /opt/own\n" if own else ""
    post = "    /opt/venv/bin/python -m pip install -r /opt/own/requirements.txt\n" if own else ""
    yield "program.def", DEFINITION.replace("OWN_FILES\n", files).replace("OWN_POST\n", post)
    yield RECORDER, Path(rank.__file__).read_text(encoding="utf-8")
    yield rank.EXPORT, json.dumps(known, indent=1) + "\n"
    submit = SYSTEMS[site.scheduler].submit
    yield (
        "README.txt",
        README.format(name=sent.name, ranks=sent.ranks, nodes=sent.nodes, site=site.name, submit=f"{submit:<24}"),
    )


def lock() -> str:
    """The nodes' lock with its hashes, without the packages that a site does not need."""
    text = (ROOT / "requirements" / "node.txt").read_text(encoding="utf-8")
    packages = re.split(r"^(?=[A-Za-z])", text, flags=re.MULTILINE)
    return "".join(one for one in packages if not one.startswith(tuple(f"{name}==" for name in OF_PARLAB)))
