"""ledger.verify_ledger: finds whatever a superuser may do to the books, and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import pytest
from corruptions import BOOKS, CORRUPTIONS, WORDS, corrupt
from support.databases import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.databases import Connection
    from support.servers import Server

# How a helper's text gives a breach its name.
BREACH_NAMES = re.compile(r"(?:select|then|else)\s+'([a-z_]+)'")


class Breach(NamedTuple):
    breach: str
    ledger_id: int | None
    subject: str
    detail: str


async def verify(
    con: Connection, ledger_id: int | None = None, part: tuple[int, int] = (1, 1)
) -> list[Breach]:
    rows = await con.fetch("select * from ledger.verify_ledger($1, $2, $3)", ledger_id, *part)
    return [Breach(*row) for row in rows]


@pytest.fixture(scope="module")
def books(server: Server) -> Iterator[Database]:
    """One set of books for all corruptions."""
    database = Database(server, server.new_database())
    database.sql(BOOKS)
    yield database
    server.postgres.drop_database(database.name)


@pytest.fixture
async def forger(books: Database) -> AsyncIterator[Connection]:
    """A superuser in a transaction, which is rolled back."""
    async with books.connection("postgres") as con:
        await con.execute(WORDS)
        await con.execute("begin")
        yield con
        await con.execute("rollback")


@pytest.mark.parametrize(
    ("sql", "expected"), CORRUPTIONS.values(), ids=[name.replace(" ", "-") for name in CORRUPTIONS]
)
async def test_a_corruption_is_found_and_nothing_else(
    forger: Connection, sql: str, expected: dict[str, int]
) -> None:
    await corrupt(forger, sql)
    assert Counter(row.breach for row in await verify(forger)) == expected


async def test_every_breach_of_the_books_is_among_the_corruptions(forger: Connection) -> None:
    sources = await forger.fetch(
        "select prosrc from pg_proc where pronamespace = 'ledger_private'::regnamespace"
        " and proname like 'verify\\_%' and prorettype = 'record'::regtype and proretset"
    )
    named = {name for row in sources for name in BREACH_NAMES.findall(row["prosrc"])}
    assert len(named) > 30
    assert named == {name for _, expected in CORRUPTIONS.values() for name in expected}


async def test_books_that_were_only_posted_to_are_sound(forger: Connection) -> None:
    assert await verify(forger) == []


# -- slices --------------------------------------------------------------------------------------


async def every_slice(
    con: Connection, slices: int, ledger_id: int | None = None
) -> list[tuple[Breach, ...]]:
    return [
        tuple(await verify(con, ledger_id, (number, slices))) for number in range(1, slices + 1)
    ]


@pytest.mark.parametrize("slices", [2, 3, 100])
async def test_the_slices_together_find_what_the_whole_finds(
    forger: Connection, slices: int
) -> None:
    for name in (
        "another balance",
        "an account that is gone",
        "an account frozen afterwards",
        "a maximum lowered afterwards",
        "a payment and everything after it changed, as if it had always been so",
        "something held at an entry",
        "versions that two entries share, in two partitions",
        "a posting of a compound payment that is gone",
        "a payment whose entries are gone",
        "a payment related to none",
        "a key that is gone",
        "a refusal of no known code",
        "rows in the default partition",
    ):
        await corrupt(forger, CORRUPTIONS[name][0])
    whole = await verify(forger)
    assert len({row.breach for row in whole}) > 12
    # A breach that a partition holds is told by each slice that meets it.
    parts = await every_slice(forger, slices)
    assert Counter(row for part in parts for row in part) == Counter(whole)
    assert sum(part != () for part in parts) > 1


async def test_what_is_posted_between_slices_lets_no_part_be_left_out(database: Database) -> None:
    """The boundaries move while the newest payment does; from new to old that does no harm."""
    forger = await database.connect("postgres")
    await forger.execute(BOOKS)
    post = (
        "select ledger.post_payment('more-' || n, 'world', 'alice', 1, 'USD')"
        " from generate_series($1::int, $1 + 9) n"
    )
    create = "select ledger.create_account('new-' || n, 'USD') from generate_series($1, $1 + 9) n"
    for number in range(0, 100, 10):
        await forger.execute(post, number)
    await corrupt(
        forger,
        """
        update ledger.idempotency_keys set fingerprint = sha256('x') where payment_id is not null;
        update ledger.accounts set metadata = '{"forged": true}'
        """,
    )
    whole = set(await verify(forger))
    assert len(whole) > 110
    found: set[Breach] = set()
    for number in range(1, 6):
        found |= set(await verify(forger, part=(number, 5)))
        await forger.execute(post, 1000 * number)
        await forger.execute(create, 1000 * number)
    assert whole <= found


@pytest.mark.parametrize(
    ("slice_", "slices"), [(0, 1), (2, 1), (-1, 3), (1, 0), (None, 1), (1, None)]
)
async def test_a_slice_that_is_none_is_refused(
    forger: Connection, slice_: int | None, slices: int | None
) -> None:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await forger.fetch("select * from ledger.verify_ledger(null, $1, $2)", slice_, slices)
    assert refusal.value.sqlstate == "LG614"


async def test_a_ledger_that_is_none_is_refused(forger: Connection) -> None:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await verify(forger, 77)
    assert refusal.value.sqlstate == "LG301"


async def test_each_slice_is_of_its_ledger_and_only_the_first_looks_at_the_catalogue(
    forger: Connection,
) -> None:
    other = await forger.fetchval("select ledger_id from ledger.create_ledger('other')")
    await forger.execute(
        "select ledger.create_account(code, 'USD', p_min_balance => null, p_ledger_id => $1)"
        " from unnest(array['a', 'b']) code",
        other,
    )
    await forger.execute(
        "select ledger.post_payment('k', 'a', 'b', 9, 'USD', p_ledger_id => $1)", other
    )
    await corrupt(forger, "update ledger.idempotency_keys set fingerprint = sha256('x')")
    await forger.execute("alter table ledger.feed_epochs disable trigger refuse_change")
    found = {ledger_id: await verify(forger, ledger_id) for ledger_id in (1, other, None)}
    unguarded = Counter({("trigger_missing", None): 2})
    mine = Counter({("fingerprint_differs", 1): 8})
    others = Counter({("fingerprint_differs", other): 1})
    assert {
        ledger_id: Counter((row.breach, row.ledger_id) for row in rows)
        for ledger_id, rows in found.items()
    } == {1: mine + unguarded, other: others + unguarded, None: mine + others + unguarded}
    assert {row.breach for row in await verify(forger, None, (2, 2))} == {"fingerprint_differs"}


# -- who ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["ledger_auditor", "ledger_admin"])
async def test_auditors_and_administrators_may_verify(forger: Connection, role: str) -> None:
    await forger.execute(f"set local role {role}")
    assert await verify(forger) == []


@pytest.mark.parametrize("role", ["ledger_app", "ledger_relay", "ledger_reader"])
async def test_others_may_not_verify(forger: Connection, role: str) -> None:
    await forger.execute(f"set local role {role}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await verify(forger)
