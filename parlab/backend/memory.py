"""A node's memory: the default (compose.yaml), or another amount for one run."""

import os
from collections.abc import Sequence

from docker.client import DockerClient
from docker.errors import APIError
from docker.utils import parse_bytes

from parlab.backend.compose import Container
from parlab.backend.engine import on_each
from parlab.errors import RunError
from parlab.formatting import size

DEFAULT = "1g"  # in compose.yaml, too


def default_memory() -> int:
    """The bytes of memory that a node has unless a run asks for another amount."""
    return int(parse_bytes(os.environ.get("PARLAB_MEMORY", DEFAULT)))


def set_memory(client: DockerClient, nodes: Sequence[Container], wanted: int | None) -> None:
    """Give each node `wanted` bytes, and no swap; None is the default. Raises RunError."""
    limit = default_memory() if wanted is None else wanted

    def update(node: Container) -> None:
        if client.api.inspect_container(node.id)["HostConfig"]["Memory"] == limit:
            return
        try:
            client.api.update_container(node.id, mem_limit=limit, memswap_limit=limit)
        except APIError as error:
            raise RunError(f"{node.name}: its memory was not set to {size(limit)}: {error.explanation}") from error

    on_each(nodes, update)
