"""Balances and answers kept near: perhaps old, never wrong, as each is what its version says."""
