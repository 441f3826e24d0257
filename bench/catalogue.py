"""Every measurement, in the order in which they run, with the names it gives values for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bench.findings import Findings
from bench.measure import (
    cached_read,
    disk,
    feed_poll,
    growth,
    http_batch,
    http_single,
    invalidation,
    memory,
    overload,
    relay,
    sql_bulk,
    sql_single,
)
from bench.tools.lab import Lab


class Measurement(NamedTuple):
    """Some names share one, since they compare figures of the same rounds."""

    names: tuple[str, ...]
    measure: Callable[[Lab], Findings]
    only_in_full: bool = False


MEASUREMENTS = (
    Measurement(("post_payment_vs_plain_sql",), sql_single.measure),
    Measurement(
        ("post_payments_vs_plain_bulk", "post_payments_hot_vs_uniform", "post_payments_per_s"),
        sql_bulk.measure,
    ),
    Measurement(
        ("http_vs_sql", "http_hot_vs_uniform", "http_slow_commit_vs_fast"), http_single.measure
    ),
    Measurement(("http_batch_vs_sql_batch",), http_batch.measure),
    Measurement(("overload_accepted_vs_peak",), overload.measure),
    Measurement(("cached_read_vs_bare",), cached_read.measure),
    Measurement(("posting_with_relay_vs_without",), relay.measure),
    Measurement(("invalidation_p99_ms",), invalidation.measure),
    Measurement(("feed_poll_ms_1", "feed_poll_ms_12", "feed_poll_ms_60"), feed_poll.measure),
    Measurement(("bytes_per_payment",), disk.measure),
    Measurement(("rss_mb_100k_accounts",), memory.measure),
    Measurement(("growth_20m_vs_empty",), growth.measure, only_in_full=True),
)


def chosen(only: frozenset[str], *, full: bool) -> tuple[Measurement, ...]:
    """Those that give a wanted value; all of this run when none is named."""
    if only:
        return tuple(m for m in MEASUREMENTS if only & set(m.names))
    return tuple(m for m in MEASUREMENTS if full or not m.only_in_full)
