"""What a cluster's containers are made from: an image, and a folder of the user's that they can read."""

from dataclasses import dataclass

from docker.client import DockerClient
from docker.errors import ImageNotFound

from parlab.backend.base import Equipment
from parlab.backend.folder import too_large_to_copy
from parlab.backend.image import INPUTS_LABEL, build_image, current_image, image_name, inputs_digest, with_packages
from parlab.errors import UsageError
from parlab.formatting import Show
from parlab.host.places import COMMAND


@dataclass(frozen=True)
class Machine:
    """`image` is a name and `image_id` what it stands for; `reads` is the folder on the engine's machine, or ''."""

    image: str
    image_id: str
    reads: str = ""


def plain(client: DockerClient) -> Machine:
    """The image of this version, built where it is not there. Raises ParlabError."""
    return Machine(image_name(), current_image(client) or build_image(client))


def equipped(client: DockerClient, wanted: Equipment, show: Show) -> Machine:
    """What a program asks for; images are built where they are not there. Raises UsageError, ParlabError."""
    machine = plain(client) if wanted.image is None else _others(client, wanted.image)
    image, image_id = machine.image, machine.image_id
    if wanted.packages is not None:
        image, image_id = with_packages(client, image, image_id, wanted.packages, show)
    folder = wanted.folder
    return Machine(image, image_id, str(folder.resolve()) if folder and too_large_to_copy(folder) else "")


def _others(client: DockerClient, name: str) -> Machine:
    """An image that a user has built on ours. Raises UsageError."""
    try:
        image = client.images.get(name)
    except ImageNotFound:
        raise UsageError(f"--image: the engine has no image {name!r}: build it, or `docker pull` it") from None
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
