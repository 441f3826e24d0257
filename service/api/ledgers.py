"""/v1/ledgers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from service.api import answers, documents
from service.api.json_bodies import BODY_LIMIT, read_json, read_struct
from service.api.resources import ACCESS, GATEWAY
from service.errors import Problem

if TYPE_CHECKING:
    from aiohttp import web


class _NewLedger(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None = None
    idempotency_retention_seconds: int | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


async def create_ledger(request: web.Request) -> web.Response:
    """201 for a new one, 200 for one that is there with the same content."""
    await request.app[ACCESS].admit_everywhere(request, "admin")
    new = read_struct(await read_json(request, BODY_LIMIT), _NewLedger)
    ledger = await request.app[GATEWAY].create_ledger(
        new.name,
        _retention(new.idempotency_retention_seconds),
        bytes(new.metadata).decode(),
    )
    return answers.rendered(documents.ledger(ledger), 201 if ledger.created else 200)


def _retention(seconds: int | None) -> timedelta | None:
    try:
        return None if seconds is None else timedelta(seconds=seconds)
    except OverflowError:
        raise Problem("retention_invalid", {"retention": str(seconds)}) from None
