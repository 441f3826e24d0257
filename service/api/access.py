"""Who may do what, in which ledger: API keys, their scopes and their ledgers."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from aiohttp import hdrs

from service.api.expiring import Expiring
from service.database.api_keys import parse_token
from service.errors import Problem
from service.ledger.poster import Owner

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import CIMultiDictProxy

    from service.ledger.gateway import ApiKey, Gateway

    Headers: TypeAlias = CIMultiDictProxy[str]

Scope: TypeAlias = Literal["read", "write", "admin"]

# A revoked key works this long at most: well within the promised 5 s.
_KEY_SECONDS = 2.0
_MOST_KEYS = 10_000
_MOST_READ = 1_000  # headers

# A ledger's name and id never change; only a restored database can disagree.
_LEDGER_SECONDS = 60.0
_MOST_LEDGERS = 10_000

_LEDGER_NAME = re.compile(r"[a-z0-9-]{1,63}")


class Access:
    """Decides what a request may do. Asks the database at most once in a while for each key."""

    def __init__(self, gateway: Gateway) -> None:
        self._credentials = _Credentials()
        self._keys = Expiring(gateway.find_api_key, seconds=_KEY_SECONDS, most=_MOST_KEYS)
        self._ledgers = Expiring(gateway.find_ledger, seconds=_LEDGER_SECONDS, most=_MOST_LEDGERS)

    async def admit(self, request: web.Request, scope: Scope) -> int:
        """The id of the ledger in the path. Raises Problem, in order: 401, 403, 404."""
        return (await self.identify(request, scope)).ledger_id

    async def identify(self, request: web.Request, scope: Scope) -> Owner:
        """The same, and the id of the API key: who asks, and where."""
        api_key_id, key = await self._authorize(request, scope)
        ledger_id = await self._find_ledger(request.match_info["ledger"])
        if key.ledger_ids is not None and ledger_id not in key.ledger_ids:
            # An unknown ledger as well: whoever may not see a ledger learns nothing about it.
            raise Problem("forbidden", {"scope": scope})
        if ledger_id is None:
            raise Problem("unknown_ledger")
        return Owner(ledger_id, api_key_id)

    def recall(self, headers: Headers, ledger: str, scope: Scope) -> Owner | None:
        """What `identify` answers, if that is known already; None: ask it, for a refusal too."""
        credentials = self._credentials.of(headers)
        if credentials is None:
            return None
        key = self._keys.peek(credentials[0])
        found = self._ledgers.peek(ledger)
        if (
            key is None
            or found is None
            or not hmac.compare_digest(credentials[1], key.secret_sha256)
            or scope not in key.scopes
            or (key.ledger_ids is not None and found.ledger_id not in key.ledger_ids)
        ):
            return None
        return Owner(found.ledger_id, credentials[0])

    async def admit_everywhere(self, request: web.Request, scope: Scope) -> None:
        """For what concerns no single ledger: a key bound to some will not do."""
        _, key = await self._authorize(request, scope)
        if key.ledger_ids is not None:
            raise Problem("forbidden", {"scope": scope})

    async def _authorize(self, request: web.Request, scope: Scope) -> tuple[int, ApiKey]:
        credentials = self._credentials.of(request.headers)
        if credentials is None:
            raise _unauthorized()
        api_key_id, digest = credentials
        key = await self._keys.get(api_key_id)
        if key is None or not hmac.compare_digest(digest, key.secret_sha256):
            raise _unauthorized()
        if scope not in key.scopes:
            raise Problem("forbidden", {"scope": scope})
        return api_key_id, key

    async def _find_ledger(self, name: str) -> int | None:
        if not _LEDGER_NAME.fullmatch(name):
            return None
        ledger = await self._ledgers.get(name)
        if ledger is None:
            self._ledgers.forget(name)  # it may be created any moment
            return None
        return ledger.ledger_id


class _Credentials:
    """What Authorization headers say: read once, as clients send the same one again and again.

    Kept by their digests, so that no secret stays in memory, and a long header takes no more of it
    than a short one. Who is slow to be answered learns that the whole header was not seen lately,
    and nothing about any part of it.
    """

    def __init__(self) -> None:
        self._read: dict[bytes, tuple[int, bytes]] = {}  # the oldest first

    def of(self, headers: Headers) -> tuple[int, bytes] | None:
        """The key's id and its secret's SHA-256, true or not; None: there is no one key."""
        given = headers.getall(hdrs.AUTHORIZATION, ())
        if len(given) != 1:
            return None
        header = given[0]
        # aiohttp gives bytes that are no UTF-8 in this form.
        digest = hashlib.sha256(header.encode(errors="surrogateescape")).digest()
        read = self._read.get(digest)
        if read is not None:
            return read

        scheme, _, token = header.partition(" ")
        parsed = parse_token(token.lstrip(" ")) if scheme.lower() == "bearer" else None
        if parsed is None:
            return None
        if len(self._read) >= _MOST_READ:
            del self._read[next(iter(self._read))]
        read = self._read[digest] = (parsed[0], hashlib.sha256(parsed[1]).digest())
        return read


def _unauthorized() -> Problem:
    return Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="payledger"'})
