"""The nodes' image: rebuilt when its inputs have changed."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from docker.client import DockerClient
from docker.errors import APIError, ImageNotFound

from parlab.backend.engine import ENGINE_SH, ComposeFailed, compose
from parlab.backend.packages import LAST_LINES, Packages
from parlab.errors import ParlabError, UsageError
from parlab.formatting import Show
from parlab.host.places import ROOT

IMAGE = "parlab"
LABEL = "parlab.checkout"
INPUTS_LABEL = "parlab.inputs"  # the digest of its inputs: images built on it have this label, too
WITH_PACKAGES = "parlab-packages"
WITH_SLURM = "parlab-slurm"
SLURM_LABEL = "parlab.slurm"  # the digest of that layer's inputs
# Users' own images have the same labels, but other tags.
OURS = re.compile(r"(parlab|parlab-packages|parlab-slurm):[0-9a-f]{16}")
STEP = re.compile(r"^#\d+ \d+\.\d+ (.*)$", re.MULTILINE)  # an output line of a build step
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
OF_SLURM = ("slurm.Dockerfile", "slurm.conf", "slurm.sh", "slurm-sized.sh", "slurm-epilog.sh")  # in docker/
NONE: Mapping[str, str] = MappingProxyType({})
BUNDLES = ("PARLAB_CA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


def inputs_digest() -> str:
    """A digest of all inputs of the image, including the base image's name."""
    return _digest(INPUTS, os.environ.get("PARLAB_BASE", ""))


def _digest(names: Iterable[str], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for name in names:
        digest.update(name.encode() + (ROOT / name).read_bytes())
    return digest.hexdigest()[:16]


def image_name() -> str:
    """The image's name; its tag is the digest, so that two checkouts do not use each other's image."""
    return f"{IMAGE}:{inputs_digest()}"


def current_image(client: DockerClient) -> str | None:
    """The id of the image if it exists, else None."""
    try:
        return str(client.images.get(image_name()).id)
    except ImageNotFound:
        return None


def build_image(client: DockerClient) -> str:
    """Build the image, showing progress, and return its id. Raises ParlabError if the build fails."""
    env = {"PARLAB_IMAGE": image_name(), "PARLAB_CA": _bundle(), "PARLAB_CHECKOUT": checkout()}
    env["PARLAB_INPUTS"] = inputs_digest()
    try:
        compose(IMAGE, "build", "head", deadline=BUILD_SECONDS, shown=True, env=env)
    except ParlabError as error:
        raise ParlabError(
            f"cannot build the image: {error}. Its log is above. Behind a TLS proxy set PARLAB_CA to its CA "
            f"bundle; if no registry is reachable, {ENGINE_SH} makes the base image."
        ) from error
    remove_replaced(client)
    return str(client.images.get(image_name()).id)


def _bundle() -> str:
    """The file of the CA bundle from this machine's settings, or an empty file. Raises UsageError."""
    bundle = next((os.environ[name] for name in BUNDLES if os.environ.get(name)), os.devnull)
    if not Path(bundle).exists():
        raise UsageError(f"no CA bundle {bundle!r}; one of {', '.join(BUNDLES)} names it")
    return str(Path(bundle).resolve())


def slurm_image(base_id: str) -> str:
    """The name of the image with Slurm on the image with this id."""
    return f"{WITH_SLURM}:{hashlib.sha256((base_id + slurm_digest()).encode()).hexdigest()[:16]}"


def slurm_digest() -> str:
    """A digest of the inputs of the layer with Slurm."""
    return _digest(f"docker/{name}" for name in OF_SLURM)


def with_slurm(client: DockerClient, base: str, base_id: str, show: Show) -> tuple[str, str]:
    """The name and id of an image with Slurm on `base`, built once. Raises ParlabError if that fails."""
    name = slurm_image(base_id)
    with suppress(ImageNotFound):
        return name, str(client.images.get(name).id)
    show("installing Slurm into an image of the nodes, once")
    labels, what = {SLURM_LABEL: slurm_digest()}, "Slurm into an image of the nodes"
    image_id = _build_on(client, name, "slurm.Dockerfile", ROOT / "docker", base, what, labels=labels)
    remove_own(client, WITH_SLURM, (image_id,))
    return name, image_id


def _build_on(
    client: DockerClient,
    name: str,
    dockerfile: str,
    folder: Path,
    base: str,
    what: str,
    *,
    secrets: Mapping[str, str] = NONE,
    labels: Mapping[str, str] = NONE,
) -> str:
    """Build an image on `base` with a file of docker/ and return its id; secrets are named after their variables.

    Raises ParlabError, with the last lines of the build, if it cannot install that.
    """
    build = {
        "context": str(folder),
        "dockerfile": str(ROOT / "docker" / dockerfile),
        "args": {"IMAGE": base},
        "secrets": ["ca", *secrets],
        "labels": {LABEL: checkout(), **labels},
    }
    services = {"more": {"image": name, "build": build}}
    more = {"services": services, "secrets": {secret: {"environment": of} for secret, of in secrets.items()}}
    env = {"PARLAB_CA": _bundle(), "PARLAB_INDEX": os.environ.get("PIP_INDEX_URL", "")}
    try:
        compose(IMAGE, "build", "more", deadline=BUILD_SECONDS, env=env, more=json.dumps(more))
    except ComposeFailed as error:
        said = STEP.findall(error.output)[-LAST_LINES:] or [str(error)]
        raise ParlabError("\n".join((f"cannot install {what}:", *said))) from error
    return str(client.images.get(name).id)


def with_packages(client: DockerClient, base: str, base_id: str, packages: Packages, show: Show) -> tuple[str, str]:
    """The name and id of an image with these packages on `base`, built once. Raises ParlabError if that fails."""
    dockerfile = ROOT / "docker" / "packages.Dockerfile"
    name = f"{WITH_PACKAGES}:{packages.key(base_id + dockerfile.read_text())}"
    with suppress(ImageNotFound):
        return name, str(client.images.get(name).id)
    show(f"installing the packages of {packages.source} into an image of the nodes, once")
    with tempfile.TemporaryDirectory(prefix="parlab-packages-") as folder:
        packages.write(Path(folder))
        index, what = {"index": "PARLAB_INDEX"}, f"the packages of {packages.source}"
        image_id = _build_on(client, name, dockerfile.name, Path(folder), base, what, secrets=index)
    return name, image_id


def checkout() -> str:
    """A label for the images of this checkout, or of this installation."""
    return hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]


def remove_replaced(client: DockerClient) -> None:
    """Remove older images of this checkout, except the current one; images of other checkouts stay."""
    remove_own(client, IMAGE)


def remove_own(client: DockerClient, repository: str, used: Collection[str] = ()) -> list[str]:
    """Remove this checkout's images there, except the current one and the ids in `used`; return the removed ones."""
    removed = []
    for image in client.images.list(repository, filters={"label": f"{LABEL}={checkout()}"}):
        for tag in image.tags if image.id not in used else ():
            if OURS.fullmatch(tag) and tag != image_name():
                with suppress(APIError):  # a cluster still runs from it
                    client.images.remove(tag)
                    removed.append(tag)
    return removed
