"""Twice as many requests as the service can take, due at a constant rate."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict
from typing import Any

from bench.findings import Findings
from bench.harness import take_turns
from bench.measure.http_single import post_for
from bench.tools.lab import ACCOUNTS, Lab
from bench.tools.sampler import sampling
from bench.tools.wrk import run

CONNECTIONS = 1024
"""As many may be under way at once; what is due beyond that comes late."""
LONGER = 2
"""As long as a round of the peak: what is under way at the end does not count."""
FACTOR = 2
SETTLING_SECONDS = 1.0
"""What was under way when an overload ended is still posted: the peak is not to share with it."""


def measure(lab: Lab) -> Findings:
    """Refusals are allowed here; what counts is how many were accepted, and how late."""
    peaks: list[float] = []
    loads: list[dict[str, Any]] = []
    with lab.service() as service:

        def peak(seconds: float) -> float:
            time.sleep(SETTLING_SECONDS)
            peaks.append(post_for(service, seconds))
            return peaks[-1]

        def overloaded(seconds: float) -> float:
            rate = FACTOR * statistics.median(peaks)
            variables = {
                "key": service.key,
                "path": service.path("payments"),
                "accounts": ACCOUNTS,
                "hot_percent": 0,
                "rate": rate,
            }
            with sampling(service) as samples:
                load = run(
                    "payment",
                    service.url,
                    connections=CONNECTIONS,
                    seconds=seconds * LONGER,
                    variables=variables,
                )
            loads.append({"due_per_s": rate, **asdict(load), **samples.summary()})
            return load.accepted_per_s

        rounds = take_turns(
            {"peak": peak, "overloaded": overloaded}, lab.scale.rounds, lab.scale.seconds
        )
    return Findings(
        {"overload_accepted_vs_peak": rounds.ratio("overloaded", "peak")},
        {**rounds.figures, "loads": loads},
    )
