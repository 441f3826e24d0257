"""Each verdict about reads, shown to fail on observations made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from loadgen.headers import worker_of
from loadgen.history import Outcome, Payment, Read, Record
from loadgen.metrics import MetricsUnread, check_auditor, value
from loadgen.readers import Session
from loadgen.served import Claims, Least, Seen, check_sessions, count

NEW, OLD = "0123456789ab", "ba9876543210"


def read(version: int, balance: str = "0", **more: Any) -> Read:
    return Read("a", version, balance, **({"token": f"{version}-{NEW}"} | more))


def rules(*reads: Read) -> list[str]:
    return [breach.rule for breach in check_sessions(reads)]


# --- Sessions -------------------------------------------------------------------------------------


def test_reads_at_and_above_their_token_that_never_go_back_are_right() -> None:
    assert rules(read(3, session=1, asked=f"3-{NEW}"), read(5, session=1, asked=f"3-{NEW}")) == []


def test_a_read_below_its_token_is_caught() -> None:
    assert rules(read(2, session=1, asked=f"3-{NEW}")) == ["below_token"]
    assert rules(read(2, asked=f"3-{NEW}")) == ["below_token"]


def test_a_session_that_goes_back_is_caught_although_each_read_is_above_its_token() -> None:
    asked = f"1-{NEW}"
    reads = [read(version, session=1, asked=asked) for version in (4, 6, 5)]
    assert rules(*reads) == ["went_back"]
    assert rules(*reads, read(5, session=1, asked=asked)) == ["went_back"] * 2


def test_sessions_accounts_and_reads_of_no_session_go_back_on_their_own() -> None:
    assert rules(read(6, session=1), read(5, session=2)) == []
    assert rules(read(6), read(5)) == []
    assert rules(read(6, session=1), Read("b", 5, "0", session=1, token=f"5-{NEW}")) == []


def test_an_answer_of_another_history_is_caught() -> None:
    assert rules(read(3, asked=f"3-{OLD}")) == ["other_history"]
    assert rules(read(3, asked=f"3-{NEW}", token="")) == ["other_history"]


def test_a_token_that_names_another_version_than_the_body_is_caught() -> None:
    assert rules(read(3, token=f"4-{NEW}")) == ["wrong_token"]


# --- The ledger at each version -------------------------------------------------------------------

ENTRIES = [("a", 1, (100, 0)), ("a", 2, (70, 30)), ("b", 1, (5, 0))]


async def unequal(*reads: Read) -> list[str]:
    async def entries() -> AsyncIterator[tuple[str, int, tuple[int, int]]]:
        for entry in ENTRIES:
            yield entry

    return [breach.rule for breach in await Claims(reads).check(entries())]


async def test_what_the_ledger_has_at_its_version_is_right() -> None:
    served = [
        read(0),
        read(1, "100"),
        read(2, "70", held="30"),
        Read("b", 1, "5"),
        Read("c", 0, "0"),
    ]
    assert await unequal(*served, *served) == []


@pytest.mark.parametrize(
    ("served", "rule"),
    [
        (read(1, "101"), "served_unequal"),
        (read(2, "100"), "served_unequal"),
        (read(2, "70"), "served_unequal"),
        (read(0, "1"), "served_unequal"),
        (Read("b", 1, "100"), "served_unequal"),
        (read(3, "70", held="30"), "served_unknown"),
        (Read("c", 1, "5"), "served_unknown"),
    ],
    ids=["balance", "another version's", "held", "never moved", "another's", "ahead", "nobody's"],
)
async def test_what_the_ledger_has_otherwise_is_caught(served: Read, rule: str) -> None:
    assert await unequal(read(1, "100"), served, read(2, "70", held="30")) == [rule]


# --- How much was seen ----------------------------------------------------------------------------


def test_reads_are_counted_by_layer_and_by_who_wrote() -> None:
    asked = f"1-{NEW}"
    seen = count(
        [
            read(1, layer="l1", worker="x"),
            read(1, layer="l1", worker="y", writer="x"),
            read(1, layer="l2", asked=asked, worker="y", writer="x"),
            read(1, layer="db", asked=asked, worker="x", writer="x"),
            read(1, layer="db", asked=asked, worker="x"),
            read(1, layer="db", asked=asked, writer="x"),
        ]
    )
    assert seen == Seen(reads=6, l1=2, l2=1, db=3, with_token=4, elsewhere=1, workers=2)


ENOUGH = Seen(reads=1000, l1=300, l2=50, db=650, with_token=500, elsewhere=100, audited=1)
LEAST = Least(reads=1000, l1=0.3, l2=0.05, elsewhere=100, audited=1)


def test_what_is_just_enough_lacks_nothing() -> None:
    assert list(LEAST.lacking(ENOUGH)) == []


@pytest.mark.parametrize("short", ["reads", "l1", "l2", "elsewhere", "audited"])
def test_one_too_few_of_anything_is_lacking(short: str) -> None:
    seen = Seen(**{name: getattr(ENOUGH, name) for name in Seen.__struct_fields__})
    setattr(seen, short, getattr(seen, short) - 1)
    assert len(list(LEAST.lacking(seen))) == 1


def test_a_run_without_reads_lacks_everything() -> None:
    assert len(list(LEAST.lacking(Seen()))) == 5


# --- What is carried ------------------------------------------------------------------------------


def paid(tokens: str, **more: Any) -> Record:
    record = Record(1, Payment("k", b"{}", ("posted",)), 0.0, outcome=Outcome.POSTED)
    record.tokens, record.worker = tokens, "x"
    for name, given in more.items():
        setattr(record, name, given)
    return record


def test_a_session_carries_its_payments_token_and_who_wrote_it() -> None:
    session = Session(1, "a")
    session.paid(paid(f"b=9-{NEW}, a=4-{NEW}"))
    assert (session.token, session.writer) == (f"4-{NEW}", "x")
    session.paid(paid(f"a=2-{NEW}"))
    assert session.token == f"4-{NEW}"


def test_who_repeats_an_answer_or_refuses_is_not_taken_for_the_writer() -> None:
    session = Session(1, "a")
    session.paid(paid(f"a=4-{NEW}", replayed=True))
    assert (session.token, session.writer) == (f"4-{NEW}", "")
    session = Session(1, "a")
    session.paid(paid("", outcome=Outcome.REJECTED))
    assert (session.token, session.writer) == ("", "")


def test_a_process_is_known_by_the_ids_that_it_gives() -> None:
    assert worker_of({"X-Request-Id": "0f3a-17"}) == "0f3a"
    for unknown in ({}, {"X-Request-Id": "mine"}, {"X-Request-Id": "my-own"}):
        assert worker_of(unknown) == ""


# --- The service's own auditor --------------------------------------------------------------------

METRICS = '# HELP x y\npayledger_cache_audited_total 12.0\nother_total{a="b"} 3.0\n'


def test_a_counter_is_read_by_its_whole_name() -> None:
    assert value(METRICS, "payledger_cache_audited_total") == 12
    with pytest.raises(MetricsUnread):
        value(METRICS, "payledger_cache_audited")


def test_what_the_auditor_found_is_a_breach() -> None:
    assert check_auditor(0) == []
    assert [breach.rule for breach in check_auditor(2)] == ["audit_mismatch"]
