"""Balances and answers kept near: can be old, never wrong, because each is what its version says."""
