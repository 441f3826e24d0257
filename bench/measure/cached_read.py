"""Balances from the cache, beside a program that answers a constant."""

from __future__ import annotations

from functools import partial

from bench.findings import Findings
from bench.harness import take_turns
from bench.tools.bare import PATH, Bare
from bench.tools.lab import Lab
from bench.tools.wrk import run

ACCOUNTS = 10_000
CONNECTIONS = 64
WARM_SECONDS = 5  # in which every process reads nearly every account


def measure(lab: Lab) -> Findings:
    """The same number of processes, bodies of the same size, the same script at the same cost."""
    lab.create_accounts("read", ACCOUNTS)
    with lab.service() as service:
        cached = service.path("accounts/read:%d/balance")
        balance = service.get(service.path("accounts/read:4711/balance"))
        with Bare(lab.cores, balance) as bare:

            def read_for(url: str, path: str, seconds: float) -> float:
                variables = {"key": service.key, "path": path, "accounts": ACCOUNTS}
                load = run(
                    "read", url, connections=CONNECTIONS, seconds=seconds, variables=variables
                )
                return load.sound().accepted_per_s

            read_for(service.url, cached, WARM_SECONDS)
            rounds = take_turns(
                {
                    "cached": partial(read_for, service.url, cached),
                    "bare": partial(read_for, bare.url, f"{PATH}?%d"),
                },
                lab.scale.rounds,
                lab.scale.seconds,
            )
        metrics = service.metrics("payledger_cache_")
    return Findings(
        {"cached_read_vs_bare": rounds.ratio("cached", "bare")},
        {**rounds.figures, "body_bytes": len(balance), "metrics": metrics},
    )
