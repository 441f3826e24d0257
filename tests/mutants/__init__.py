"""Negative controls: the code broken in one place at a time, and a test that notices each."""
