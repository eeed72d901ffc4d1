"""The ingredients of a cluster's containers: an image, and a folder of the user's that they can read."""

import re
from dataclasses import dataclass
from pathlib import Path

from docker.client import DockerClient
from docker.errors import ImageNotFound

from parlab.backend.base import Equipment
from parlab.backend.folder import too_large_to_copy
from parlab.backend.image import INPUTS_LABEL, build_image, current_image, image_name, inputs_digest, with_packages
from parlab.errors import UsageError
from parlab.formatting import Show
from parlab.host.places import COMMAND

LOCAL = re.compile(r"http\+docker://localhost|unix:|http://127\.0\.0\.1")  # a socket, or a port, of this machine


@dataclass(frozen=True)
class Machine:
    """`image` is a name and `image_id` its id; `reads` is the readable folder on the engine's machine, or ''.

    A node keeps the folder itself, even if its path later leads elsewhere: `mark` distinguishes folders.
    """

    image: str
    image_id: str
    reads: str = ""

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


def equipped(client: DockerClient, wanted: Equipment, show: Show) -> Machine:
    """The machine with a program's extras; missing images are built. Raises UsageError, ParlabError."""
    machine = plain(client) if wanted.image is None else _others(client, wanted.image)
    image, image_id = machine.image, machine.image_id
    if wanted.packages is not None:
        image, image_id = with_packages(client, image, image_id, wanted.packages, show)
    folder = wanted.folder
    if folder is None or not too_large_to_copy(folder):
        return Machine(image, image_id)
    if not LOCAL.match(client.api.base_url):
        raise UsageError(f"{folder} is too large to be copied, and the engine, on another machine, cannot read it here")
    return Machine(image, image_id, str(folder.resolve()))


def _others(client: DockerClient, name: str) -> Machine:
    """An image that a user has built on ours. Raises UsageError."""
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
    return Machine(name, str(image.id))


_HOW = "docs/own-programs.md"
