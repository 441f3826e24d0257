"""What is not ours to answer by routes: malformed HTTP, unknown paths, logs, health, stopping."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from http_support import Wire, connect, fresh_key, raw, read_answer, serving, until

from service.api.logs import AccessLogger
from service.logs import JsonFormatter, TextFormatter, set_up_logging

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import asyncpg
    from http_support import Api

    from service.settings import Settings

PAYMENT = {"from": "bank", "to": "alice", "amount": "1", "currency": "USD"}
SECRET = "s3cret-s3cret"  # in places that must not be quoted


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Every log line of the service, in its JSON, from debug on."""
    caught: list[str] = []
    formatter = JsonFormatter()

    class Catcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            caught.append(formatter.format(record))

    root = logging.getLogger()
    handler, level = Catcher(), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    yield caught
    root.removeHandler(handler)
    root.setLevel(level)


MALFORMED = {
    "no HTTP": b"hello " + SECRET.encode() + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another protocol": b"SSH-2.0-" + SECRET.encode() + b"\r\n",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
    "an unknown method": b"BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad method": b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "spaces in the path": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad host in the path": b"GET http://[::1/livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path too long": b"GET /" + SECRET.encode() * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header too long": b"GET /livez HTTP/1.1\r\nX: " + SECRET.encode() * 1000 + b"\r\n\r\n",
    "too many headers": b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "a header without a colon": b"GET /livez HTTP/1.1\r\nHost x\r\n\r\n",
    "a header with a NUL": b"GET /livez HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "a folded header": b"GET /livez HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
    "a space before the colon": b"GET /livez HTTP/1.1\r\nX : a\r\n\r\n",
    "a negative length": b"POST /v1/ledgers HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "no number for a length": b"POST /v1/ledgers HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    "two lengths": b"POST /v1/ledgers HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": (
        b"POST /v1/ledgers HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n"
    ),
    "an unknown transfer encoding": (
        b"POST /v1/ledgers HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_what_is_not_http_is_answered_as_a_problem_and_not_quoted(
    url: str, lines: list[str], what: str
) -> None:
    status, headers, body = await raw(url, MALFORMED[what])
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert json.loads(body)["code"] == "request_malformed"
    assert headers["X-Request-Id"]
    assert SECRET not in body.decode() + "".join(lines)


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-1\r\n{}\r\n0\r\n\r\n",
        b"2;\x00\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}xx0",
    ],
)
async def test_a_malformed_chunk_is_a_clients_mistake(api: Api, chunks: bytes) -> None:
    head = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    status, headers, body = await raw(api.url, head.encode() + chunks)
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert json.loads(body)["code"] in ("request_malformed", "body_malformed")
    assert await api.written() == (0, 0, 0)


async def test_a_malformed_chunk_behind_an_answer_is_no_defect(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """aiohttp reads on then, to forget what comes."""
    reader, writer = await connect(api.url)
    writer.write(
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    )
    async with asyncio.timeout(20):
        status, _, _ = await read_answer(reader)
        writer.write(b"zz\r\n")
        assert await reader.read() == b""
    writer.close()
    assert status == 404
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_malformed_chunk_after_a_sound_one_is_answered_at_once(
    api: Api, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.json_bodies._BODY_SECONDS", 60.0)
    head = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    reader, writer = await connect(api.url)
    writer.write(head.encode())
    await reader.readuntil(b"100 Continue\r\n\r\n")
    writer.write(b"1\r\n{\r\nzz\r\n")
    async with asyncio.timeout(20):
        status, headers, body = await read_answer(reader)
        assert await reader.read() == b""
    writer.close()
    assert (status, json.loads(body)["code"]) == (400, "request_malformed")
    assert headers["Connection"] == "close"
    assert not [line for line in lines if '"level":"error"' in line.replace(" ", "")]
    assert await api.written() == (0, 0, 0)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/ledgers/",
        "/v1/ledgers/main",
        "/v1/ledgers/main/",
        "/v1/ledgers/main/payments/",
        "/v1/ledgers/main/accounts/a/b/c",
        "/v1//ledgers",
        "//v1/ledgers",
        "/v2/ledgers",
        "/livez/",
        "/../livez",
        "/favicon.ico",
        "/%2e%2e/livez",
        "/%00",
    ],
)
async def test_an_unknown_path_is_not_found(url: str, path: str) -> None:
    status, headers, body = await raw(url, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert json.loads(body)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/ledgers", "POST"),
        ("GET", "/v1/ledgers", "POST"),
        ("DELETE", "/v1/ledgers/main/payments", "GET, HEAD, POST"),
        ("PATCH", "/v1/ledgers/main/accounts/a", "GET, HEAD"),
        ("OPTIONS", "/v1/ledgers/main/accounts", "GET, HEAD, POST"),
        ("TRACE", "/livez", "GET, HEAD"),
        ("PUT", "/v1/ledgers/main/payments/batch", "GET, HEAD, POST"),
    ],
)
async def test_a_method_that_a_resource_does_not_have_is_told_which_it_has(
    url: str, method: str, path: str, allowed: str
) -> None:
    status, headers, body = await raw(
        url, f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    )
    assert (status, headers["Allow"]) == (405, allowed)
    assert json.loads(body)["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/livez", "/nowhere"])
