"""The balance of an account. What is in this process's memory is answered by service.api.hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from multidict import istr

from service.api import answers, documents
from service.api.parameters import account_code, query
from service.api.resources import ACCESS, BALANCES
from service.api.tokens import Token, names, read_token, write_token
from service.cache.model import AccountKey
from service.errors import Problem

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from service.cache.model import Served

ROUTE = "/v1/ledgers/{ledger}/accounts/{code}/balance"

# Whoever keeps it has to ask whether it is still so.
CACHE_CONTROL = "private, no-cache"

# Prepared once, as those of hdrs; there it is spelled Etag.
_ETAG, _SOURCE = istr("ETag"), istr("Payledger-Source")


async def get_balance(request: web.Request) -> web.Response:
    """From the nearest layer that may answer; 304 for whoever has this version already."""
    ledger_id = await request.app[ACCESS].admit(request, "read")
    least, strong = _wanted(request)
    key = AccountKey(ledger_id, account_code(request))
    balances = request.app[BALANCES]
    version = None if least is None else least.version
    epoch = None if least is None else least.epoch
    served = await balances.read(key, min_version=version, epoch=epoch, strong=strong)
    tag = etag(served)
    sent: dict[str, str] = {
        _ETAG: tag,
        hdrs.CACHE_CONTROL: CACHE_CONTROL,
        hdrs.AGE: str(int(served.age_seconds)),
        _SOURCE: served.layer,
    }
    if is_known(request.headers, tag):
        return web.Response(status=304, headers=sent)
    return answers.rendered(documents.balance(served.balance), headers=sent)


def _wanted(request: web.Request) -> tuple[Token | None, bool]:
    """The token to be reached, and whether the primary is to be asked."""
    if not request.query_string:
        return None, False
    given = query(request, "min_version", "consistency")
    least = None
    if (text := given.get("min_version")) is not None and (least := read_token(text)) is None:
        raise _malformed("min_version", "neither a version nor a token, VERSION-EPOCH")
    if (consistency := given.get("consistency")) not in (None, "strong"):
        raise _malformed("consistency", "not strong")
    return least, consistency is not None


def etag(served: Served) -> str:
    """The token in quotes."""
    return f'"{write_token(served.balance.version, served.epoch)}"'


def is_known(asked: CIMultiDictProxy[str], tag: str) -> bool:
    """Whether who asks has this version already: then 304 is enough."""
    conditions = asked.getall(hdrs.IF_NONE_MATCH, ())
    return bool(conditions) and names(conditions, tag)


def _malformed(parameter: str, reason: str) -> Problem:
    return Problem("parameter_malformed", {"parameter": parameter, "reason": reason})
