"""The nodes' image: built when what it is made from has changed."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from docker.client import DockerClient
from docker.errors import APIError, ImageNotFound

from parlab.backend.engine import ENGINE_SH, ComposeFailed, compose
from parlab.backend.packages import LAST_LINES, Packages
from parlab.errors import ParlabError, UsageError
from parlab.formatting import Show
from parlab.host.places import ROOT

IMAGE = "parlab"
LABEL = "parlab.checkout"
INPUTS_LABEL = "parlab.inputs"  # the digest of what it was built from: images that are built on it have it, too
WITH_PACKAGES = "parlab-packages"
OURS = re.compile(r"(parlab|parlab-packages):[0-9a-f]{16}")  # users' own images have other tags, and the same labels
STEP = re.compile(r"^#\d+ \d+\.\d+ (.*)$", re.MULTILINE)  # what a step of a build has written
BUILD_SECONDS = 3600  # some 70 MB of downloads, on bad Wi-Fi
INPUTS = (  # keep with .dockerignore
    "compose.yaml",
    "docker/Dockerfile",
    "docker/node.sh",
    "docker/ssh_config",
    "docker/sshd_config",
    "docker/waiting.c",
    "docker/waiting.h",
    "requirements/node.txt",
)
BUNDLES = ("PARLAB_CA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


def inputs_digest() -> str:
    """A digest of all that the image is made from, the base image's name included."""
    digest = hashlib.sha256(os.environ.get("PARLAB_BASE", "").encode())
    for name in INPUTS:
        digest.update(name.encode() + (ROOT / name).read_bytes())
    return digest.hexdigest()[:16]


def image_name() -> str:
    """The image's name; its tag is the digest, so that two checkouts do not take each other's for their own."""
    return f"{IMAGE}:{inputs_digest()}"


def current_image(client: DockerClient) -> str | None:
    """The id of the image if it is there, else None."""
    try:
        return str(client.images.get(image_name()).id)
    except ImageNotFound:
        return None


def build_image(client: DockerClient) -> str:
    """Build the image, with progress shown, and return its id. Raises ParlabError where the build fails."""
    env = {"PARLAB_IMAGE": image_name(), "PARLAB_CA": _bundle(), "PARLAB_CHECKOUT": checkout()}
    env["PARLAB_INPUTS"] = inputs_digest()
    try:
        compose(IMAGE, "build", "head", deadline=BUILD_SECONDS, shown=True, env=env)
    except ParlabError as error:
        raise ParlabError(
            f"the image could not be built: {error}; its log is above. Behind a TLS proxy set PARLAB_CA to its CA "
            f"bundle; where no registry can be reached, {ENGINE_SH} makes the base image."
        ) from error
    remove_replaced(client)
    return str(client.images.get(image_name()).id)


def _bundle() -> str:
    """The file of the CA bundle that this machine's settings name, or an empty one. Raises UsageError."""
    bundle = next((os.environ[name] for name in BUNDLES if os.environ.get(name)), os.devnull)
    if not Path(bundle).exists():
        raise UsageError(f"the CA bundle {bundle!r}, named by one of {', '.join(BUNDLES)}, is not there")
    return str(Path(bundle).resolve())


def with_packages(client: DockerClient, base: str, base_id: str, packages: Packages, show: Show) -> tuple[str, str]:
    """An image with these packages on `base`, by name and id: built once. Raises ParlabError where that fails."""
    dockerfile = ROOT / "docker" / "packages.Dockerfile"
    name = f"{WITH_PACKAGES}:{packages.key(base_id + dockerfile.read_text())}"
    with suppress(ImageNotFound):
        return name, str(client.images.get(name).id)
    show(f"installing the packages of {packages.source} into an image of the nodes, once")
    with tempfile.TemporaryDirectory(prefix="parlab-packages-") as folder:
        packages.write(Path(folder))
        build = {
            "context": folder,
            "dockerfile": str(dockerfile),
            "args": {"IMAGE": base},
            "secrets": ["ca", "index"],
            "labels": {LABEL: checkout()},
        }
        services = {"packages": {"image": name, "build": build}}
        more = {"services": services, "secrets": {"index": {"environment": "PARLAB_INDEX"}}}
        env = {"PARLAB_CA": _bundle(), "PARLAB_INDEX": os.environ.get("PIP_INDEX_URL", "")}
        try:
            compose(IMAGE, "build", "packages", deadline=BUILD_SECONDS, env=env, more=json.dumps(more))
        except ComposeFailed as error:
            said = STEP.findall(error.output)[-LAST_LINES:] or [str(error)]
            raise ParlabError(
                "\n".join((f"the packages of {packages.source} could not be installed:", *said))
            ) from error
    return name, str(client.images.get(name).id)


def checkout() -> str:
    """What the images of this checkout, or of this installation, are labelled with."""
    return hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]


def remove_replaced(client: DockerClient) -> None:
    """Remove the images that this checkout has made before the current one; those of others are theirs."""
    remove_own(client, IMAGE)


def remove_own(client: DockerClient, repository: str, used: Collection[str] = ()) -> list[str]:
    """Remove what this checkout has made there, but for the current image and those `used`, by id; what is removed."""
    removed = []
    for image in client.images.list(repository, filters={"label": f"{LABEL}={checkout()}"}):
        for tag in image.tags if image.id not in used else ():
            if OURS.fullmatch(tag) and tag != image_name():
                with suppress(APIError):  # a cluster still runs from it
                    client.images.remove(tag)
                    removed.append(tag)
    return removed
