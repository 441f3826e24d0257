"""The plan, the timeline and the table: what was broken when, and what is said of it."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path

from support.made_proof import make_proof

from loadgen.faults.matrix import BY_NAME, FAULTS
from loadgen.history import Outcome
from loadgen.prover.injector import Injection
from loadgen.prover.plan import plan
from loadgen.prover.table import rows, summary
from loadgen.prover.timeline import Timeline

DOCS = Path(__file__).parents[2] / "docs"


def steps(seed: int, count: int = 200) -> list[object]:
    return list(itertools.islice(plan(seed, FAULTS), count))


def test_the_same_seed_gives_the_same_schedule_of_faults() -> None:
    assert steps(1) == steps(1)
    assert steps(1) != steps(2)


def test_in_two_rounds_what_is_slow_comes_once_and_all_else_twice() -> None:
    quick = sum(not fault.slow for fault in FAULTS)
    two_rounds = 2 * quick + (len(FAULTS) - quick)
    names = [step.fault for step in itertools.islice(plan(3, FAULTS), 2 * two_rounds)]
    one, other = names[:two_rounds], names[two_rounds:]
    expected = {fault.name: 1 if fault.slow else 2 for fault in FAULTS}
    assert Counter(one) == Counter(other) == expected
    assert one != other  # what comes after what differs from round to round


def test_faults_that_are_all_slow_or_few_come_all_the_same() -> None:
    for names in (["failover"], ["failover", "postgres_killed", "disk_full"], ["redis_flushed"]):
        chosen = [BY_NAME[name] for name in names]
        assert {step.fault for step in itertools.islice(plan(3, chosen), 4)} == set(names)


def test_a_fault_lasts_as_long_as_it_says() -> None:
    for step in itertools.islice(plan(3, FAULTS), 300):
        least, most = BY_NAME[step.fault].seconds
        assert least <= step.lasts <= most


def test_a_substitute_is_a_fault_that_needs_nothing() -> None:
    for fault in FAULTS:
        if fault.substitute:
            other = BY_NAME[fault.substitute]
            assert (other.row, other.problem) != (fault.row, fault.problem)


def test_there_are_twenty_kinds_that_need_no_privilege() -> None:
    free = [fault for fault in FAULTS if not re.search("strace|disk|faketime", repr(fault.problem))]
    assert len(free) >= 20


def test_the_timeline_counts_and_times_what_ended_in_a_stretch() -> None:
    timeline = Timeline()
    start = timeline.now()
    for number in range(1, 101):
        timeline.ended(Outcome.POSTED, number % 2 == 0, number / 1000)
    timeline.ended(Outcome.UNKNOWN, False, 99.0)
    timeline.ended(Outcome.CONFLICT, False, 0.001)
    end = timeline.now()
    assert timeline.totals() == {"posted": 50, "replayed": 50, "refused": 1, "unknown": 1}
    assert timeline.definite_between(start, end) == 101
    assert timeline.definite_between(end, end + 1) == 0
    assert 95 <= timeline.percentile(0.99, start, end) <= 100
    (row,) = timeline.by_second()
    assert (row["posted"], row["unknown"], row["max"]) == (50, 1, 100.0)


def test_the_table_has_a_row_a_fault_with_its_worst() -> None:
    table = {row.fault: row for row in rows(make_proof().injections)}
    killed = table["postgres_killed"]
    assert (killed.injected, killed.counted) == (2, 1)  # one of them hit nothing
    assert killed.verdict == "no load (number 3)"
    assert (killed.slowest, killed.least_in_flight, killed.most_in_flight) == (2.5, 0, 31)
    assert table["commit_answer_lost"].verdict == "recovered"


def test_an_injection_that_hit_nothing_in_flight_does_not_count() -> None:
    hit = Injection(number=1, fault="f", began=0.0, in_flight=1, verdict="recovered")
    missed = Injection(number=1, fault="f", began=0.0, in_flight=0, verdict="recovered")
    undone = Injection(number=1, fault="f", began=0.0, in_flight=1, verdict="not done")
    assert (hit.counts, missed.counts, undone.counts) == (True, False, False)


def test_the_last_line_says_what_was_done_and_found() -> None:
    told = summary(make_proof(sound=False))
    assert told.startswith("prove: seed 7: NOT SOUND: 12,345 attempts (35% repeat a key")
    assert "2 injections of 2 kinds of fault hit requests in flight, 1 went wrong" in told
    assert told.endswith("2 breaches")
