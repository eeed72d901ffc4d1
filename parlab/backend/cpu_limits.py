"""The CPU limits of a cluster's containers: set through the engine, and read back from it."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from docker.client import DockerClient
from docker.errors import APIError

from parlab.backend.compose import Container
from parlab.backend.engine import on_each
from parlab.errors import LimitError, RunError
from parlab.formatting import decimal
from parlab.host.places import COMMAND
from parlab.model.node import Node
from parlab.model.spec import HEAD_CPUS, PERIOD_US, quota_us
from parlab.thresholds import LIMIT_EXACT


def set_limits(client: DockerClient, nodes: Sequence[Container], cpus: Fraction | None) -> None:
    """Limit each node to `cpus` host CPUs and the head to its own limit, or lift all limits (None). Raises RunError."""

    def update(node: Container) -> None:
        limit = HEAD_CPUS if node.is_head else cpus
        quota = -1 if cpus is None or limit is None else quota_us(limit)
        try:
            client.api.update_container(node.id, cpu_period=PERIOD_US, cpu_quota=quota)
        except APIError as error:
            raise RunError(f"{node.name}: the engine did not set its limit: {error.explanation}") from error

    on_each(nodes, update)


def limits_of(client: DockerClient, nodes: Sequence[Container]) -> dict[str, float | None]:
    """Each node's limit as the engine reports it, in host CPUs, by the node's name; None is no limit."""

    def read(node: Container) -> float | None:
        config = client.api.inspect_container(node.id)["HostConfig"]
        if config["NanoCpus"]:
            return float(config["NanoCpus"]) / 1e9
        return float(config["CpuQuota"]) / (config["CpuPeriod"] or PERIOD_US) if config["CpuQuota"] > 0 else None

    return dict(zip((node.name for node in nodes), on_each(nodes, read), strict=True))


def check_limits(found_limits: Mapping[str, float | None], nodes: Sequence[Node]) -> None:
    """Raise LimitError when the engine's limits differ from those of these nodes."""
    for node in nodes:
        found, wanted = found_limits.get(node.name), float(node.limit or 0)
        if found is None or abs(found - wanted) > LIMIT_EXACT:
            got = "no limit" if found is None else f"{decimal(found)} CPU"
            raise LimitError(
                f"{node.name}: the engine reports {got}, not {decimal(wanted)} CPU: something else changes "
                f"limits, or this engine ignores them. {COMMAND} status shows the limits. Run {COMMAND} down, "
                "then run again."
            )
