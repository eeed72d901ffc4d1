"""The ingredients of a cluster's containers: an image, and a folder of the user's that they can read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from docker.client import DockerClient
from docker.errors import ImageNotFound

from parlab.backend.base import Equipment
from parlab.backend.folder import too_large_to_copy
from parlab.backend.image import (
    INPUTS_LABEL,
    SLURM_LABEL,
    build_image,
    current_image,
    image_name,
    inputs_digest,
    slurm_digest,
    with_packages,
    with_slurm,
)
from parlab.errors import UsageError
from parlab.formatting import Show
from parlab.host.places import COMMAND

LOCAL = re.compile(r"http\+docker://localhost|unix:|http://127\.0\.0\.1")  # a socket, or a port, of this machine


@dataclass(frozen=True)
class Machine:
    """`image` is a name and `image_id` its id; `reads` is the readable folder on the engine's machine, or ''.

    `service` has additions to each node in compose.yaml.

    A node keeps the folder itself, even if its path later leads elsewhere: `mark` distinguishes folders.
    """

    image: str
    image_id: str
    reads: str = ""
    service: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """The folder's mark for the nodes' label."""
        if not self.reads:
            return ""
        found = Path(self.reads).stat()
        return f"{found.st_dev}:{found.st_ino} {self.reads}"


def plain(client: DockerClient) -> Machine:
    """The image of this version, built if it does not exist. Raises ParlabError."""
    return Machine(image_name(), current_image(client) or build_image(client))


HOME = "home"  # a volume: the home of the nodes' user, shared by all nodes, kept until `down`
JOBS = "jobs"  # a volume: the output of Slurm's jobs comes through a folder of all nodes (parlab/node/batch.py)
# Slurm's daemons write to /run, and execute batch scripts there.
OF_SLURM = {
    "tmpfs": ["/run:size=64m,uid=1000,gid=1000,mode=0755,exec"],
    "volumes": [f"{JOBS}:/{JOBS}", f"{HOME}:/home/lab"],
}


def slurm(client: DockerClient, show: Show) -> Machine:
    """The image of this version with Slurm on top, built if it does not exist. Raises ParlabError."""
    machine = plain(client)
    image, image_id = with_slurm(client, machine.image, machine.image_id, show)
    return Machine(image, image_id, service=OF_SLURM)


def equipped(
    client: DockerClient, wanted: Equipment, show: Show, base: Callable[[], Machine], service: Mapping[str, Any]
) -> Machine:
    """The machine `base` with a program's extras; missing images are built. Raises UsageError, ParlabError."""
    machine = base() if wanted.image is None else _others(client, wanted.image, service)
    if wanted.packages is not None:
        image, image_id = with_packages(client, machine.image, machine.image_id, wanted.packages, show)
        machine = replace(machine, image=image, image_id=image_id)
    folder = wanted.folder
    if folder is None or not too_large_to_copy(folder):
        return machine
    if not LOCAL.match(client.api.base_url):
        raise UsageError(f"{folder} is too large to be copied, and the engine, on another machine, cannot read it here")
    return replace(machine, reads=str(folder.resolve()))


def _others(client: DockerClient, name: str, service: Mapping[str, Any]) -> Machine:
    """An image that a user has built on ours, for nodes with these additions. Raises UsageError."""
    try:
        image = client.images.get(name)
    except ImageNotFound:
        raise UsageError(f"--image: the engine has no image {name!r}. Build it, or `docker pull` it") from None
    if image.labels.get(INPUTS_LABEL) != inputs_digest():
        is_not = "of another version" if INPUTS_LABEL in image.labels else "not built on parlab's"
        raise UsageError(
            f"--image: {name} is {is_not}: build it FROM {image_name()}, which {COMMAND} image makes ({_HOW})"
        )
    config = image.attrs["Config"]
    if config.get("User") != "lab" or config.get("Entrypoint") != ["node"]:
        raise UsageError(f"--image: {name} has another user or entry point than parlab's: end with USER lab ({_HOW})")
    if service and image.labels.get(SLURM_LABEL) != slurm_digest():
        has = "another version of Slurm's layer" if SLURM_LABEL in image.labels else "no Slurm"
        made = f"build it FROM the image that {COMMAND} image --backend slurm makes"
        raise UsageError(f"--image: {name} has {has}: {made} ({_HOW})")
    if not service and SLURM_LABEL in image.labels:  # its main process needs what only those nodes have
        raise UsageError(f"--image: {name} has Slurm: --backend slurm runs it ({_HOW})")
    return Machine(name, str(image.id), service=service)


_HOW = "docs/own-programs.md"
