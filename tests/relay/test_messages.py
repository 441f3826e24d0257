"""What the database writes as the relay's messages, a listener reads as what was told.

PAYLEDGER_TEST_EXAMPLES sets how many examples are tried.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.databases import Database
from support.messages import any_change, key_blocks

from service.cache import notices
from service.cache.model import Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection
    from support.servers import Server

# The database is shared by the examples: nothing is written there.
relaxed = settings(
    max_examples=int(os.environ.get("PAYLEDGER_TEST_EXAMPLES", "80")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

READ_AT = 1_795_621_945.79
MOST_BYTES = 7_999  # that NOTIFY takes
WRITTEN = """
select ledger_private.relay_messages(
  7, $1, $2, to_timestamp($3::float8), $4::text[], $5, $6::bytea, $7::bytea
)
"""
# No change is longer.
LARGEST = (2**31 - 1, Change("x" * 128, 2**63 - 1, "C" * 12, "-" + "9" * 38, "9" * 38))

changes = st.lists(any_change | st.just(LARGEST), max_size=120)
# As of postings, and as of what was set on accounts.
separators = st.sampled_from([(",", ":"), (", ", ": ")])


@pytest.fixture
async def con(server: Server, shared_database: str) -> AsyncIterator[Connection]:
    database = Database(server, shared_database)
    yield await database.connect("postgres")
    await database.close()


@relaxed
@example(told=[LARGEST] * 300, lsn=2**63 - 1, texts=("e", "g"), secret=b"s", separator=(", ", ":"))
@example(told=[LARGEST] * 30, lsn=1, texts=("e" * 12, "g" * 20), secret=b"s", separator=(",", ":"))
@example(told=[], lsn=None, texts=("e", "g"), secret=b"", separator=(",", ":"))
@given(
    told=changes,
    lsn=st.none() | st.integers(0, 2**63 - 1),
    texts=st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    ),
    secret=st.binary(max_size=64),
    separator=separators,
)
async def test_what_the_database_tells_a_listener_hears(
    con: Connection,
    told: list[tuple[int, Change]],
    lsn: int | None,
    texts: tuple[str, str],
    secret: bytes,
    separator: tuple[str, str],
) -> None:
    written = [json.dumps(msgspec.to_builtins(one), separators=separator) for one in told]
    messages = await con.fetchval(WRITTEN, *texts, READ_AT, written, lsn, *key_blocks(secret))
    assert max(len(message.encode()) for message in messages) <= MOST_BYTES
    heard = [notices.decode(message, secret) for message in messages]
    assert [change for notice in heard if notice for change in notice.changes] == told
    epoch, generation = texts
    beats = []
    for notice in heard:
        assert notice is not None
        assert notice[:4] == (7, epoch, generation, READ_AT)
        beats.append(notice.heartbeat)
    beat = None if lsn is None else notices.Heartbeat(7, epoch, generation, lsn, 0.0)
    assert beats == [None] * (len(beats) - 1) + [beat]


async def test_messages_are_about_as_few_as_they_can_be(con: Connection) -> None:
    secret = hashlib.sha256(b"secret").digest()
    largest = msgspec.json.encode(LARGEST).decode()
    for count in (1, 20, 27, 28, 100, 300):
        messages = await con.fetchval(
            WRITTEN, "e", "g", READ_AT, [largest] * count, 1, *key_blocks(secret)
        )
        fewest = -(-count * (len(largest) + 1) // 7_300)
        assert fewest <= len(messages) <= fewest + 1
