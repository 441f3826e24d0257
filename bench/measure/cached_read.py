"""Balances from the cache, beside a program that answers a constant."""

from __future__ import annotations

from functools import partial

from bench.findings import Findings
from bench.harness import BenchFailed, take_turns
from bench.tools.bare import PATH, Bare
from bench.tools.lab import Lab
from bench.tools.service import Service
from bench.tools.wrk import run

ACCOUNTS = 10_000
CONNECTIONS = 64

# What is measured is the answer from memory. So every process has read every account before each
# round; what it forgets during one (a balance stays for a minute) is read again, and counts.
WARM_SHARE = 0.99
WARM_PIECE_SECONDS = 1
MOST_WARM_PIECES = 30


def measure(lab: Lab) -> Findings:
    """The same number of processes, bodies of the same size, the same script at the same cost."""
    lab.create_accounts("read", ACCOUNTS)
    layers: list[dict[str, float]] = []
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

            def read_from_memory(seconds: float) -> float:
                warm_up(service, cached)
                before = reads_by_layer(service)
                per_s = read_for(service.url, cached, seconds)
                layers.append(shares(before, reads_by_layer(service)))
                return per_s

            rounds = take_turns(
                {
                    "cached": read_from_memory,
                    "bare": partial(read_for, bare.url, f"{PATH}?%d"),
                },
                lab.scale.rounds,
                lab.scale.seconds,
            )
        metrics = service.metrics("payledger_cache_")
    layers = layers[1:]  # the first was before the rounds
    return Findings(
        {"cached_read_vs_bare": rounds.ratio("cached", "bare")},
        {
            **rounds.figures,
            "body_bytes": len(balance),
            "layers": layers,
            "metrics": metrics,
        },
        note="answered from " + "; ".join(in_words(of_one) for of_one in layers),
    )


def warm_up(service: Service, path: str) -> None:
    """Until every process has every account. Who reads what is chance: the kernel deals it out."""
    read = 0
    for _ in range(MOST_WARM_PIECES):
        before = reads_by_layer(service)
        variables = {"key": service.key, "path": path, "accounts": ACCOUNTS, "first": read}
        read += (
            run(
                "read_each",
                service.url,
                connections=CONNECTIONS,
                seconds=WARM_PIECE_SECONDS,
                threads=1,
                variables=variables,
            )
            .sound()
            .requests
        )
        # Entries that are too old to be answered with are counted, too: hence both.
        if (
            shares(before, reads_by_layer(service)).get("l1", 0.0) >= WARM_SHARE
            and min(service.metrics("payledger_cache_entries").values()) >= WARM_SHARE * ACCOUNTS
        ):
            return
    raise BenchFailed(f"not warm after {read} reads in {MOST_WARM_PIECES} pieces")


def reads_by_layer(service: Service) -> dict[str, float]:
    """Balances answered so far, by who answered."""
    counts = service.metrics("payledger_cache_reads_total")
    return {name.partition('layer="')[2].partition('"')[0]: n for name, n in counts.items()}


def shares(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Which part of the answers between two readings each layer gave."""
    given = {layer: count - before.get(layer, 0.0) for layer, count in after.items()}
    return {layer: count / max(1.0, sum(given.values())) for layer, count in given.items()}


def in_words(of_one: dict[str, float]) -> str:
    """l1 99.98 %, db 0.02 %."""
    return ", ".join(f"{layer} {100 * share:.2f} %" for layer, share in of_one.items() if share)
