"""Tokens, conditions, and the headers of a balance."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from service.api import balances
from service.api.resources import ACCESS, BALANCES
from service.api.tokens import Token, names, read_token, write_token
from service.cache.model import CachedBalance, Served

ETAG = '"7-0123456789ab"'


def test_a_token_comes_back_as_it_was_told() -> None:
    for token in (Token(0, "0123456789ab"), Token(2**63 - 1, "abcdefabcdef")):
        assert read_token(write_token(token.version, token.epoch or "")) == token
    assert read_token("12") == Token(12, None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", "x", "-1", "1-", "1-2-3", "1.0", "1e3", "+1", " 1", "1 ", "\u0661"),
        *("1-0123456789AB", "1-0123456789a", "1-0123456789abc", "1-0123456789ag", '"1"'),
        *(str(2**63), "1" * 20),
    ],
)
def test_what_is_no_token_is_none(text: str) -> None:
    assert read_token(text) is None


@pytest.mark.parametrize(
    ("conditions", "named"),
    [
        ([ETAG], True),
        ([f"W/{ETAG}"], True),
        (["*"], True),
        ([" * "], True),
        ([f'"6-0123456789ab", W/{ETAG}'], True),
        ([f'"a,b" ,\t{ETAG},"c"'], True),
        ([f",, {ETAG} ,"], True),
        (['"6-0123456789ab"', ETAG], True),  # two headers are one list
        (['"6-0123456789ab"'], False),
        (['"7-ba9876543210"'], False),
        (['"7"'], False),
        ([""], False),
        ([","], False),
        (["7-0123456789ab"], False),  # no quotes
        ([f"*, {ETAG}"], False),
        ([f"w/{ETAG}"], False),
        ([f"{ETAG} {ETAG}"], False),
        ([f"{ETAG}x"], False),
        ([f'"{ETAG}"'], False),
        (['"' * 100_001], False),  # and soon
    ],
)
def test_a_condition_names_the_tag_or_not(conditions: list[str], named: bool) -> None:
    assert names(conditions, ETAG) is named


class _Near:
    """Lets everybody in, and has a balance that is almost four seconds old."""

    async def admit(self, *_: object) -> int:
        return 1

    async def read(self, *_: object, **__: object) -> Served:
        return Served(CachedBalance("alice", "USD", 7, "12", "5"), "l2", 3.99, "0123456789ab")


@pytest.mark.parametrize("condition", [None, ETAG])
async def test_the_age_is_told_in_whole_seconds_and_the_layer_beside_it(
    condition: str | None,
) -> None:
    app = web.Application()
    app[ACCESS] = app[BALANCES] = _Near()  # type: ignore[misc]
    request = make_mocked_request(
        "GET",
        "/",
        headers={} if condition is None else {"If-None-Match": condition},
        match_info={"code": "alice"},
        app=app,
    )
    answer = await balances.get_balance(request)
    assert answer.status == (200 if condition is None else 304)
    told = ("ETag", "Age", "Payledger-Source", "Cache-Control")
    assert [answer.headers[name] for name in told] == [ETAG, "3", "l2", "private, no-cache"]
    assert (answer.body is None) == (condition is not None)
