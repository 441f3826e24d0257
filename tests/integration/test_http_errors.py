"""The catalogue in SQL, in Python and on the page is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import CATALOGUE

if TYPE_CHECKING:
    import asyncpg


async def test_sql_has_the_codes_of_the_catalogue_in_the_same_order(
    admin: asyncpg.Connection,
) -> None:
    rows = await admin.fetch(
        "select code, outcome, sqlstate, message from ledger.error_codes order by precedence"
    )
    assert [tuple(row) for row in rows] == [
        (definition.code, definition.outcome, definition.sqlstate, definition.title)
        for definition in CATALOGUE
        if definition.sqlstate is not None
    ]
