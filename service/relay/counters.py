"""What the relay counts: plain numbers, for whoever shows them."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class RelayCounters:
    """Of one process, since it began. All but `relay_failures` stand still while another leads."""

    leading: int = 0  # 1: this process is the relay
    take_overs: int = 0
    relay_failures: int = 0  # a connection was lost, or the database refused

    polls: int = 0
    payments_told: int = 0
    changes_told: int = 0
    notices_sent: int = 0
    heartbeats_sent: int = 0
    generation_changes: int = 0  # with a take-over, and when L2 has missed something
    l2_failures: int = 0

    feed_lag_payments: int = 0  # what the last poll found waiting, all its pages together
    notification_queue_usage: float = 0.0  # 0 to 1; at 1 nothing can be told
    oldest_transaction_seconds: float = 0.0

    keys_purged: int = 0
    partitions_made: int = 0
    chore_failures: int = 0

    told_up_to: float | None = None  # monotonic; see feed_lag_seconds

    @property
    def feed_lag_seconds(self) -> float:
        """Since the last moment that is completely told; 0 while another process leads."""
        if not self.leading or self.told_up_to is None:
            return 0.0
        return max(0.0, time.monotonic() - self.told_up_to)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Every number by name."""
        for field in fields(self):
            if field.name != "told_up_to":
                yield field.name, getattr(self, field.name)
        yield "feed_lag_seconds", self.feed_lag_seconds
