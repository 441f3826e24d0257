"""A payment a request over HTTP, beside post_payment by pgbench."""

from __future__ import annotations

from functools import partial

from bench.findings import Findings
from bench.harness import take_turns
from bench.tools.lab import ACCOUNTS, Lab
from bench.tools.service import Service
from bench.tools.wrk import run

CONNECTIONS = 256


def measure(lab: Lab) -> Findings:
    """All four in the same rounds: SQL; HTTP; HTTP on a hot account; HTTP with slow commits."""
    pgbench = lab.pgbench()
    with lab.service() as service:

        def slow(seconds: float) -> float:
            with lab.slow_commits():
                return post_for(service, seconds)

        rounds = take_turns(
            {
                "sql": partial(pgbench.tps, "post_payment"),
                "http": partial(post_for, service),
                "hot": partial(post_for, service, hot_percent=100),
                "slow": slow,
            },
            lab.scale.rounds,
            lab.scale.seconds,
        )
    return Findings(
        {
            "http_vs_sql": rounds.ratio("http", "sql"),
            "http_hot_vs_uniform": rounds.ratio("hot", "http"),
            "http_slow_commit_vs_fast": rounds.ratio("slow", "http"),
        },
        rounds.figures,
    )


def post_for(
    service: Service, seconds: float, *, connections: int = CONNECTIONS, hot_percent: int = 0
) -> float:
    """Payments a second; wrk sends the next when it has the last one's answer."""
    variables = {
        "key": service.key,
        "path": service.path("payments"),
        "accounts": ACCOUNTS,
        "hot_percent": hot_percent,
    }
    return (
        run("payment", service.url, connections=connections, seconds=seconds, variables=variables)
        .sound()
        .accepted_per_s
    )
