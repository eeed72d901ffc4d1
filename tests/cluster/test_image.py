"""The nodes' image: what a checkout removes when it has built a new one."""

import io
from collections.abc import Iterator
from contextlib import suppress

import pytest
from docker.client import DockerClient
from docker.errors import ImageNotFound

from parlab.backend.cluster import Cluster
from parlab.backend.image import IMAGE, LABEL, checkout, image_name, remove_replaced

OWN, OTHERS, USERS = f"{IMAGE}:{0:016x}", f"{IMAGE}:{1:016x}", f"{IMAGE}:of-a-user"


@pytest.fixture
def images(four: Cluster) -> Iterator[DockerClient]:
    """The engine, with an older image of this checkout's, one of another's, and a user's own that is built on it."""
    images = four.client.images
    for tag, whose in ((OWN, checkout()), (OTHERS, "another"), (USERS, checkout())):
        text = f"FROM {image_name()}\nLABEL {LABEL}={whose}\nENV TAG={tag}\n"
        images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True)
    yield four.client
    for tag in (OWN, OTHERS, USERS):
        with suppress(ImageNotFound):
            images.remove(tag)


def test_only_what_this_checkout_made_and_has_replaced_is_removed(four: Cluster, images: DockerClient) -> None:
    remove_replaced(images)
    left = {tag for image in images.images.list(IMAGE) for tag in image.tags}
    assert OWN not in left
    assert left >= {OTHERS, USERS, image_name()}


def test_the_built_image_says_whose_it_is(four: Cluster) -> None:
    assert four.client.images.get(image_name()).labels[LABEL]
