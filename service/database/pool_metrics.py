"""How busy the connection pools are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.metrics.instruments import Family, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import asyncpg

    from service.metrics.instruments import Source

CONNECTIONS = Family(
    "gauge", "payledger_pool_connections", "Connections of the pool.", ("pool", "state")
)


def pool_metrics(
    pools: Mapping[str, asyncpg.Pool[asyncpg.Record]],
) -> tuple[tuple[Family, ...], Source]:
    """For Metrics.source."""

    def samples() -> Iterator[Sample]:
        for name, pool in pools.items():
            idle = pool.get_idle_size()
            yield Sample(CONNECTIONS, (name, "idle"), idle)
            yield Sample(CONNECTIONS, (name, "busy"), pool.get_size() - idle)

    return (CONNECTIONS,), samples
