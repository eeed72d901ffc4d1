"""The nodes' image: built when what it is made from has changed."""

import hashlib
import os

from docker.client import DockerClient
from docker.errors import ImageNotFound

from parlab.backend.engine import compose
from parlab.environment import ROOT
from parlab.errors import ParlabError

IMAGE = "parlab"
BUILD_SECONDS = 3600  # some 70 MB of downloads, on bad Wi-Fi
LABEL = "parlab.inputs"
INPUTS = (  # keep with .dockerignore
    "compose.yaml",
    "docker/Dockerfile",
    "docker/node.sh",
    "docker/ssh_config",
    "docker/sshd_config",
    "requirements/node.txt",
)
BUNDLES = ("PARLAB_CA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


def inputs_digest() -> str:
    """A digest of all that the image is made from, the base image's name included."""
    digest = hashlib.sha256(os.environ.get("PARLAB_BASE", "").encode())
    for name in INPUTS:
        digest.update(name.encode() + (ROOT / name).read_bytes())
    return digest.hexdigest()[:16]


def current_image(client: DockerClient) -> str | None:
    """The id of the image if it is there and up to date, else None."""
    try:
        image = client.images.get(IMAGE)
    except ImageNotFound:
        return None
    return str(image.id) if image.labels.get(LABEL) == inputs_digest() else None


def build_image(client: DockerClient) -> str:
    """Build the image, with progress shown, and return its id. Raises ParlabError where the build fails."""
    bundle = next((os.environ[name] for name in BUNDLES if os.environ.get(name)), "/dev/null")
    try:
        compose(
            "parlab",
            "build",
            "head",
            deadline=BUILD_SECONDS,
            shown=True,
            env={"PARLAB_INPUTS": inputs_digest(), "PARLAB_CA": bundle},
        )
    except ParlabError as error:
        raise ParlabError(
            f"the image could not be built: {error}; its log is above. Behind a TLS proxy set PARLAB_CA to its CA "
            "bundle; where no registry can be reached, docker/engine.sh makes the base image."
        ) from error
    return str(client.images.get(IMAGE).id)