async def test_an_unknown_expectation_fails(url: str, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected\r\n\r\n"
    status, headers, body = await raw(url, request.encode())
    assert (status, headers["Content-Type"]) == (417, "application/problem+json")
    assert json.loads(body)["code"] == "expectation_failed"


async def test_a_client_may_ask_before_it_sends_the_body(api: Api) -> None:
    reader, writer = await connect(api.url)
    head = (
        f"POST /v1/ledgers/{api.ledger}/accounts HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
    )
    body = b'{"code":"a","currency":"USD"}'
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await read_answer(reader))[0] == 201
    writer.close()


async def test_a_refused_request_leaves_the_connection_fit_for_the_next(api: Api) -> None:
    reader, writer = await connect(api.url)
    head = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        "Content-Type: application/json\r\n"
    )
    writer.write(f"{head}\r\nabcde".encode())
    assert (await read_answer(reader))[0] == 401
    writer.write(f"{head}Authorization: Bearer {api.token}\r\n\r\nabcde".encode())
    assert (await read_answer(reader))[0] == 400
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await read_answer(reader))[0] == 200
    writer.close()


async def test_pipelined_requests_are_answered_in_order(api: Api) -> None:
    await api.open("bank", min_balance=None)
    await api.open("alice")
    body = json.dumps(PAYMENT)
    requests = "".join(
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {fresh_key()}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        for _ in range(5)
    )
    reader, writer = await connect(api.url)
    writer.write(requests.encode())
    versions = [
        json.loads((await read_answer(reader))[2])["entries"][1]["version"] for _ in range(5)
    ]
    assert versions == [1, 2, 3, 4, 5]
    writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for_long(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.json_bodies._BODY_SECONDS", 0.1)
    head = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        "Content-Length: 10\r\n\r\n{"
    )
    status, headers, body = await raw(api.url, head.encode())
    assert (status, json.loads(body)["code"]) == (408, "body_too_slow")
    assert headers["Connection"] == "close"


async def test_a_client_that_hangs_up_while_it_sends_a_body_is_no_defect(
    api: Api, lines: list[str]
) -> None:
    reader, writer = await connect(api.url)
    head = (
        f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n"
        f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"
    )
    writer.write(head.encode())
    await reader.readuntil(b"100 Continue\r\n\r\n")
    writer.write(b"{")
    writer.close()

    async def has_ended() -> bool:
        return any('"the client is gone"' in line or '"defect"' in line for line in lines)

    await until(has_ended, "the request ends")
    assert not [line for line in lines if '"level":"error"' in line.replace(" ", "")]


async def test_head_is_get_without_a_body(api: Api) -> None:
    await api.open("alice")
    url = f"{api.url}/v1/ledgers/{api.ledger}/accounts/alice"
    headers = {"Authorization": f"Bearer {api.token}"}
    async with api.session.head(url, headers=headers) as response:
        assert (response.status, await response.read()) == (200, b"")


# -- request ids and logs ----------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "trace:7/x.y_z=+"])
async def test_a_request_id_is_kept(api: Api, given: str) -> None:
    answer = await api.get("/accounts", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "<script>", "é"])
async def test_a_request_id_of_another_form_is_replaced(api: Api, given: str) -> None:
    first = await api.get("/accounts", headers={"X-Request-Id": given})
    second = await api.get("/accounts", headers={"X-Request-Id": given})
    made = {answer.headers["X-Request-Id"] for answer in (first, second)}
    assert len(made) == 2
    assert given not in made


async def logged(lines: list[str], request_id: str) -> dict[str, object]:
    """The line of a request; it is written after the answer, so it may be yet to come."""

    async def found() -> list[dict[str, object]]:
        return [line for line in access_lines(lines) if line["request_id"] == request_id]

    line: dict[str, object]
    (line,) = await until(found, "the request is logged")
    return line


