"""A payment a call, against the same rows written by one plain statement."""

from __future__ import annotations

from functools import partial

from bench.findings import Findings
from bench.harness import BenchFailed, take_turns
from bench.tools.lab import Lab


def measure(lab: Lab) -> Findings:
    """pgbench on both sides, 16 connections."""
    pgbench = lab.pgbench()
    before = _posted(lab)
    rounds = take_turns(
        {name: partial(pgbench.tps, name) for name in ("post_payment", "plain_sql")},
        lab.scale.rounds,
        lab.scale.seconds,
    )
    counted = sum(rounds.figures["post_payment"]) * lab.scale.seconds
    if (posted := _posted(lab) - before) < counted:  # what was refused was fast, and is not it
        raise BenchFailed(f"of {counted:.0f} payments only {posted} were posted")
    ratio = rounds.ratio("post_payment", "plain_sql")
    return Findings({"post_payment_vs_plain_sql": ratio}, rounds.figures)


def _posted(lab: Lab) -> int:
    return int(lab.run_sql("select count(*) from ledger.payments;"))
