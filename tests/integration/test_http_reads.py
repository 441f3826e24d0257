"""Reads from near: tokens, conditions, layers, and what is told with a payment.

Two services on one database and one Valkey, as two workers are, without a process between them and
the test. `api` speaks to the first.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import socket
import tempfile
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from http_support import Api, fresh_key, serving, serving_aside, until
from prometheus_client.parser import text_string_to_metric_families

from service.embedded import EmbeddedValkey
from service.embedded.statedir import StateDir

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import asyncpg
    from support.answers import Answer

    from service.settings import Settings

PAYMENT = {"from": "bank", "to": "alice", "amount": "5", "currency": "USD"}
BALANCE = "/accounts/alice/balance"


@pytest.fixture(scope="module")
def valkey() -> Iterator[EmbeddedValkey]:
    state = StateDir(Path(tempfile.mkdtemp(prefix="payledger-reads-")))
    with EmbeddedValkey(state) as running:
        yield running
    shutil.rmtree(state.path)


@pytest.fixture(scope="module")
def near(settings: Settings, valkey: EmbeddedValkey) -> Settings:
    """Those of a service with both layers."""
    return replace(settings, redis_url=valkey.url)


@pytest.fixture(scope="module")
def url(near: Settings) -> Iterator[str]:
    with serving_aside(near) as url:
        yield url


@pytest.fixture(scope="module")
def other_url(near: Settings) -> Iterator[str]:
    with serving_aside(near) as url:
        yield url


@pytest.fixture
async def books(api: Api) -> Api:
    """bank (no minimum) and alice, with one payment, on a service that is LIVE."""
    await api.open("bank", min_balance=None)
    await api.open("alice")
    assert (await api.pay(PAYMENT)).status == 201
    await live(api)
    # Without a token Valkey might be asked, which may not have heard of it yet.
    assert (await api.get(f"{BALANCE}?min_version=1")).status == 200
    return api


@pytest.fixture
async def other(books: Api, other_url: str) -> Api:
    """The same client, of the second service."""
    other = replace(books, url=other_url)
    await live(other)
    return other


async def live(api: Api) -> None:
    """Until the service answers from near."""

    async def is_live() -> bool:
        return bool((await api.request("GET", "/readyz")).json["checks"]["cache"]["ok"])

    await until(is_live, "the cache is live")


@asynccontextmanager
async def holding(admin: asyncpg.Connection, api: Api) -> AsyncIterator[None]:
    """alice's row, as a stranger with psql might."""
    async with admin.transaction():
        await admin.fetch(
            """
            select from ledger.accounts join ledger.ledgers using (ledger_id)
            where name = $1 and code = 'alice' for update of accounts
            """,
            api.ledger,
        )
        yield


async def from_memory(api: Api, path: str = BALANCE) -> Answer:
    """The answer of L1, once it gives one: after a second of standing still it does not."""

    async def read() -> Answer | None:
        answer = await api.get(path)
        return answer if answer.headers["Payledger-Source"] == "l1" else None

    answer: Answer = await until(read, "an answer from memory")
    return answer


def tokens(answer: Answer) -> dict[str, str]:
    """What Payledger-Tokens says."""
    parts = answer.headers["Payledger-Tokens"].split(", ")
    return dict(part.split("=") for part in parts)


# -- tokens ------------------------------------------------------------------------------------


async def test_a_payments_tokens_are_the_etags_of_its_accounts(books: Api) -> None:
    posted = await books.pay(PAYMENT)
    epoch = await books.database.fetchval("select ledger.cache_epoch()")
    assert posted.headers["Payledger-Epoch"] == epoch
    assert tokens(posted) == {"bank": f"2-{epoch}", "alice": f"2-{epoch}"}
    for account, token in tokens(posted).items():
        read = await books.get(f"/accounts/{account}/balance?min_version={token}")
        assert read.headers["ETag"] == f'"{token}"'


async def test_a_replay_tells_the_tokens_that_the_first_answer_told(books: Api, other: Api) -> None:
    key = fresh_key()
    first = await books.pay(PAYMENT, key)
    await books.pay(PAYMENT)
    for again in (await books.pay(PAYMENT, key), await other.pay(PAYMENT, key)):
        assert again.replayed
        assert again.identity == first.identity
        assert again.headers["Payledger-Tokens"] == first.headers["Payledger-Tokens"]
        assert again.headers["Payledger-Epoch"] == first.headers["Payledger-Epoch"]
    found = await books.get(f"/payments?key={key}")
    assert found.headers["Payledger-Tokens"] == first.headers["Payledger-Tokens"]


