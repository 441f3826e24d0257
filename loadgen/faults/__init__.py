"""The fault matrix: every row a small fault with a start, a heal, and what to expect."""
