"""What the cache counts: plain integers, for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Counters:
    """Of one process, since it began. `refused_*`: values read that were not kept, and why."""

    hits_l1: int = 0
    hits_l2: int = 0
    hits_unknown: int = 0  # told from memory that there is no such account
    reads_db: int = 0
    reads_replica: int = 0  # of reads_db, those that a replica answered
    misses_l1: int = 0
    misses_l2: int = 0
    joined: int = 0  # reads that another one's flight answered

    refused_overtaken: int = 0  # L1: something newer was heard meanwhile
    refused_untrusted: int = 0  # L1: SUSPECT, or trust was lost and found meanwhile
    refused_epoch: int = 0  # L1 and L2: read on a connection to another history
    refused_lease: int = 0  # L2: the lease was gone
    refused_older: int = 0  # L2: what is stored is newer
    refused_behind: int = 0  # L1: a replica had not come as far as the notices
    refused_full: int = 0  # L2: the queue of writes was full

    evicted_l1: int = 0
    heard: int = 0
    heard_applied: int = 0
    heard_dropped: int = 0  # entries that a change said too little about

    l2_errors: int = 0
    l2_timeouts: int = 0
    l2_skipped: int = 0  # the breaker was open
    l2_mismatches: int = 0  # a value that was not what its key said
    l2_written: int = 0
    breaker_opened: int = 0

    trust_won: int = 0
    trust_lost: int = 0
    notices_ignored: int = 0  # of an older leader, or of another history

    answer_hits_l1: int = 0
    answer_hits_l2: int = 0
    answer_misses: int = 0

    audited: int = 0
    audit_mismatches: int = 0

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Every counter by name."""
        for field in fields(self):
            yield field.name, getattr(self, field.name)
