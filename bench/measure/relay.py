"""Whether posting feels that a service with relay, listeners and L2 tells of every payment."""

from __future__ import annotations

import time

from bench.findings import Findings
from bench.harness import BenchFailed, take_turns
from bench.tools.lab import Lab

SETTLE_SECONDS = 1.5
"""What a start costs (processes that still import) is not what the relay costs."""
LEAST_TOLD = 0.5
"""Of the payments, by the end of a round: the last ones are told later. A relay that does nothing
costs nothing."""
MORE_ROUNDS = 4
"""One round's ratio is off by a tenth, which is more than the relay costs."""


def measure(lab: Lab) -> Findings:
    """post_payment by pgbench, slow commits: they show any lock that is held through one."""
    pgbench = lab.pgbench()

    def with_relay(seconds: float) -> float:
        with lab.service() as service:
            time.sleep(SETTLE_SECONDS)
            tps = pgbench.tps("post_payment", seconds)
            told = sum(service.metrics("payledger_relay_payments_told_total").values())
        if told < LEAST_TOLD * tps * seconds:
            raise BenchFailed(f"the relay told of {told:,.0f} of {tps * seconds:,.0f} payments")
        return tps

    with lab.slow_commits():
        rounds = take_turns(
            {"with": with_relay, "without": lambda seconds: pgbench.tps("post_payment", seconds)},
            lab.scale.rounds + MORE_ROUNDS,
            lab.scale.seconds,
        )
    return Findings(
        {"posting_with_relay_vs_without": rounds.ratio("with", "without")}, rounds.figures
    )