async def test_a_payment_with_metadata_of_any_depth_is_found(books: Api) -> None:
    # No body nested like this gets in over HTTP; SQL takes it.
    nested = "[" * 5000 + "]" * 5000
    key = fresh_key()
    posted = await books.database.fetchval(
        """
        select payment_id
        from ledger.post_payment(
          $1, 'bank', 'alice', 5, 'USD', p_metadata => $2,
          p_ledger_id => (select ledger_id from ledger.find_ledger($3))
        )
        """,
        key,
        f'{{"a": {nested}, "entries": []}}',
        books.ledger,
    )
    found = await books.get(f"/payments?key={key}")
    assert found.status == 200
    assert found.headers["ETag"] == f'"{posted}"'
    assert tokens(found).keys() == {"bank", "alice"}


async def test_of_several_postings_to_an_account_the_last_ones_version_is_the_token(
    books: Api,
) -> None:
    posting = {"from": "bank", "to": "alice", "amount": "1", "currency": "USD"}
    posted = await books.pay({"postings": [posting] * 3})
    epoch = posted.headers["Payledger-Epoch"]
    assert tokens(posted) == {"bank": f"4-{epoch}", "alice": f"4-{epoch}"}
    read = await books.get(f"{BALANCE}?min_version=4-{epoch}")
    assert (read.json["version"], read.json["balance"]) == (4, "8")


async def test_tokens_that_do_not_fit_are_left_out_and_the_epoch_stays(books: Api) -> None:
    codes = ["x" * 100 + str(number) for number in range(60)]
    for code in codes:
        await books.open(code)
    postings = [{"from": "bank", "to": code, "amount": "1", "currency": "USD"} for code in codes]
    posted = await books.pay({"postings": postings})
    assert posted.status == 201
    assert "Payledger-Tokens" not in posted.headers
    assert len(posted.headers["Payledger-Epoch"]) == 12


async def test_a_refusal_has_no_tokens(books: Api) -> None:
    refused = await books.pay(PAYMENT | {"from": "alice", "to": "bank", "amount": "99"})
    assert refused.outcome == (422, "insufficient_funds")
    assert "Payledger-Tokens" not in refused.headers


async def test_a_batch_tells_its_epoch_beside_the_results(books: Api) -> None:
    answer = await books.batch([PAYMENT | {"idempotency_key": fresh_key()}])
    epoch = await books.database.fetchval("select ledger.cache_epoch()")
    assert list(answer.json) == ["epoch", "results"]
    assert answer.json["epoch"] == epoch
    version = answer.json["results"][0]["body"]["entries"][1]["version"]
    read = await books.get(f"{BALANCE}?min_version={version}-{epoch}")
    assert read.json["version"] == version == 2


# -- min_version, consistency ------------------------------------------------------------------


@pytest.mark.parametrize("least", ["0", "1", "1-{epoch}"])
async def test_a_version_that_is_reached_is_answered(books: Api, least: str) -> None:
    epoch = (await books.get(BALANCE)).headers["ETag"].strip('"').partition("-")[2]
    answer = await books.get(f"{BALANCE}?min_version={least.format(epoch=epoch)}")
    assert (answer.status, answer.json["version"]) == (200, 1)


@pytest.mark.parametrize("least", ["2", "9223372036854775807", "2-{epoch}"])
async def test_a_version_that_is_not_reached_on_the_primary_is_412(books: Api, least: str) -> None:
    epoch = (await books.get(BALANCE)).headers["ETag"].strip('"').partition("-")[2]
    answer = await books.get(f"{BALANCE}?min_version={least.format(epoch=epoch)}")
    assert answer.outcome == (412, "version_not_reached")
    assert answer.json["version"] == 1
    assert answer.json["min_version"] == int(least.partition("-")[0])


async def test_a_token_of_another_history_is_412_whatever_its_version(books: Api) -> None:
    for version in (0, 1, 999):
        answer = await books.get(f"{BALANCE}?min_version={version}-000000000000")
        assert answer.outcome == (412, "history_changed")
        assert answer.json["epoch"] == "000000000000"
    current = (await books.get(BALANCE)).headers["ETag"].strip('"').partition("-")[2]
    assert answer.json["current_epoch"] == current


