"""What the relay and the listener tell, under the names that docs/operations.md explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.metrics.instruments import Family, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.cache.listener import ListenerCounters
    from service.metrics.instruments import Source
    from service.relay.counters import RelayCounters

# All but the first two stand still in a process that does not lead.
RELAY_HELP = {
    "leading": "1 in the one process that is the relay.",
    "take_overs": "Times that a process became the relay.",
    "relay_failures": "Times that a process could not be the relay, or ceased to be.",
    "polls": "Looks at the change feed.",
    "payments_told": "Payments read from the feed and told to all processes.",
    "changes_told": "Changed accounts told.",
    "notices_sent": "Messages sent by NOTIFY.",
    "heartbeats_sent": "Heartbeats among them.",
    "generation_changes": "Times that what is in Redis was given up.",
    "l2_failures": "Writes to Redis that may be missing there.",
    "feed_lag_payments": "Payments that the last look found waiting.",
    "feed_lag_seconds": "Time since the moment up to which everything has been told.",
    "notification_queue_usage": "Part of PostgreSQL's notification queue in use, 0 to 1.",
    "oldest_transaction_seconds": "Age of the oldest transaction that could delay anything.",
    "keys_purged": "Idempotency keys deleted after their retention.",
    "partitions_made": "Partitions made ahead.",
    "chore_failures": "Times that partitions or keys could not be looked after.",
}
RELAY_GAUGES = frozenset(
    {
        "leading",
        "feed_lag_payments",
        "feed_lag_seconds",
        "notification_queue_usage",
        "oldest_transaction_seconds",
    }
)
LISTENER_HELP = {
    "connected": "1 while the process has a connection that listens.",
    "connections": "Connections made to listen.",
    "notices": "Messages heard.",
    "heartbeats": "Heartbeats among them.",
    "changes": "Changed accounts in them.",
    "forged": "Messages without the right signature.",
}
LISTENER_GAUGES = frozenset({"connected"})


def relay_metrics(relay: RelayCounters, listener: ListenerCounters) -> tuple[list[Family], Source]:
    """For Metrics.source."""
    of_relay = {
        name: _family("payledger_relay_", name, RELAY_HELP[name], name in RELAY_GAUGES)
        for name, _ in relay
    }
    of_listener = {
        name: _family("payledger_listener_", name, LISTENER_HELP[name], name in LISTENER_GAUGES)
        for name, _ in listener
    }

    def samples() -> Iterator[Sample]:
        for name, value in relay:
            yield Sample(of_relay[name], (), value)
        for name, value in listener:
            yield Sample(of_listener[name], (), value)

    return [*of_relay.values(), *of_listener.values()], samples


def _family(prefix: str, name: str, help_: str, gauge: bool) -> Family:
    if gauge:
        return Family("gauge", prefix + name, help_)
    return Family("counter", f"{prefix}{name}_total", help_)
