"""Pauses of different lengths, so that those who failed together don't come back together."""

from __future__ import annotations

import random

# Of its own: the one that the module shares is seeded, and watched, by others.
_numbers = random.Random()


def jittered(seconds: float, least: float = 0.5) -> float:
    """From `least` times `seconds` on, up to `seconds`."""
    return seconds * _numbers.uniform(least, 1)
