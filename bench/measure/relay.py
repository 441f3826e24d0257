"""Whether posting feels that a service with relay, listeners and L2 tells of every payment."""

from __future__ import annotations

import time

from bench.findings import Findings
from bench.harness import take_turns
from bench.tools.lab import Lab

SETTLE_SECONDS = 1.5
"""What a start costs (processes that still import) is not what the relay costs."""
MORE_ROUNDS = 4
"""One round's ratio is off by a tenth, which is more than the relay costs."""


def measure(lab: Lab) -> Findings:
    """post_payment by pgbench, slow commits: they show any lock that is held through one."""
    pgbench = lab.pgbench()

    def with_relay(seconds: float) -> float:
        with lab.service():
            time.sleep(SETTLE_SECONDS)
            return pgbench.tps("post_payment", seconds)

    with lab.slow_commits():
        rounds = take_turns(
            {"with": with_relay, "without": lambda seconds: pgbench.tps("post_payment", seconds)},
            lab.scale.rounds + MORE_ROUNDS,
            lab.scale.seconds,
        )
    return Findings(
        {"posting_with_relay_vs_without": rounds.ratio("with", "without")}, rounds.figures
    )
