"""Every mutant, by what it breaks."""

from __future__ import annotations

from mutants.catalogue import batches, caching, carrying, feed, history, posting, relaying

MUTANTS = (
    *posting.MUTANTS,
    *batches.MUTANTS,
    *history.MUTANTS,
    *feed.MUTANTS,
    *relaying.MUTANTS,
    *caching.MUTANTS,
    *carrying.MUTANTS,
)
