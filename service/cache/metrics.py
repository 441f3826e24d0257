"""What the cache tells: its plain numbers, under the names that docs/operations.md explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.metrics.instruments import Family, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.cache.answers import AnswerCache
    from service.cache.balances import BalanceCache
    from service.cache.counters import Counters
    from service.cache.l2 import L2
    from service.cache.trust import Trust
    from service.metrics.instruments import Source

_PREFIX = "payledger_cache_"

READS = Family(
    "counter",
    f"{_PREFIX}reads_total",
    "Balances by the layer that answered; unknown: told from memory that there is no account.",
    ("layer",),
)
MISSES = Family(
    "counter", f"{_PREFIX}misses_total", "Balances that a layer did not have.", ("layer",)
)
REFUSED = Family(
    "counter",
    f"{_PREFIX}fills_refused_total",
    "Balances that were read and not kept, and why.",
    ("reason",),
)
ANSWERS = Family(
    "counter",
    f"{_PREFIX}answers_total",
    "Answers by idempotency key: found in a layer, or in none.",
    ("layer",),
)

# Where a counter is a series of a family, not a family of its own.
_SERIES = {
    "hits_l1": (READS, "l1"),
    "hits_l2": (READS, "l2"),
    "hits_unknown": (READS, "unknown"),
    "reads_db": (READS, "db"),
    "misses_l1": (MISSES, "l1"),
    "misses_l2": (MISSES, "l2"),
    "answer_hits_l1": (ANSWERS, "l1"),
    "answer_hits_l2": (ANSWERS, "l2"),
    "answer_misses": (ANSWERS, "none"),
}
_REFUSED = "refused_"

HELP = {
    "reads_replica": "Balances that a replica answered; they are among those of the layer db.",
    "joined": "Reads that were answered by another one's question.",
    "evicted_l1": "Balances that L1 had no more room for.",
    "heard": "Changes told by the relay or made by the process itself.",
    "heard_applied": "Changes that an entry of L1 was brought up to.",
    "heard_dropped": "Entries of L1 that a change said too little about.",
    "l2_errors": "Commands that Redis refused or lost.",
    "l2_timeouts": "Commands that Redis took too long for.",
    "l2_skipped": "Commands that were not sent because the breaker was open.",
    "l2_mismatches": "Values in Redis that were not what their key said.",
    "l2_written": "Values written to Redis.",
    "breaker_opened": "Times that the breaker opened.",
    "trust_won": "Times that the cache began to be believed.",
    "trust_lost": "Times that it ceased to be.",
    "notices_ignored": "Notices of an older leader or of another history.",
    "audited": "Served balances that were compared with the ledger.",
    "audit_mismatches": "Served balances that the ledger does not have: must be 0.",
}

SUSPECT = Family(
    "counter",
    f"{_PREFIX}suspect_seconds_total",
    "Time in which nothing in the cache could be believed, of all processes together.",
)
LIVE = Family("gauge", f"{_PREFIX}live", "1 while the process's cache may be believed.")
BREAKER = Family("gauge", f"{_PREFIX}breaker_open", "1 while Redis is left out.")
ENTRIES = Family("gauge", f"{_PREFIX}entries", "Balances in L1.")
ANSWER_BYTES = Family("gauge", f"{_PREFIX}answer_bytes", "Memory of the answers by key.")


def cache_metrics(
    counters: Counters,
    trust: Trust,
    balances: BalanceCache,
    answers: AnswerCache,
    l2: L2 | None,
) -> tuple[list[Family], Source]:
    """For Metrics.source."""
    places = {name: _place(name) for name, _ in counters}
    gauges: dict[Family, Callable[[], float]] = {
        LIVE: trust.is_live,
        BREAKER: lambda: l2 is not None and l2.breaker.is_open,
        ENTRIES: lambda: len(balances),
        ANSWER_BYTES: lambda: answers.bytes,
    }

    def samples() -> Iterator[Sample]:
        for name, value in counters:
            yield Sample(*places[name], value)
        yield Sample(SUSPECT, (), trust.suspect_seconds())
        for family, value_now in gauges.items():
            yield Sample(family, (), value_now())

    families = [family for family, _ in places.values()]
    return [*families, SUSPECT, *gauges], samples


def _place(name: str) -> tuple[Family, tuple[str, ...]]:
    if name in _SERIES:
        family, label = _SERIES[name]
        return family, (label,)
    if name.startswith(_REFUSED):
        return REFUSED, (name.removeprefix(_REFUSED),)
    return Family("counter", f"{_PREFIX}{name}_total", HELP[name]), ()
