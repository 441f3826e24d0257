"""The names that bench/results/latest.json has, with what each has to reach."""

from __future__ import annotations

from typing import NamedTuple


class Goal(NamedTuple):
    """A limit, if there is one; printed beside the value and never asserted."""

    unit: str
    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool | None:
        """None: there is nothing to reach."""
        if self.least is not None:
            return value >= self.least
        if self.most is not None:
            return value <= self.most
        return None

    def __str__(self) -> str:
        if self.least is not None:
            return f">= {self.least:g}"
        return f"<= {self.most:g}" if self.most is not None else ""


GOALS = {
    "post_payment_vs_plain_sql": Goal("ratio", least=0.85),
    "post_payments_vs_plain_bulk": Goal("ratio", least=0.7),
    "post_payments_hot_vs_uniform": Goal("ratio", least=0.8),
    "post_payments_per_s": Goal("payments/s"),
    "http_vs_sql": Goal("ratio", least=1.2),
    "http_hot_vs_uniform": Goal("ratio", least=0.9),
    "http_slow_commit_vs_fast": Goal("ratio", least=0.8),
    "http_batch_vs_sql_batch": Goal("ratio", least=0.7),
    "cached_read_vs_bare": Goal("ratio", least=0.8),
    "posting_with_relay_vs_without": Goal("ratio", least=0.95),
    "overload_accepted_vs_peak": Goal("ratio", least=0.9),
    "growth_20m_vs_empty": Goal("ratio", least=0.9),
    "bytes_per_payment": Goal("bytes", most=700),
    "rss_mb_100k_accounts": Goal("MB", most=200),
    "invalidation_p99_ms": Goal("ms", most=20),
    "feed_poll_ms_1": Goal("ms"),
    "feed_poll_ms_12": Goal("ms"),
    "feed_poll_ms_60": Goal("ms"),
}
