"""Cursors that read_feed did not give, or not for this database."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from support.feeds import FeedReader, open_feed, raises

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.feeds import Feed
    from support.servers import Server

STRANGE: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, 2**63, "", " ", "x", "3:3:", "5:4:", "0:0:", "1:9:5,5",
    "-1:5:", "18446744073709551615:18446744073709551615:", "99999999999999999999:1:", "1:5:4,3",
    "00000000-0000-0000-0000-000000000000", "1.1.00000001.1", [], [1], {}, {"a": {"b": [None]}},
    "now", "infinity", "1e5", "0x1F", "\U0001f600", "1" * 5000, {"epoch": "1.1.00000001.1"},
]  # fmt: skip


@pytest.fixture
async def feed(server: Server, shared_database: str) -> AsyncIterator[Feed]:
    async with open_feed(server, shared_database) as feed:
        yield feed


@pytest.fixture
async def cursors(feed: Feed) -> list[dict[str, Any]]:
    """One of each kind: the end, after a poll, between pages of a sweep, and of a poll."""
    taken = []

    async def take() -> None:
        taken.append(json.loads(feed.reader.cursor or ""))

    await take()
    for n in range(3):
        await feed.post(f"k{n}")
    await feed.reader.page(2)
    await take()
    async with feed.writer.transaction():
        await feed.post("running", "a5", "a6", by=feed.writer)
        await feed.post("k4")
        await feed.reader.window()
        await take()
        for n in range(3):
            await feed.post(f"more-{n}")
        await feed.reader.page(2)
        await take()
    assert [cursor.get("sweeping") for cursor in taken] == [None, True, None, False]
    assert "," not in taken[0]["since"]
    return taken


async def test_a_cursor_ahead_of_the_database_is_refused(
    feed: Feed, cursors: list[dict[str, Any]]
) -> None:
    for cursor in cursors:
        end = "upto" if "upto" in cursor else "since"
        ahead = json.dumps(cursor | {end: "900000000:900000000:"})
        async with raises("feed_cursor_ahead") as raised:
            await FeedReader(feed.reader.con, ahead).page()
        assert raised.detail["cursor_xid"] == "900000000"


async def test_a_cursor_of_another_database_is_refused(
    feed: Feed, cursors: list[dict[str, Any]]
) -> None:
    """A copy of this one in the same cluster, for example: the same epoch, other payments."""
    for cursor in cursors:
        epoch, system, timeline, database = cursor["epoch"].split(".")
        for other in (
            [epoch, system, timeline, "1"],
            [epoch, system, "0000000F", database],
            [epoch, "7", timeline, database],
            ["77", system, timeline, database],
        ):
            async with raises("feed_epoch_ended"):
                await FeedReader(
                    feed.reader.con, json.dumps(cursor | {"epoch": ".".join(other)})
                ).page()


async def test_each_part_of_a_cursor_must_be_there_and_no_other(
    feed: Feed, cursors: list[dict[str, Any]]
) -> None:
    for cursor in cursors:
        spoilt = [{key: cursor[key] for key in cursor if key != name} for name in cursor]
        spoilt += [cursor | {"other": 1}, cursor | {"epoch": None}, cursor | {"swept_at": "0"}]
        for each in spoilt:
            async with raises("feed_cursor_malformed"):
                await FeedReader(feed.reader.con, json.dumps(each)).page()


def spoil(cursor: dict[str, Any], rng: random.Random) -> Any:
    """The cursor with something about it changed."""
    name = rng.choice([*cursor, "other"])
    how = rng.randrange(4)
    if how == 0:
        return {key: cursor[key] for key in cursor if key != name}
    if how == 1:
        return cursor | {name: rng.choice(STRANGE)}
    if how == 2 and isinstance(text := cursor.get(name), str):
        at = rng.randrange(len(text) + 1)
        return cursor | {name: text[:at] + rng.choice("0159:,.-aF '\"\u00e9") + text[at + 1 :]}
    return rng.choice(STRANGE)


async def code_of_page(reader: FeedReader, limit: int) -> str:
    """The SQLSTATE that a page ends with."""
    try:
        await reader.page(limit)
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    return "00000"


async def test_any_cursor_gives_a_page_or_is_refused_by_its_code(
    feed: Feed, cursors: list[dict[str, Any]]
) -> None:
    rng = random.Random(7)
    malformed = 0
    for _ in range(1000):
        cursor = json.dumps(spoil(rng.choice(cursors), rng))
        code = await code_of_page(FeedReader(feed.reader.con, cursor), rng.randrange(1, 1001))
        assert code in ("00000", "LG701", "LG704", "LG706"), cursor
        malformed += code == "LG701"
    assert malformed > 600