@pytest.mark.parametrize(
    "query", ["min_version=", "min_version=x", "min_version=-1", "min_version=1-XYZ",
              "min_version=1&min_version=1", "consistency=weak", "consistency=", "version=1"]
)  # fmt: skip
async def test_a_parameter_that_means_nothing_is_refused(books: Api, query: str) -> None:
    answer = await books.get(f"{BALANCE}?{query}")
    assert answer.outcome == (400, "parameter_malformed")
    assert answer.json["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["", "?min_version=1", "?consistency=strong"])
async def test_an_account_that_is_not_there_is_404_until_it_is(books: Api, query: str) -> None:
    path = f"/accounts/nobody/balance{query}"
    for _ in range(2):
        assert (await books.get(path)).outcome == (404, "unknown_account")
    await books.open("nobody", min_balance=None)
    assert (await books.get(path.replace("min_version=1", "min_version=0"))).status == 200
    await books.pay(PAYMENT | {"from": "nobody", "to": "bank"})
    assert (await books.get(path)).status == 200


async def test_a_strong_read_asks_the_primary(books: Api) -> None:
    await from_memory(books)
    answer = await books.get(f"{BALANCE}?consistency=strong&min_version=1")
    assert answer.headers["Payledger-Source"] == "db"
    assert answer.headers["Age"] == "0"


# -- If-None-Match -----------------------------------------------------------------------------


async def test_whoever_has_the_version_gets_304_and_the_next_version_whole(books: Api) -> None:
    etag = (await books.get(BALANCE)).headers["ETag"]
    for condition in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = await books.get(BALANCE, headers={"If-None-Match": condition})
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert answer.headers["Payledger-Source"] in ("l1", "l2", "db")
    await books.pay(PAYMENT)
    answer = await books.get(BALANCE, headers={"If-None-Match": etag})
    assert (answer.status, answer.json["version"]) == (200, 2)


async def test_a_condition_is_looked_at_when_the_version_is_reached(books: Api) -> None:
    headers = {"If-None-Match": "*"}
    answer = await books.get(f"{BALANCE}?min_version=2", headers=headers)
    assert answer.outcome == (412, "version_not_reached")
    answer = await books.get("/accounts/nobody/balance", headers=headers)
    assert answer.outcome == (404, "unknown_account")
    answer = await books.get(BALANCE, headers=headers, token="plk_1_x")
    assert answer.outcome == (401, "unauthorized")


# -- layers ------------------------------------------------------------------------------------


async def test_the_second_read_comes_from_memory_and_says_so(books: Api) -> None:
    first = await books.get(f"{BALANCE}?consistency=strong")
    second = await from_memory(books)
    assert first.headers["Payledger-Source"] == "db"
    assert 0 <= int(second.headers["Age"]) <= 60
    assert first.body == second.body


@pytest.mark.parametrize("query", ["", "?min_version=1", "?min_version=2", "?min_version=x"])
@pytest.mark.parametrize("headers", [{}, {"X-Request-Id": "mine"}, {"If-None-Match": "*"}])
async def test_what_is_answered_before_routing_is_what_the_handler_answers(
    books: Api, query: str, headers: dict[str, str]
) -> None:
    """The handler is reached by another spelling of the path."""
    own = {"X-Request-Id", "Date", "Age"}
    others = [books, replace(books, token="plk_1_x"), books.on("nowhere")]
    for api in others:
        await from_memory(books)
        at_once, routed = [
            await api.get(f"/accounts/{code}/balance{query}", headers=headers)
            for code in ("alice", "%61lice")
        ]
        assert (at_once.status, at_once.body) == (routed.status, routed.body)
        assert at_once.headers.keys() == routed.headers.keys()
        same = at_once.headers.keys() - own - {"Payledger-Source"}
        assert {n: at_once.headers[n] for n in same} == {n: routed.headers[n] for n in same}
        if "X-Request-Id" in headers:
            assert at_once.headers["X-Request-Id"] == "mine"


async def test_one_service_has_from_valkey_what_another_one_read(books: Api, other: Api) -> None:
    """Until it does: what is read is kept there, and in time."""
    sources = set()

    async def from_valkey() -> bool:
        code = f"read-{len(sources)}-{fresh_key()}"
        await books.open(code)
        await books.get(f"/accounts/{code}/balance")
        answer = await other.get(f"/accounts/{code}/balance?min_version=0")
        sources.add(answer.headers["Payledger-Source"])
        return "l2" in sources

    await until(from_valkey, "a balance comes from Valkey")


async def test_an_own_payment_is_in_memory_before_its_answer_is_sent(books: Api) -> None:
    await books.get(BALANCE)
    sources = []
    for version in range(2, 40):
        await books.pay(PAYMENT)
        answer = await books.get(BALANCE)  # without a token
        sources.append(answer.headers["Payledger-Source"])
        # Valkey may not have heard of it yet; only a machine that stands still makes us ask there.
        assert answer.json["version"] == version or sources[-1] == "l2"
    assert sources.count("l1") > 10


async def test_an_own_batch_is_in_memory_before_its_answer_is_sent(books: Api) -> None:
    sources = []
    version = 1
    for _ in range(5):
        await books.get(BALANCE)
        payments = [PAYMENT | {"idempotency_key": fresh_key()} for _ in range(20)]
        assert (await books.batch(payments)).status == 200
        version += len(payments)
        answer = await books.get(BALANCE)
        sources.append(answer.headers["Payledger-Source"])
        assert answer.json["version"] == version or sources[-1] == "l2"
    assert "l1" in sources


async def test_a_write_by_one_is_read_by_the_other_with_its_token(books: Api, other: Api) -> None:
    sources = []
    writer, reader = books, other
    for number in range(100):
        token = tokens(await writer.pay(PAYMENT))["alice"]
        read = await reader.get(f"{BALANCE}?min_version={token}")
        assert read.status == 200
        assert read.json["version"] == number + 2
        assert read.headers["ETag"] == f'"{token}"'
        sources.append(read.headers["Payledger-Source"])
        writer, reader = reader, writer
    assert set(sources) <= {"l1", "l2", "db"}


async def test_a_write_in_sql_reaches_memory_without_anybody_reading(
    books: Api, other: Api
) -> None:
    for api in (books, other):
        await from_memory(api)
    await books.database.execute(
        """
        select ledger.post_payment($1, 'bank', 'alice', 7, 'USD', p_ledger_id =>
          (select ledger_id from ledger.ledgers where name = $2))
        """,
        fresh_key(),
        books.ledger,
    )

    async def seen() -> bool:
        answers = [await api.get(BALANCE) for api in (books, other)]
        return all(answer.json["balance"] == "12" for answer in answers)

    await until(seen, "the payment is seen by both")


# -- answers by key ----------------------------------------------------------------------------


async def test_a_retry_is_answered_while_the_database_could_not(
    books: Api, admin: asyncpg.Connection
) -> None:
    too_much = PAYMENT | {"from": "alice", "to": "bank", "amount": "9999"}

    async def answered() -> bool:
        key, refused_key = fresh_key(), fresh_key()
        first, refused = await books.pay(PAYMENT, key), await books.pay(too_much, refused_key)
        assert (first.status, refused.status) == (201, 422)
        async with holding(admin, books):
            retries = await asyncio.gather(*(books.pay(PAYMENT, key) for _ in range(20)))
            again = await books.pay(too_much, refused_key)
        found = {(answer.identity, answer.replayed) for answer in (*retries, again)}
        return found == {(first.identity, True), (refused.identity, True)}

    await until(answered, "both are answered although nobody can lock the account")
    await books.assert_sound()


async def test_the_answer_of_another_service_is_found_in_valkey(
    books: Api, other: Api, admin: asyncpg.Connection
) -> None:
    async def answered() -> bool:
        key = fresh_key()
        first = await books.pay(PAYMENT, key)
        asked = await other.pay(PAYMENT, key)  # Valkey is asked for a key that comes again
        assert asked.identity == first.identity
        async with holding(admin, books):
            again = await other.pay(PAYMENT, key)
        return (again.identity, again.replayed) == (first.identity, True)

    await until(answered, "an answer comes from Valkey")


@pytest.mark.parametrize("change", [{"amount": "6"}, {"description": "other"}, {"metadata": {}}])
async def test_other_content_under_a_known_key_is_judged_by_the_ledger(
    books: Api, change: dict[str, object]
) -> None:
    key = fresh_key()
    first = await books.pay(PAYMENT, key)
    again = await books.pay(PAYMENT | change, key)
    if change == {"metadata": {}}:  # the same, said in another way
        assert (again.identity, again.replayed) == (first.identity, True)
    else:
        assert again.outcome == (422, "key_reused")


async def test_a_key_answers_only_in_its_ledger_and_to_those_who_may_write(books: Api) -> None:
    key = fresh_key()
    await books.pay(PAYMENT, key)
    name = f"{books.ledger}-2"
    assert (await books.request("POST", "/v1/ledgers", body={"name": name})).status == 201
    elsewhere = books.on(name)
    assert (await elsewhere.pay(PAYMENT, key)).outcome == (422, "unknown_account")
    assert (await books.pay(PAYMENT, key, token="plk_1_x")).outcome == (401, "unauthorized")


# -- trouble -----------------------------------------------------------------------------------


async def test_without_redis_the_first_layer_does_and_readyz_says_so(
    books: Api, settings: Settings
) -> None:
    async with serving(settings) as (url, _):
        alone = replace(books, url=url)
        await live(alone)
        checks = (await alone.request("GET", "/readyz")).json["checks"]
        assert checks["redis"] == {
            "ok": True,
            "detail": "none: the first cache layer is the only one",
        }
        assert (await alone.get(BALANCE)).headers["Payledger-Source"] == "db"
        await from_memory(alone)
        assert (await alone.pay(PAYMENT)).status == 201


async def test_a_wrong_password_is_told_at_the_start_and_then_the_first_layer_does(
    books: Api, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = StateDir(tmp_path / "state")
    state.make()
    with EmbeddedValkey(state) as guarded:
        place = unquote(guarded.url.removeprefix("unix://"))
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(place)
            line.sendall(b"CONFIG SET requirepass s3cret\r\n")
            assert line.recv(16).startswith(b"+OK")
        with_password = replace(settings, redis_url=f"unix://:wr0ng@{place}")
        with caplog.at_level(logging.WARNING):
            async with serving(with_password) as (url, _):
                alone = replace(books, url=url)
                await live(alone)
                checks = (await alone.request("GET", "/readyz")).json["checks"]
                assert checks["redis"] == {
                    "ok": False,
                    "detail": "did not answer as it should when it was last asked",
                }
                assert (await alone.get(BALANCE)).headers["Payledger-Source"] == "db"
                await from_memory(alone)
                assert (await alone.pay(PAYMENT)).status == 201
    assert "PAYLEDGER_REDIS_URL: the server refuses the user name or password" in caplog.text
    assert "wr0ng" not in caplog.text


async def test_who_hears_nothing_asks_the_database_and_readyz_says_why(
    books: Api, near: Settings, admin: asyncpg.Connection
) -> None:
    deaf = replace(near, listen_dsn="postgresql://nobody:s3cret@127.0.0.1:1/none")
    async with serving(deaf) as (url, _):
        api = replace(books, url=url)
        key = fresh_key()
        posted = await api.pay(PAYMENT, key)
        assert posted.status == 201
        for query in ("", f"?min_version={tokens(posted)['alice']}"):
            for _ in range(3):
                answer = await api.get(BALANCE + query)
                assert (answer.status, answer.headers["Payledger-Source"]) == (200, "db")
                assert answer.json["version"] == 2
        assert (await api.pay(PAYMENT, key)).replayed
        ready = await api.request("GET", "/readyz")
        assert ready.status == (await books.request("GET", "/readyz")).status
        assert ready.json["checks"]["cache"] == {
            "ok": False,
            "detail": "reads ask PostgreSQL: there is no connection that listens",
        }
        assert "s3cret" not in ready.body.decode()


# -- what is told of it ------------------------------------------------------------------------


async def test_every_metric_is_told_and_is_on_the_operations_page(books: Api) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    answer = await books.request("GET", "/metrics", token="none")
    assert answer.status == 200
    families = list(text_string_to_metric_families(answer.body.decode()))
    names = {family.name + "_total" * (family.type == "counter") for family in families}
    assert {name for name in names if not name.startswith("payledger_")} == set()
    assert {name for name in names if f"`{name}`" not in page} == set()
    named = set(re.findall(r"`(payledger_(?:\w+_)?\w+)`", page))
    assert named - names - {"payledger_migrator", "payledger_service"} == set()
    assert all(family.documentation.endswith((".", "0.", "1.")) for family in families)
