"""How busy the connection pools are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.metrics.instruments import Family, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.database.bounded import BoundedPool
    from service.metrics.instruments import Source

CONNECTIONS = Family(
    "gauge", "payledger_pool_connections", "Connections of the pool.", ("pool", "state")
)


def pool_metrics(
    pools: Mapping[str, BoundedPool],
) -> tuple[tuple[Family, ...], Source]:
    """For Metrics.source."""

    def samples() -> Iterator[Sample]:
        for name, pool in pools.items():
            yield Sample(CONNECTIONS, (name, "idle"), pool.idle)
            yield Sample(CONNECTIONS, (name, "busy"), pool.busy)
            yield Sample(CONNECTIONS, (name, "abandoned"), pool.abandoned)

    return (CONNECTIONS,), samples