def access_lines(lines: list[str]) -> list[dict[str, object]]:
    documents = map(json.loads, lines)
    return [line for line in documents if line["logger"] == "payledger.access"]


async def test_a_line_is_logged_for_each_request_without_secrets(
    api: Api, lines: list[str]
) -> None:
    key = f"key-{SECRET}"
    body = {**PAYMENT, "description": SECRET, "metadata": {"pan": SECRET}}
    headers = {"X-Request-Id": "this-one"}
    await api.pay(body, key)
    await api.get(f"/payments?key={key}", headers=headers)

    line = await logged(lines, "this-one")
    assert line.pop("time")
    assert isinstance(line.pop("duration_ms"), float)
    assert line == {
        "level": "debug",
        "logger": "payledger.access",
        "message": "request",
        "method": "GET",
        "route": "/v1/ledgers/{ledger}/payments",
        "status": 404,
        "ledger": api.ledger,
        "request_id": "this-one",
    }
    everything = "".join(lines)
    assert SECRET not in everything
    assert api.token not in everything
    assert api.token.split("_", 2)[2] not in everything


async def test_requests_are_not_logged_at_info_unless_they_failed(
    api: Api, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.get("/accounts", headers={"X-Request-Id": "before"})
    await logged(lines, "before")
    lines.clear()
    logging.getLogger().setLevel(logging.INFO)
    await api.get("/accounts")
    await api.get("/accounts/nobody")
    await api.request("GET", "/nowhere")

    async def broken(*_: object) -> None:
        raise ValueError

    # Lines come in the order of requests: once this one's is there, no other is yet to come.
    monkeypatch.setattr("service.ledger.gateway.Gateway.get_account", broken)
    await api.get("/accounts/a", headers={"X-Request-Id": "failed"})
    failed = await logged(lines, "failed")
    assert access_lines(lines) == [failed]


async def test_a_defect_is_logged_with_its_place_and_answered_without(
    api: Api, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError(f"something about {SECRET}")

    monkeypatch.setattr("service.ledger.gateway.Gateway.get_account", broken)
    answer = await api.get("/accounts/a", headers={"X-Request-Id": "broken-1"})
    assert answer.outcome == (500, "internal_error")
    assert answer.json.keys() == {"type", "title", "status", "detail", "code"}
    (defect,) = [json.loads(line) for line in lines if '"defect"' in line]
    assert (defect["level"], defect["request_id"]) == ("error", "broken-1")
    assert defect["exception"][-1] == "ValueError"
    assert any("broken" in line for line in defect["exception"])
    assert SECRET not in "".join(lines) + answer.body.decode()


async def test_a_defect_in_sql_is_logged_by_sqlstate_and_place(
    api: Api, lines: list[str], admin: asyncpg.Connection
) -> None:
    definition = await admin.fetchval(
        "select pg_get_functiondef('ledger.get_balances(text[], int)'::regprocedure)"
    )
    await admin.execute(
        definition.replace(
            "return query", f"raise division_by_zero using detail = '{SECRET}'; return query", 1
        )
    )
    try:
        answer = await api.get("/accounts/a/balance")
    finally:
        await admin.execute(definition)
    assert answer.outcome == (500, "internal_error")
    (defect,) = [json.loads(line) for line in lines if '"defect"' in line]
    assert any(line.endswith("DivisionByZeroError 22012") for line in defect["exception"])
    assert any("PL/pgSQL function ledger.get_balances" in line for line in defect["exception"])
    assert SECRET not in "".join(lines) + answer.body.decode()


def test_log_lines_are_for_machines_or_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.makeLogRecord(
        {"name": "payledger.x", "levelname": "WARNING", "msg": "gave %s", "args": ("up",)}
        | {"code": "not_attempted", "odd": object}
    )
    line = json.loads(JsonFormatter().format(record))
    assert {name: line[name] for name in ("level", "logger", "message", "code", "odd")} == {
        "level": "warning",
        "logger": "payledger.x",
        "message": "gave up",
        "code": "not_attempted",
        "odd": "<class 'object'>",
    }
    assert "WARNING payledger.x: gave up code=not_attempted" in TextFormatter().format(record)


def test_logging_is_set_up_as_the_settings_say(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        set_up_logging(settings)
        logging.getLogger("payledger.test").info("hello")
        logging.getLogger("payledger.test").debug("not this")
    finally:
        root.handlers[:], root.level = handlers, level
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "hello"


def test_the_access_logger_is_the_one_the_application_uses() -> None:
    assert AccessLogger(logging.getLogger("x"), "").enabled


# -- health ------------------------------------------------------------------------------------


async def test_a_running_service_is_alive(api: Api) -> None:
    answer = await api.request("GET", "/livez")
    assert (answer.status, answer.json) == (200, {"status": "alive"})


@pytest.fixture
async def durable(admin: asyncpg.Connection) -> AsyncIterator[None]:
    """The test servers flush nothing; for a while this one does."""
    settings = ("fsync", "full_page_writes")
    for name in settings:
        await admin.execute(f"alter system set {name} = on")
    await admin.execute("select pg_reload_conf()")
    yield
    for name in settings:
        await admin.execute(f"alter system reset {name}")
    await admin.execute("select pg_reload_conf()")


@pytest.mark.usefixtures("durable")
async def test_a_service_on_a_sound_database_is_ready(api: Api) -> None:
    async def live() -> bool:
        return bool((await api.request("GET", "/readyz")).json["checks"]["cache"]["ok"])

    await until(live, "its cache is live")
    answer = await api.request("GET", "/readyz")
    assert answer.status == 200
    assert answer.json == {
        "status": "ready",
        "checks": {
            "poster": {"ok": True, "detail": "runs"},
            "disk": {"ok": True, "detail": "no complaint"},
            "database": {"ok": True, "detail": "answers"},
            "migrations": {"ok": True, "detail": "current"},
            "installation": {"ok": True, "detail": "sound"},
            "cache": {"ok": True, "detail": "live"},
            "redis": {"ok": True, "detail": "none: the first cache layer is the only one"},
        },
    }


@pytest.mark.usefixtures("durable")
async def test_a_database_that_may_forget_makes_it_unready(
    api: Api, admin: asyncpg.Connection
) -> None:
    await admin.execute("alter system set fsync = off")
    await admin.execute("select pg_reload_conf()")

    async def told() -> bool:
        answer = await api.request("GET", "/readyz")
        return answer.status == 503 and answer.json["checks"]["installation"] == {
            "ok": False,
            "detail": "setting_unsafe: setting fsync",
        }

    await until(told, "it is told")


async def test_a_function_that_is_not_the_released_one_makes_it_unready(
    api: Api, admin: asyncpg.Connection
) -> None:
    name = "20_api/get_balance.sql"
    checksum = await admin.fetchval(
        "select checksum from ledger_private.function_files where path = $1", name
    )
    set_checksum = "update ledger_private.function_files set checksum = $2 where path = $1"
    await admin.execute(set_checksum, name, "another")

    async def told() -> bool:
        answer = await api.request("GET", "/readyz")
        migrations = answer.json["checks"]["migrations"]
        if migrations["ok"]:
            return False
        assert (answer.status, answer.json["status"]) == (503, "not_ready")
        assert migrations["detail"] == f"db/functions/{name}: not applied as it is"
        return True

    try:
        await until(told, "it is told")
    finally:
        await admin.execute(set_checksum, name, checksum)


async def test_a_database_that_is_away_makes_it_unready_without_telling_where_it_was(
    settings: Settings, server_address: tuple[str, int]
) -> None:
    async with Wire(*server_address) as wire:
        assert settings.dsn is not None
        dsn = settings.dsn.replace(f":{server_address[1]}/", f":{wire.port}/")
        async with serving(replace(settings, dsn=dsn)) as (url, _):
            wire.refusing = True
            wire.cut()
            status, _, body = await raw(url, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status == 503
            assert server_address[0].encode() not in body
            assert str(wire.port).encode() not in body
            document = json.loads(body)
            assert document["status"] == "not_ready"
            assert document["checks"]["database"] == {
                "ok": False,
                "detail": "cannot be reached, or does not answer",
            }
            assert "migrations" not in document["checks"]  # nobody can tell
            status, _, body = await raw(url, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status == 200
            wire.refusing = False

            async def answers() -> bool:
                _, _, body = await raw(url, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                ok: bool = json.loads(body)["checks"]["database"]["ok"]
                return ok

            await until(answers, "it is looked at again")


async def test_a_database_that_does_not_answer_makes_it_unready_in_time(
    settings: Settings, server_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ledger.readiness._SECONDS", 0.2)
    async with Wire(*server_address) as wire:
        assert settings.dsn is not None
        dsn = settings.dsn.replace(f":{server_address[1]}/", f":{wire.port}/")
        async with serving(replace(settings, dsn=dsn)) as (url, _):
            wire.swallow_answers()
            async with asyncio.timeout(3):
                status, _, body = await raw(url, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (status, json.loads(body)["status"]) == (503, "not_ready")
            wire.hear_again()
