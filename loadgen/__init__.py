"""The load generator: throws retries, races and duplicates at a payledger and judges the answers."""
