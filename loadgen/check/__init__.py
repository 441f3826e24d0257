"""`loadgen check`: holds a history against the ledger. Trusts nothing but the two."""
