"""A payment a call, against the same rows written by one plain statement."""

from __future__ import annotations

from functools import partial

from bench.findings import Findings
from bench.harness import take_turns
from bench.tools.lab import Lab


def measure(lab: Lab) -> Findings:
    """pgbench on both sides, 16 connections."""
    pgbench = lab.pgbench()
    rounds = take_turns(
        {name: partial(pgbench.tps, name) for name in ("post_payment", "plain_sql")},
        lab.scale.rounds,
        lab.scale.seconds,
    )
    ratio = rounds.ratio("post_payment", "plain_sql")
    return Findings({"post_payment_vs_plain_sql": ratio}, rounds.figures)
