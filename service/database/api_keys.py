"""API keys: `plk_ID_SECRET`. The database keeps a digest, the owner the secret."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from service.database.migrations import Connection

SECRET_BYTES = 32
SCOPES = ("read", "write", "admin")

# Decoding forgives much; only the one spelling of each key counts. 32 bytes are 42 characters and
# 4 bits, so the last character is one of 16.
_TOKEN = re.compile(r"plk_(0|[1-9][0-9]{0,17})_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])")


@dataclass(frozen=True)
class ApiKey:
    """What the database knows about a key."""

    api_key_id: int
    name: str
    scopes: tuple[str, ...]
    ledger_ids: tuple[int, ...] | None  # None: every ledger
    created_at: datetime
    revoked_at: datetime | None


def render_token(api_key_id: int, secret: bytes) -> str:
    """The whole key, as it stands after `Bearer `."""
    return f"plk_{api_key_id}_{urlsafe_b64encode(secret).rstrip(b'=').decode()}"


def parse_token(token: str) -> tuple[int, bytes] | None:
    """The key's id and secret; None for what render_token cannot have made."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else (int(match[1]), urlsafe_b64decode(match[2] + "="))


async def create(
    con: Connection, name: str, scopes: Sequence[str], ledger_ids: Sequence[int] | None
) -> str:
    """Makes a key and gives its token, for the only time."""
    secret = secrets.token_bytes(SECRET_BYTES)
    api_key_id = await con.fetchval(
        "select ledger.create_api_key($1, $2, $3, $4)",
        name,
        hashlib.sha256(secret).digest(),
        list(scopes),
        None if ledger_ids is None else list(ledger_ids),
    )
    return render_token(api_key_id, secret)


async def list_all(con: Connection) -> list[ApiKey]:
    """Every key ever made, revoked ones too."""
    rows = await con.fetch(
        """
        select api_key_id, name, scopes, ledger_ids, created_at, revoked_at
        from ledger.list_api_keys()
        order by api_key_id
        """
    )
    return [
        ApiKey(
            row["api_key_id"],
            row["name"],
            tuple(row["scopes"]),
            None if row["ledger_ids"] is None else tuple(row["ledger_ids"]),
            row["created_at"],
            row["revoked_at"],
        )
        for row in rows
    ]


async def revoke(con: Connection, api_key_id: int) -> bool:
    """False when there is no such key, or it is revoked already."""
    revoked: bool = await con.fetchval("select ledger.revoke_api_key($1)", api_key_id)
    return revoked


async def is_valid(con: Connection, token: str, scopes: Sequence[str]) -> bool:
    """Whether the token is a live key with all these scopes, bound to no ledger."""
    if (parsed := parse_token(token)) is None:
        return False
    api_key_id, secret = parsed
    row = await con.fetchrow(
        "select secret_sha256, scopes, ledger_ids from ledger.find_api_key($1)", api_key_id
    )
    return (
        row is not None
        and secrets.compare_digest(row["secret_sha256"], hashlib.sha256(secret).digest())
        and set(scopes) <= set(row["scopes"])
        and row["ledger_ids"] is None
    )
