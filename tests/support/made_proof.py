"""A proof made by hand, for tests of what is shown of one."""

from __future__ import annotations

import math

from loadgen.check.intake import Counts
from loadgen.check.verdict import Verdict
from loadgen.latency import Latencies
from loadgen.pacing import Pace
from loadgen.prover.injector import Injection
from loadgen.prover.prove import Proof, Skipped

SECONDS = 120


def make_proof(*, sound: bool = True) -> Proof:
    latencies = Latencies()
    for number in range(1, 500):
        latencies.record("payment", number / 10_000)
        latencies.record("retry storm", number / 1_000)
    injections = [
        Injection(
            number=1,
            fault="postgres_killed",
            began=20.0,
            healed=22.0,
            ended=24.5,
            in_flight=31,
            recovery=2.5,
            p99_ms=4200.0,
            verdict="recovered",
        ),
        Injection(
            number=2,
            fault="commit_answer_lost",
            began=60.0,
            healed=60.5,
            ended=60.7,
            in_flight=12,
            recovery=0.2,
            p99_ms=310.0,
            verdict="recovered" if sound else "too late",
        ),
        Injection(number=3, fault="postgres_killed", began=90.0, healed=91.0, ended=93.0),
    ]
    timeline = []
    for second in range(SECONDS):
        hurt = 20 <= second < 25
        timeline.append(
            {
                "second": second,
                "posted": 0 if hurt else 100 + 20 * math.sin(second / 5),
                "replayed": 0 if hurt else 60,
                "refused": 5,
                "unknown": 80 if hurt else 1,
                "p50": 9.0,
                "p99": 4200.0 if hurt else 45.0,
                "max": 5000.0 if hurt else 80.0,
                "offered": 150,
                "dropped": 40 if hurt else 0,
            }
        )
    breaches = {} if sound else {"O1 lost": 2}
    evidence = (
        []
        if sound
        else [
            {
                "oracle": "O1",
                "rule": "lost",
                "says": "acknowledged, <not> there",
                "history": ['{"is":"invoke"}'],
            }
        ]
    )
    counts = Counts(attempts=12_345, keys=8_000, payments=7_500, reads=900, unknown=420, ended=True)
    verdict = Verdict(
        run="made", seed=7, sound=sound, checked=counts, breaches=breaches, evidence=evidence
    )
    return Proof(
        seed=7,
        seconds=float(SECONDS),
        options={},
        injections=injections if sound else injections[:2],
        skipped=[Skipped("disk_full", "disk full", "needs root", "slow_commits")],
        undecided=0,
        attempts={"posted": 7_500, "replayed": 4_000, "refused": 425, "unknown": 420},
        latencies_ms=latencies.percentiles(),
        timeline=timeline,
        pace=Pace(started=18_000),
        verdict=verdict,
        history="history.jsonl",
        duplicates=0.35,
        programs="PostgreSQL 18",
    )
