"""/v1/ledgers/{ledger}/accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from service.api import answers, documents
from service.api.cursors import AccountsCursor, EntriesCursor, read_cursor, write_cursor
from service.api.json_bodies import BODY_LIMIT, read_json, read_struct
from service.api.parameters import account_code, limit, query
from service.api.payment_bodies import DIGITS
from service.api.resources import ACCESS, BALANCES, GATEWAY
from service.cache.model import Change

if TYPE_CHECKING:
    from aiohttp import web

_ACCOUNTS_A_PAGE = 100
_ENTRIES_A_PAGE = 50


class _NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    code: str | None = None
    currency: str | None = None
    type: str | None = "liability"
    min_balance: int | str | None = 0
    max_balance: int | str | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


async def create_account(request: web.Request) -> web.Response:
    """201 for a new one, 200 for one that is there with the same content."""
    ledger_id = await request.app[ACCESS].admit(request, "write")
    new = read_struct(await read_json(request, BODY_LIMIT), _NewAccount)
    account = await request.app[GATEWAY].create_account(
        new.code,
        new.currency,
        new.type,
        _limit(new.min_balance),
        _limit(new.max_balance),
        bytes(new.metadata).decode(),
        ledger_id,
    )
    if account.created:  # somebody may just have been told that there is none
        new_balance = Change(account.code, 0, account.currency, account.balance, account.held)
        request.app[BALANCES].heard(ledger_id, [new_balance])
    return answers.rendered(documents.account(account), 201 if account.created else 200)


async def list_accounts(request: web.Request) -> web.Response:
    """By code; a page may be the last one and yet give a cursor, to an empty page."""
    ledger_id = await request.app[ACCESS].admit(request, "read")
    given = query(request, "prefix", "cursor", "limit")
    after = read_cursor(given["cursor"], AccountsCursor).after if "cursor" in given else None
    most = limit(given, _ACCOUNTS_A_PAGE)
    accounts = await request.app[GATEWAY].list_accounts(
        given.get("prefix", ""), after, most, ledger_id
    )
    return answers.rendered(
        {
            "accounts": [documents.account(account) for account in accounts],
            "next_cursor": (
                write_cursor(AccountsCursor(accounts[-1].code)) if len(accounts) == most else None
            ),
        }
    )


async def get_account(request: web.Request) -> web.Response:
    """An account with its state."""
    ledger_id = await request.app[ACCESS].admit(request, "read")
    query(request)
    account = await request.app[GATEWAY].get_account(account_code(request), ledger_id)
    return answers.rendered(documents.account(account))


async def list_entries(request: web.Request) -> web.Response:
    """Newest first. Versions run down to 1 without a gap, so the end is known."""
    ledger_id = await request.app[ACCESS].admit(request, "read")
    given = query(request, "cursor", "limit")
    before = read_cursor(given["cursor"], EntriesCursor).before if "cursor" in given else None
    entries = await request.app[GATEWAY].list_entries(
        account_code(request), before, limit(given, _ENTRIES_A_PAGE), ledger_id
    )
    return answers.rendered(
        {
            "entries": [documents.entry(entry) for entry in entries],
            "next_cursor": (
                write_cursor(EntriesCursor(entries[-1].version))
                if entries and entries[-1].version > 1
                else None
            ),
        }
    )


def _limit(value: int | str | None) -> Decimal | None:
    """NaN for what is not spelled as an integer: SQL refuses it as limits_invalid."""
    if value is None:
        return None
    return Decimal(value if isinstance(value, int) or DIGITS.fullmatch(value) else "NaN")
