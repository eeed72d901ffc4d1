"""Removes unused leftovers of clusters: images of this checkout, and volumes and networks of clusters."""

import re
from collections.abc import Iterator
from contextlib import suppress

from docker.client import DockerClient
from docker.errors import APIError, ImageNotFound
from filelock import FileLock, Timeout

from parlab.backend.image import IMAGE, WITH_PACKAGES, WITH_SLURM, current_image, remove_own, slurm_image
from parlab.backend.machine import JOBS
from parlab.host.cluster_lock import lock_path

PROJECT = "com.docker.compose.project"
OF_A_CLUSTER = ("cluster", "work", JOBS)  # compose.yaml's volumes, and its network; a Slurm cluster's volume
CLUSTER = re.compile(r"parlab(-.+)?")  # the Compose project of a cluster


def prune(client: DockerClient) -> list[str]:
    """Remove unused leftovers and name each. Things that a command is using stay, and so does the current image."""
    return [*unused_images(client), *_of_clusters(client)]


def unused_images(client: DockerClient) -> list[str]:
    """Remove images with packages, and of older versions, that no container uses; name each."""
    used = {container["ImageID"] for container in client.api.containers(all=True)}
    if current := current_image(client):
        with suppress(ImageNotFound):
            used.add(str(client.images.get(slurm_image(current)).id))
    repositories = (WITH_PACKAGES, WITH_SLURM, IMAGE)
    return [f"image {tag}" for repository in repositories for tag in remove_own(client, repository, used)]


def _of_clusters(client: DockerClient) -> Iterator[str]:
    """Remove volumes and networks of clusters without containers; name each."""
    filters = {"dangling": True, "label": PROJECT}
    volumes = [("volume", thing, thing.attrs.get("Labels") or {}) for thing in client.volumes.list(filters=filters)]
    networks = [("network", thing, thing.attrs.get("Labels") or {}) for thing in client.networks.list(filters=filters)]
    for kind, thing, labels in (*volumes, *networks):
        project = labels.get(PROJECT, "")
        own = labels.get("com.docker.compose.volume" if kind == "volume" else "com.docker.compose.network")
        if not CLUSTER.fullmatch(project) or own not in OF_A_CLUSTER or thing.name != f"{project}_{own}":
            continue
        with suppress(APIError, Timeout), FileLock(lock_path(project), timeout=0):  # a cluster may be coming up now
            thing.remove()
            yield f"{kind} {thing.name}"
