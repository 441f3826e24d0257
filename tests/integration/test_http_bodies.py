"""Bodies that are not sound JSON, not declared as such, or too large: refused, nothing written."""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from http_support import connect, fresh_key, raw, read_answer

if TYPE_CHECKING:
    from http_support import Api
    from support.answers import Answer

FINE = '"from":"bank","to":"alice","amount":"100","currency":"USD"'


def with_metadata(json: str) -> bytes:
    return f'{{{FINE},"metadata":{json}}}'.encode()


def nested(levels: int) -> str:
    """An object in lists; `levels` in all."""
    return '{"a":' + "[" * (levels - 1) + "]" * (levels - 1) + "}"


MALFORMED = {
    "nothing": (b"", "not JSON"),
    "spaces": (b"  \n", "not JSON"),
    "words": (b"hello", "not JSON"),
    "cut off": (b'{"from":"bank"', "not JSON"),
    "two documents": (b"{}{}", "not JSON"),
    "a trailing comma": (b'{"a":1,}', "not JSON"),
    "a comment": (b"{} // x", "not JSON"),
    "single quotes": (b"{'a':1}", "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "a raw control character": (with_metadata('{"a":"\x01"}'), "not JSON"),
    "a raw NUL": (with_metadata('{"a":"\x00"}'), "not JSON"),
    "a number with a leading zero": (with_metadata('{"a":01}'), "not JSON"),
    "a bare minus": (with_metadata('{"a":-}'), "not JSON"),
    "a bad escape": (with_metadata('{"a":"\\x41"}'), "not JSON"),
    "half an escape": (with_metadata('{"a":"\\u12"}'), "not JSON"),
    "Latin-1": (b'{"description":"caf\xe9"}', "not UTF-8"),
    "overlong UTF-8": (b'{"description":"\xc0\x80"}', "not UTF-8"),
    "a surrogate in UTF-8": (b'{"description":"\xed\xa0\x80"}', "not UTF-8"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "not UTF-8"),
    "UTF-16 without a mark": ('{"a":1}'.encode("utf-16-le"), "not JSON"),
    "NaN": (with_metadata('{"a":NaN}'), "NaN and Infinity are not JSON"),
    "Infinity": (with_metadata('{"a":[-Infinity]}'), "NaN and Infinity are not JSON"),
    "NaN for an amount": (b'{"amount":NaN}', "NaN and Infinity are not JSON"),
    "a name twice": (f'{{{FINE},"amount":"1"}}'.encode(), "given twice"),
    "a name twice, spelled differently": (
        f'{{{FINE},"\\u0061mount":"1"}}'.encode(),
        "given twice",
    ),
    "a name twice, deep": (with_metadata('{"a":[{"b":{"c":1,"c":1}}]}'), "given twice"),
    "an empty name twice": (with_metadata('{"":1,"":2}'), "given twice"),
    "an escaped NUL": (with_metadata('{"a":"x\\u0000"}'), "a NUL character is not text"),
    "an escaped NUL in a name": (with_metadata('{"\\u0000":1}'), "a NUL character is not text"),
    "an escaped NUL in a code": (b'{"from":"a\\u0000"}', "a NUL character is not text"),
    "a NUL after a backslash": (
        with_metadata('{"a":"\\\\\\u0000"}'),
        "a NUL character is not text",
    ),
    "a lone first half": (
        with_metadata('{"a":"\\ud83d"}'),
        "half of a surrogate pair is not text",
    ),
    "a lone second half": (
        with_metadata('{"a":"\\ude00"}'),
        "half of a surrogate pair is not text",
    ),
    "halves in the wrong order": (
        with_metadata('{"a":"\\ude00\\ud83d"}'),
        "half of a surrogate pair is not text",
    ),
    "halves apart": (
        with_metadata('{"a":"\\ud83d \\ude00"}'),
        "half of a surrogate pair is not text",
    ),
    "a first half before an escape": (
        with_metadata('{"a":"\\ud83d\\n"}'),
        "half of a surrogate pair is not text",
    ),
    "a name of half a pair": (
        with_metadata('{"\\ud83d":1}'),
        "half of a surrogate pair is not text",
    ),
    "33 levels": (with_metadata(nested(32)), "nested deeper than 32 levels"),
    "33 levels of objects": (
        with_metadata('{"a":' * 32 + "1" + "}" * 32),
        "nested deeper than 32 levels",
    ),
    "a thousand levels": (with_metadata(nested(1000)), "nested deeper than 32 levels"),
    "as many levels as fit": (b"[" * 65536, "nested deeper than 32 levels"),
    "a huge exponent": (with_metadata('{"a":1e401}'), "a number is out of range"),
    "a tiny exponent": (with_metadata('{"a":1E-401}'), "a number is out of range"),
    "an absurd exponent": (with_metadata('{"a":1e99999999999}'), "a number is out of range"),
    "a number of 401 digits": (
        with_metadata('{"a":' + "9" * 401 + "}"),
        "a number is out of range",
    ),
    "an amount of 5,000 digits": (
        b'{"amount":' + b"9" * 5000 + b"}",
        "a number is out of range",
    ),
    "a fraction of 401 characters": (
        with_metadata('{"a":0.' + "1" * 399 + "}"),
        "a number is out of range",
    ),
}
ENDPOINTS = ["/payments", "/payments/batch", "/accounts"]


async def post(api: Api, path: str, body: bytes) -> Answer:
    headers = {"Idempotency-Key": fresh_key()} if path == "/payments" else {}
    return await api.post(path, body, headers=headers)


@pytest.mark.parametrize("what", MALFORMED)
async def test_what_means_nothing_or_two_things_is_refused_everywhere(api: Api, what: str) -> None:
    body, reason = MALFORMED[what]
    answers = [await post(api, path, body) for path in ENDPOINTS]
    answers.append(await api.request("POST", "/v1/ledgers", body=body))
    for answer in answers:
        assert answer.outcome == (400, "body_malformed")
        assert answer.json["reason"] == reason
    assert await api.written() == (0, 0, 0)


@pytest.mark.parametrize(
    "metadata",
    [
        nested(31),
        '{"a":"\\ud83d\\ude00"}',
        '{"a":"\\\\u0000 is no NUL"}',
        '{"a":"\\\\\\\\ud83d"}',
        '{"a":"\u00e9\U0001f600"}',
        '{"a":1e400,"b":1e-400,"c":' + "9" * 400 + "}",
        '{"a":{"b":1},"c":{"b":1}}',
        '{"":1," ":2}',
    ],
)
async def test_what_is_strange_but_sound_is_taken_and_kept(api: Api, metadata: str) -> None:
    await api.open("bank", min_balance=None)
    await api.open("alice")
    answer = await post(api, "/payments", with_metadata(metadata))
    assert answer.status == 201, answer.body
    kept = json.loads(answer.body, parse_float=Decimal, parse_int=Decimal)["metadata"]
    assert kept == json.loads(metadata, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b"true"])
