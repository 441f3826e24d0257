"""`loadgen check`: for each oracle, a false history and a wrong ledger that it must catch.

The history and the ledger of `make_history` fit; each test makes one of the two false in one point
and names the breaches that this must show. That the rest stays silent is half of the test.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from corruptions import corrupt
from support.databases import Database
from support.made_history import MadeHistory, make_history, request, write

from loadgen.__main__ import main
from loadgen.check.verdict import Verdict, check
from loadgen.journal.records import WINDOW_OVER, Answered, Begin, End, Entry, Invoke, Mark, Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.databases import Connection
    from support.servers import Server

Lines = list[Entry]
change = msgspec.structs.replace


@pytest.fixture(scope="module")
def books(server: Server) -> Iterator[Database]:
    database = Database(server, server.new_database())
    yield database
    server.postgres.drop_database(database.name)


@pytest.fixture
async def superuser(books: Database) -> AsyncIterator[Connection]:
    async with books.connection("postgres") as con:
        yield con


async def verdict_on(lines: Lines, books: Database, tmp_path: Path) -> Verdict:
    return await check(write(lines, tmp_path / "history"), books.dsn("postgres"), tmp_path)


# -- finding one's way in the history -------------------------------------------------------------


def invokes(lines: Lines, key: str) -> list[Invoke]:
    return [line for line in lines if isinstance(line, Invoke) and line.key == key]


def answers(lines: Lines, key: str) -> list[Answered]:
    mine = {invoke.n for invoke in invokes(lines, key)}
    return [line for line in lines if isinstance(line, Answered) and line.n in mine]


def reads(lines: Lines) -> list[Served]:
    return [line for line in lines if isinstance(line, Served)]


def swap(lines: Lines, old: Entry, new: Entry) -> None:
    lines[lines.index(old)] = new


def drop(lines: Lines, *gone: Entry) -> None:
    for line in gone:
        lines.remove(line)


def with_body(answered: Answered, **values: object) -> Answered:
    return change(answered, body=json.dumps(json.loads(answered.body) | values))


def show(served: Served, version: int, balance: int, etag: str | None = None) -> Served:
    body = {"account": served.account, "version": version, "balance": str(balance), "held": "0"}
    return change(served, body=json.dumps(body), etag=etag or f'"{version}-e"')


# -- false histories ------------------------------------------------------------------------------


def a_payment_that_was_never_made(lines: Lines) -> None:
    invoke, answered = invokes(lines, "p4")[0], answers(lines, "p4")[0]
    lines[-1:-1] = [
        change(invoke, n=900, request=900, key="ghost"),
        change(answered, n=900),
    ]


def a_payment_acknowledged_under_another_id(lines: Lines) -> None:
    answered = answers(lines, "p4")[0]
    other = "00000000-0000-7000-8000-000000000000"
    swap(lines, answered, with_body(answered, payment_id=other))


def a_payment_of_another_amount(lines: Lines) -> None:
    for invoke in invokes(lines, "p4"):
        swap(lines, invoke, change(invoke, body=request("t:a", "t:b", 8)))


def a_payment_that_nobody_asked_for(lines: Lines) -> None:
    drop(lines, *invokes(lines, "p4"), *answers(lines, "p4"))


def a_refusal_of_what_was_posted(lines: Lines) -> None:
    refusal, answered = answers(lines, "r1")[0], answers(lines, "p4")[0]
    swap(lines, answered, change(refusal, n=answered.n))


def a_refusal_for_another_reason(lines: Lines) -> None:
    for answered in answers(lines, "r1"):
        swap(lines, answered, with_body(answered, code="account_frozen"))


def nothing_written_but_it_was(lines: Lines) -> None:
    invalid, answered = answers(lines, "i1")[0], answers(lines, "p4")[0]
    swap(lines, answered, change(invalid, n=answered.n))


def a_request_never_decided(lines: Lines) -> None:
    drop(lines, answers(lines, "p4")[0])


def a_replay_with_another_body(lines: Lines) -> None:
    replay = answers(lines, "p1")[1]
    swap(lines, replay, change(replay, body=replay.body + " "))


def a_replay_with_another_etag(lines: Lines) -> None:
    replay = answers(lines, "p1")[1]
    swap(lines, replay, change(replay, etag='"1"'))


def a_replay_that_says_it_is_the_first(lines: Lines) -> None:
    replay = answers(lines, "p1")[1]
    swap(lines, replay, change(replay, replayed=False))


def a_conflict_answered_as_posted(lines: Lines) -> None:
    posted, conflict = answers(lines, "p2")
    swap(lines, conflict, change(posted, n=conflict.n, replayed=True))


def a_conflict_with_another_status(lines: Lines) -> None:
    conflict = answers(lines, "p2")[1]
    swap(lines, conflict, change(conflict, status=400))


def a_conflict_with_nothing(lines: Lines) -> None:
    conflict, invalid = answers(lines, "p2")[1], answers(lines, "i1")[0]
    swap(lines, invalid, change(conflict, n=invalid.n))


def an_answer_that_shows_another_balance(lines: Lines) -> None:
    answered = answers(lines, "p4")[0]
    entries = json.loads(answered.body)["entries"]
    entries[0]["balance_after"] = "1"
    swap(lines, answered, with_body(answered, entries=entries))


def a_read_of_another_balance(lines: Lines) -> None:
    read = reads(lines)[1]
    swap(lines, read, show(read, 1, 501))


def a_read_of_a_version_to_come(lines: Lines) -> None:
    read = reads(lines)[1]
    swap(lines, read, show(read, 99, 500))


def a_read_of_an_account_without_entries(lines: Lines) -> None:
    read = reads(lines)[1]
    swap(lines, read, show(change(read, account="t:unused"), 1, 500))


def a_read_of_money_before_the_first_entry(lines: Lines) -> None:
    read = reads(lines)[0]
    swap(lines, read, show(read, 0, 1))


def a_read_whose_etag_names_another_version(lines: Lines) -> None:
    read = reads(lines)[1]
    swap(lines, read, show(read, 1, 500, '"2-e"'))


def a_session_that_goes_back(lines: Lines) -> None:
    one, other = reads(lines)[2:4]
    swap(lines, one, change(show(other, 2, 70), token=""))
    swap(lines, other, change(show(one, 1, 100), token=""))
    # Both are asked for late enough, and neither is stale by the clock.
    lines[:] = [change(line, at=0) if isinstance(line, Served) else line for line in lines]


def a_read_below_its_token(lines: Lines) -> None:
    read = reads(lines)[3]
    swap(lines, read, change(read, token="3-e"))


def a_token_of_another_history_served(lines: Lines) -> None:
    read = reads(lines)[3]
    swap(lines, read, change(read, token="1-f"))


def a_read_that_is_stale(lines: Lines) -> None:
    read = reads(lines)[1]
    swap(lines, read, change(read, at=read.at + 60_000_000))


def tokens_of_other_versions(lines: Lines) -> None:
    answered = answers(lines, "p4")[0]
    swap(lines, answered, change(answered, tokens=answered.tokens.replace("=", "=9")))


def an_order_that_was_not_kept(lines: Lines) -> None:
    """p2 is acknowledged, then p1 asked for; but p1 has the lower version of a."""
    first = [*invokes(lines, "p1"), *answers(lines, "p1")]
    drop(lines, *first)
    after = lines.index(answers(lines, "p2")[0]) + 1
    lines[after:after] = sorted(first, key=lambda line: line.at)


def a_fault_that_is_never_ended(lines: Lines) -> None:
    drop(lines, *(line for line in lines if isinstance(line, Mark) and line.event == "heal"))


def a_fault_that_was_recovered_from_too_late(lines: Lines) -> None:
    heal = next(line for line in lines if isinstance(line, Mark) and line.event == "heal")
    swap(lines, heal, change(heal, within=0.5))


def a_fault_after_which_nobody_was_served(lines: Lines) -> None:
    heal = next(line for line in lines if isinstance(line, Mark) and line.event == "heal")
    end = lines.pop()
    assert isinstance(end, End)
    drop(lines, heal)
    lines += [change(heal, at=end.at), change(end, at=end.at + 60_000_000)]


FALSE_HISTORIES: dict[Callable[[Lines], None], set[str]] = {
    a_payment_that_was_never_made: {"O1 lost"},
    a_payment_acknowledged_under_another_id: {"O1 other_payment", "O4 answer_untrue"},
    a_payment_of_another_amount: {"O1 other_content"},
    a_payment_that_nobody_asked_for: {"O1 never_asked"},
    a_refusal_of_what_was_posted: {"O1 refused_but_posted"},
    a_refusal_for_another_reason: {"O1 other_refusal"},
    nothing_written_but_it_was: {"O1 invalid_but_stored"},
    a_request_never_decided: {"O1 undecided"},
    a_replay_with_another_body: {"O4 answers_differ"},
    a_replay_with_another_etag: {"O4 headers_differ"},
    a_replay_that_says_it_is_the_first: {"O4 first_twice"},
    a_conflict_answered_as_posted: {"O4 two_contents_won"},
    a_conflict_with_another_status: {"O4 conflict_status"},
    a_conflict_with_nothing: {"O4 conflict_with_nothing"},
    an_answer_that_shows_another_balance: {"O4 answer_untrue"},
    a_read_of_another_balance: {"O5 wrong_read"},
    a_read_of_a_version_to_come: {"O5 read_of_nothing"},
    a_read_of_an_account_without_entries: {"O5 read_of_nothing"},
    a_read_of_money_before_the_first_entry: {"O5 wrong_read"},
    a_read_whose_etag_names_another_version: {"O5 read_malformed"},
    a_session_that_goes_back: {"O5 went_back"},
    a_read_below_its_token: {"O5 below_token"},
    a_token_of_another_history_served: {"O5 other_epoch"},
    a_read_that_is_stale: {"O5 stale"},
    tokens_of_other_versions: {"O5 tokens_differ"},
    an_order_that_was_not_kept: {"O6 order"},
    a_fault_that_is_never_ended: {"O7 never_healed"},
    a_fault_that_was_recovered_from_too_late: {"O7 not_recovered"},
    a_fault_after_which_nobody_was_served: {"O7 not_recovered"},
}


async def test_a_true_history_of_a_sound_ledger_is_sound(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert verdict.breaches == {}
    assert verdict.sound
    checked = verdict.checked
    assert (checked.keys, checked.payments, checked.refusals, checked.conflicts) == (7, 5, 1, 1)
    assert (checked.entries, checked.accounts, checked.reads, checked.faults) == (10, 4, 4, 1)
    assert (checked.attempts, checked.unknown) == (11, 1)


@pytest.mark.parametrize(
    ("falsify", "expected"),
    FALSE_HISTORIES.items(),
    ids=[falsify.__name__ for falsify in FALSE_HISTORIES],
)
async def test_a_false_history_is_caught(
    falsify: Callable[[Lines], None],
    expected: set[str],
    superuser: Connection,
    books: Database,
    tmp_path: Path,
) -> None:
    made = await make_history(superuser)
    falsify(made.lines)
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert set(verdict.breaches) == expected
    assert all("history" in breach or "entries" in breach for breach in verdict.evidence)


# -- wrong ledgers --------------------------------------------------------------------------------

# In {ledger}; {a} and {b} are accounts, {p4} is the last payment, which moved 7 from a to b.
WRONG_LEDGERS: dict[str, tuple[str, set[str]]] = {
    "the payment is gone": (
        "delete from ledger.idempotency_keys where ledger_id = {ledger} and key = 'p4';"
        "delete from ledger.payments where payment_id = {p4};"
        "delete from ledger.ledger_entries where payment_id = {p4};"
        "update ledger.accounts set version = version - 1,"
        " balance = balance + case account_id when {a} then 7 else -7 end"
        " where account_id in ({a}, {b})",
        {"O1 lost"},
    ),
    "the payment is there without its key": (
        "delete from ledger.idempotency_keys where ledger_id = {ledger} and key = 'p4'",
        {"O1 lost", "O1 no_key"},
    ),
    "the refusal is forgotten": (
        "delete from ledger.idempotency_keys where ledger_id = {ledger} and key = 'r1'",
        {"O1 refusal_forgotten"},
    ),
    "the payment's row is gone": (
        "delete from ledger.payments where payment_id = {p4}",
        {"O1 lost"},
    ),
    "one payment has two keys": (
        "update ledger.idempotency_keys set payment_id = {p4}"
        " where ledger_id = {ledger} and key = 'p3'",
        {"O1 other_payment", "O1 two_keys", "O1 no_key"},
    ),
    "the payment was made twice": (
        "insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)"
        " select overlay(payment_id::text placing 'ffffffffffff' from 25)::uuid, posted_at,"
        " ledger_id, feed_epoch, kind, metadata from ledger.payments where payment_id = {p4};"
        "insert into ledger.ledger_entries"
        " select overlay(payment_id::text placing 'ffffffffffff' from 25)::uuid, account_id,"
        " version + 1, ledger_id, posting_no, amount, held, balance_after + amount, held_after"
        " from ledger.ledger_entries where payment_id = {p4};"
        "update ledger.accounts set version = version + 1,"
        " balance = balance - case account_id when {a} then 7 else -7 end"
        " where account_id in ({a}, {b})",
        {"O1 no_key"},
    ),
    "one side of the payment is another amount": (
        "update ledger.ledger_entries set amount = amount + 1, balance_after = balance_after + 1"
        " where payment_id = {p4} and account_id = {b};"
        "update ledger.accounts set balance = balance + 1 where account_id = {b}",
        {"O1 other_content", "O2 unbalanced", "O2 money_made", "O4 answer_untrue"},
    ),
    "the payment says something else": (
        "update ledger.payments set description = 'x' where payment_id = {p4}",
        {"O1 other_content", "O4 answer_untrue"},
    ),
    "the payment's time is another": (
        "update ledger.payments set posted_at = posted_at + interval '1 us'"
        " where payment_id = {p4}",
        {"O4 answer_untrue"},
    ),
    "the balance is not the sum": (
        "update ledger.accounts set balance = balance + 1 where account_id = {a}",
        {"O3 account_differs"},
    ),
    "an unused account has money": (
        "update ledger.accounts set balance = 1 where ledger_id = {ledger} and code = 't:unused'",
        {"O3 account_differs"},
    ),
    "an entry does not follow": (
        "update ledger.ledger_entries set balance_after = balance_after + 1"
        " where ledger_id = {ledger} and account_id = {a} and version = 2",
        {"O3 chain", "O4 answer_untrue"},
    ),
    "a version is missing": (
        "update ledger.ledger_entries set version = version + 1"
        " where payment_id = {p4} and account_id = {a};"
        "update ledger.accounts set version = version + 1 where account_id = {a}",
        {"O3 versions", "O4 answer_untrue"},
    ),
    "the minimum in force was higher": (
        "update ledger.account_changes set min_balance = 420"
        " where ledger_id = {ledger} and account_id = {a}",
        {"O3 below_minimum"},
    ),
}


async def falsify_ledger(made: MadeHistory, sql: str) -> None:
    con = made.connection
    accounts = await con.fetchrow(
        "select max(account_id) filter (where code = 't:a') as a,"
        " max(account_id) filter (where code = 't:b') as b"
        " from ledger.accounts where ledger_id = $1",
        made.ledger_id,
    )
    payment = await con.fetchval(
        "select payment_id from ledger.idempotency_keys where ledger_id = $1 and key = 'p4'",
        made.ledger_id,
    )
    assert accounts is not None
    names = {"ledger": made.ledger_id, "a": accounts["a"], "b": accounts["b"]}
    async with con.transaction():
        await corrupt(con, sql.format(**names, p4=f"'{payment}'"))


@pytest.mark.parametrize(
    ("sql", "expected"),
    WRONG_LEDGERS.values(),
    ids=[name.replace(" ", "-") for name in WRONG_LEDGERS],
)
async def test_a_wrong_ledger_is_caught(
    sql: str, expected: set[str], superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    await falsify_ledger(made, sql)
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert set(verdict.breaches) == expected


async def test_a_minimum_counts_from_the_version_on_at_which_it_came_into_force(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    await superuser.execute(
        "select ledger.set_account_limits('t:a', 1000, null, $1)", made.ledger_id
    )
    assert (await verdict_on(made.lines, books, tmp_path)).sound


async def test_a_transaction_left_open_is_caught(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    async with books.connection("postgres") as other:
        await other.execute("begin; prepare transaction 'left'")
        try:
            verdict = await verdict_on(made.lines, books, tmp_path)
        finally:
            await other.execute("rollback prepared 'left'")
    assert set(verdict.breaches) == {"O7 lock_left"}


async def test_a_history_without_its_end_holds_nothing_undecided_against_anyone(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    a_request_never_decided(made.lines)
    verdict = await verdict_on(made.lines[:-1], books, tmp_path)
    assert verdict.sound
    assert not verdict.checked.ended


# -- windows of loss ------------------------------------------------------------------------------

LOST = "00000000-0000-7000-8000-000000000000"


def opens(lines: Lines, at: int) -> None:
    lines.insert(at, Mark(0, "failover_that_loses", "start", 9, 1, loses=True))


def closes(lines: Lines, at: int) -> None:
    last = lines[at - 1]
    assert not isinstance(last, Begin)
    over = Mark(last.at, "failover_that_loses", WINDOW_OVER, 9)
    lines[at:at] = [over, Mark(last.at, "failover_that_loses", "heal", 9)]


def a_lost_payment(lines: Lines) -> Lines:
    """What was acknowledged under a key and an id that the ledger does not have."""
    invoke, answered = invokes(lines, "p4")[0], answers(lines, "p4")[0]
    return [
        change(invoke, n=900, request=900, key="gone"),
        with_body(change(answered, n=900), payment_id=LOST),
    ]


def a_lost_read(lines: Lines) -> Served:
    return change(show(reads(lines)[-1], 9, 9), session=0, token="", at=lines[-2].at + 1)


async def test_what_is_acknowledged_and_shown_in_a_window_of_loss_may_be_gone(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    seen = a_lost_read(made.lines)
    made.lines[-1:-1] = [*a_lost_payment(made.lines), seen]
    opens(made.lines, -4)
    closes(made.lines, -1)
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert verdict.breaches == {}
    assert (verdict.checked.lost, verdict.checked.lost_reads) == (1, 1)


@pytest.mark.parametrize("where", ["asked before", "answered after"])
async def test_what_was_on_its_way_when_a_window_began_or_ended_belongs_to_it(
    where: str, superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    made.lines[-1:-1] = a_lost_payment(made.lines)
    if where == "asked before":
        opens(made.lines, -2)
        closes(made.lines, -1)
    else:
        opens(made.lines, -3)
        closes(made.lines, -2)
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert verdict.breaches == {}
    assert verdict.checked.lost == 1


@pytest.mark.parametrize("where", ["before", "after"])
async def test_outside_its_window_nothing_may_be_lost(
    where: str, superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    gone = a_lost_payment(made.lines)
    if where == "before":
        made.lines[-1:-1] = gone
        opens(made.lines, -1)
        closes(made.lines, -1)
    else:
        opens(made.lines, -1)
        closes(made.lines, -1)
        made.lines[-1:-1] = gone
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert set(verdict.breaches) == {"O1 lost"}
    assert verdict.checked.lost == 0


async def test_what_was_lost_is_not_shown_once_its_window_is_over(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    opens(made.lines, -1)
    closes(made.lines, -1)
    lost = change(a_lost_read(made.lines), at=made.lines[-1].at, etag='"9-f"')
    made.lines[-1:-1] = [lost]
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert set(verdict.breaches) == {"O5 read_of_nothing"}


async def test_a_read_that_names_the_epoch_given_up_is_caught(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    opens(made.lines, -1)
    closes(made.lines, -1)
    at = made.lines[-1].at
    true = show(reads(made.lines)[-1], 2, 70)
    for etag in ('"2-f"', '"2-e"'):  # the new one, and the old one
        made.lines[-1:-1] = [change(true, session=0, token="", at=at, etag=etag)]
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert set(verdict.breaches) - {"O5 stale"} == {"O5 epoch_kept"}


async def test_a_key_that_was_lost_is_posted_anew_and_then_holds(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    invoke, answered = invokes(made.lines, "p4")[0], answers(made.lines, "p4")[0]
    at = made.lines.index(invoke)
    lost = with_body(change(answered, n=900), payment_id=LOST)
    made.lines[at:at] = [change(invoke, n=900, request=900), lost]
    opens(made.lines, at)
    closes(made.lines, at + 3)
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert verdict.breaches == {}
    assert verdict.checked.lost == 1
    # Once more after the window, with the id that was lost.
    made.lines[-1:-1] = [change(invoke, n=901, request=901), change(lost, n=901, replayed=True)]
    verdict = await verdict_on(made.lines, books, tmp_path)
    assert set(verdict.breaches) == {"O1 other_payment", "O4 answers_differ"}


async def test_two_answers_to_one_key_in_one_window_do_not_differ(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    invoke, answered = a_lost_payment(made.lines)
    assert isinstance(invoke, Invoke)
    assert isinstance(answered, Answered)
    other = with_body(answered, payment_id=LOST.replace("7", "8"))
    made.lines[-1:-1] = [
        invoke,
        answered,
        change(invoke, n=901, request=901),
        change(other, n=901, replayed=True),
    ]
    opens(made.lines, -5)
    closes(made.lines, -1)
    assert set((await verdict_on(made.lines, books, tmp_path)).breaches) == {"O4 answers_differ"}


@pytest.mark.parametrize("since", ["refused again", "posted", "never asked again"])
async def test_a_refusal_of_a_window_binds_nobody(
    since: str, superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    lines = made.lines
    key = {"refused again": "r1", "posted": "p4", "never asked again": "r2"}[since]
    refusal = with_body(answers(lines, "r1")[0], available="0.01")
    lines[1:1] = [
        change(invokes(lines, "p4" if since == "posted" else "r1")[0], n=900, request=900, key=key),
        change(refusal, n=900, replayed=False),
    ]
    opens(lines, 1)
    closes(lines, 4)
    assert (await verdict_on(lines, books, tmp_path)).breaches == {}


async def test_payments_of_others_in_the_same_ledger_are_no_breach(
    superuser: Connection, books: Database, tmp_path: Path
) -> None:
    made = await make_history(superuser)
    lines = list(made.lines)
    for code in ("o:one", "o:two"):
        await superuser.execute(
            "select ledger.create_account($1, 'USD', p_min_balance => null, p_ledger_id => $2)",
            code,
            made.ledger_id,
        )
    await made.pay("theirs", "o:one", "o:two", 3)
    assert (await verdict_on(lines, books, tmp_path)).sound


async def test_the_program_names_the_breach_with_its_evidence_and_ends_with_1(
    superuser: Connection, books: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = await make_history(superuser)
    dsn = books.dsn("postgres")
    good = write(made.lines, tmp_path / "good")
    a_refusal_of_what_was_posted(made.lines)
    bad = write(made.lines, tmp_path / "bad")
    run = asyncio.to_thread
    assert await run(main, ["check", str(good), "--dsn", dsn]) == 0
    assert "verdict: sound" in capsys.readouterr().out
    file = tmp_path / "verdict.json"
    assert await run(main, ["check", str(bad), "--dsn", dsn, "--json", str(file)]) == 1
    said = capsys.readouterr().out
    assert "O1 refused_but_posted" in said
    assert "verdict: broken" in said
    (evidence,) = json.loads(file.read_text())["evidence"]
    assert evidence["key"] == "p4"
    assert [json.loads(line)["is"] for line in evidence["history"]] == ["invoke", "answer"]
    assert evidence["ledger"][0]["payment"]
    assert await run(main, ["check", str(tmp_path / "none"), "--dsn", dsn]) == 2
