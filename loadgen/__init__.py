"""The load generator: throws retries, races and duplicates at a payledger, then judges it."""