async def test_a_body_is_an_object(api: Api, path: str, body: bytes) -> None:
    answer = await post(api, path, body)
    expected = "payment_malformed" if path == "/payments" else "body_malformed"
    assert answer.outcome == (400, expected)
    assert answer.json["reason"] == "not an object"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/xml",
        "application/jsonp",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/problem+json",
        ";;=",
    ],
)
async def test_a_body_that_is_not_declared_to_be_json_is_refused(
    api: Api, content_type: str | None
) -> None:
    head = f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\n"
    head += f"Authorization: Bearer {api.token}\r\nContent-Length: 2\r\n"
    if content_type is not None:
        head += f"Content-Type: {content_type}\r\n"
    status, _, body = await raw(api.url, f"{head}\r\n{{}}".encode())
    assert (status, json.loads(body)["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json ; charset = utf-8 ;",
    ],
)
async def test_json_may_be_declared_in_several_ways(api: Api, content_type: str) -> None:
    answer = await api.post("/payments", {}, headers={"Content-Type": content_type})
    assert answer.outcome == (400, "idempotency_key_missing")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x", "identity, gzip"])
async def test_a_compressed_body_is_refused_and_not_looked_into(
    api: Api, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    request = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        f"Content-Encoding: {encoding}\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await connect(api.url)
    writer.write(request.encode() + b"\x1f\x8b\x08")
    async with asyncio.timeout(15):
        status, _, body = await read_answer(reader)
        assert await reader.read() == b""  # the rest of the body has been dealt with, too
    writer.close()
    assert (status, json.loads(body)["code"]) == (415, "unsupported_media_type")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_body_that_says_it_is_encoded_is_refused_whatever_it_is(api: Api) -> None:
    payment = {"from": "a", "to": "b", "amount": "1", "currency": "USD"}
    assert (await api.pay(payment)).outcome == (422, "unknown_account")  # now the key is known
    headers = {"Content-Encoding": "x-none", "Idempotency-Key": fresh_key()}
    answer = await api.post("/payments", payment, headers=headers)
    assert answer.outcome == (415, "unsupported_media_type")


@pytest.mark.parametrize(("path", "limit"), [("/payments", 65536), ("/payments/batch", 2097152)])
async def test_a_body_of_the_limit_is_read_and_a_larger_one_refused(
    api: Api, path: str, limit: int
) -> None:
    fits = b"{" + b" " * (limit - 2) + b"}"
    assert (await post(api, path, fits)).code in ("postings_missing", "body_malformed")
    answer = await post(api, path, b"{" + b" " * (limit - 1) + b"}")
    assert answer.outcome == (413, "body_too_large")
    assert answer.json["limit"] == limit


@pytest.mark.parametrize(("path", "limit"), [("/payments", 65536), ("/payments/batch", 2097152)])
async def test_a_chunked_body_of_unknown_length_is_counted(api: Api, path: str, limit: int) -> None:
    async def chunks(number: int) -> object:
        for _ in range(number):
            yield b" " * 8192

    headers = {
        "Authorization": f"Bearer {api.token}",
        "Content-Type": "application/json",
    } | ({"Idempotency-Key": fresh_key()} if path == "/payments" else {})
    url = f"{api.url}/v1/ledgers/{api.ledger}{path}"
    for number, outcome in (
        (limit // 8192, (400, "body_malformed")),
        (limit // 8192 + 1, (413, "body_too_large")),
    ):
        async with api.session.post(url, data=chunks(number), headers=headers) as response:
            document = await response.json(content_type=None)
        assert (response.status, document["code"]) == outcome


async def test_a_chunked_body_is_refused_before_its_end(api: Api) -> None:
    head = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    endless = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
    async with asyncio.timeout(5):
        status, _, body = await raw(api.url, head.encode() + endless * 9)
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")


async def test_a_large_announced_body_is_refused_before_it_is_sent(api: Api) -> None:
    head = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        "Content-Length: 999999999999\r\n\r\n"
    )
    status, _, body = await raw(api.url, head.encode())
    assert (status, json.loads(body)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"name": 5}, "name", "not a string"),
        ({"name": "x", "nom": 1}, "nom", "unknown field"),
        ({"idempotency_retention_seconds": "5"}, "idempotency_retention_seconds", "not an integer"),
        ({"idempotency_retention_seconds": 1.5}, "idempotency_retention_seconds", "not an integer"),
        (
            {"idempotency_retention_seconds": True},
            "idempotency_retention_seconds",
            "not an integer",
        ),
    ],
)
async def test_a_ledger_of_another_form_is_refused(
    api: Api, body: object, field: str, reason: str
) -> None:
    answer = await api.request("POST", "/v1/ledgers", body=body)
    assert answer.outcome == (400, "body_malformed")
    assert (answer.json["field"], answer.json["reason"]) == (field, reason)


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"code": 5}, "code", "not a string"),
        ({"currency": []}, "currency", "not a string"),
        ({"type": {}}, "type", "not a string"),
        ({"min_balance": True}, "min_balance", "not a string or an integer"),
        ({"max_balance": 1.5}, "max_balance", "not a string or an integer"),
        ({"balance": 5}, "balance", "unknown field"),
    ],
)
async def test_an_account_of_another_form_is_refused(
    api: Api, body: object, field: str, reason: str
) -> None:
    answer = await api.post("/accounts", body)
    assert answer.outcome == (400, "body_malformed")
    assert (answer.json["field"], answer.json["reason"]) == (field, reason)
