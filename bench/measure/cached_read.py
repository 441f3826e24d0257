"""Balances from the cache, beside a program that answers a constant."""

from __future__ import annotations

from functools import partial

from bench.findings import Findings
from bench.harness import take_turns
from bench.tools.bare import PATH, Bare
from bench.tools.lab import Lab
from bench.tools.service import Service
from bench.tools.wrk import run

ACCOUNTS = 10_000
CONNECTIONS = 64

# What is measured is the answer from memory: it begins when that gives nearly all answers, in every
# process. First reads cost a query each, so this takes a while.
WARM_SHARE = 0.99
WARM_PIECE_SECONDS = 5
MOST_WARM_PIECES = 10


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

            warm_share = 0.0
            for _ in range(MOST_WARM_PIECES):
                before = reads_by_layer(service)
                read_for(service.url, cached, WARM_PIECE_SECONDS)
                warm_share = share_of_l1(before, reads_by_layer(service))
                if warm_share >= WARM_SHARE:
                    break
            before = reads_by_layer(service)
            rounds = take_turns(
                {
                    "cached": partial(read_for, service.url, cached),
                    "bare": partial(read_for, bare.url, f"{PATH}?%d"),
                },
                lab.scale.rounds,
                lab.scale.seconds,
            )
        measured_share = share_of_l1(before, reads_by_layer(service))
        metrics = service.metrics("payledger_cache_")
    return Findings(
        {"cached_read_vs_bare": rounds.ratio("cached", "bare")},
        {
            **rounds.figures,
            "body_bytes": len(balance),
            "share_of_l1_when_warm": warm_share,
            "share_of_l1_while_measured": measured_share,
            "metrics": metrics,
        },
    )


def reads_by_layer(service: Service) -> dict[str, float]:
    """Balances answered so far, by who answered."""
    return service.metrics("payledger_cache_reads_total")


def share_of_l1(before: dict[str, float], after: dict[str, float]) -> float:
    """Which part of the answers between two readings came from the processes' memory."""
    given = {name: count - before.get(name, 0.0) for name, count in after.items()}
    from_memory = sum(count for name, count in given.items() if 'layer="l1"' in name)
    return from_memory / max(1.0, sum(given.values()))
