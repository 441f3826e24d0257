"""`payledger import`: a file of payments, posted once however often it is run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from http_support import fresh_key

from service.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_support import Api

    from service.settings import Settings

    Run = Callable[..., int]


@pytest.fixture
async def books(api: Api) -> Api:
    await api.open("bank", min_balance=None)
    await api.open("alice")
    return api


@pytest.fixture
def run(books: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in a thread of its own: it has an event loop of its own."""
    import asyncio

    monkeypatch.setenv("PAYLEDGER_DSN", settings.dsn or "")

    async def run(*arguments: str) -> int:
        return await asyncio.to_thread(main, ["import", "--ledger", books.ledger, *arguments])

    return run


def ndjson(*payments: object) -> str:
    return "".join(json.dumps(payment) + "\n" for payment in payments)


def payment(**changes: object) -> dict[str, object]:
    return {
        "idempotency_key": fresh_key(),
        "from": "bank",
        "to": "alice",
        "amount": "2",
        "currency": "USD",
    } | changes


async def test_a_file_of_lines_is_posted_once_however_often_it_is_run(
    books: Api, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "payments.ndjson"
    file.write_text(ndjson(*(payment() for _ in range(1203))))
    assert await run(str(file)) == 0
    assert "posted         1203" in capsys.readouterr().out
    assert await run(str(file)) == 0
    assert "posted before  1203" in capsys.readouterr().out
    assert await books.balance("alice") == "2406"
    await books.assert_sound()


async def test_the_rest_is_posted_by_another_run(books: Api, run: Run, tmp_path: Path) -> None:
    payments = [payment() for _ in range(700)]
    begun, whole = tmp_path / "begun.ndjson", tmp_path / "whole.ndjson"
    begun.write_text(ndjson(*payments[:300]))
    whole.write_text(ndjson(*payments))
    assert [await run(str(begun)), await run(str(whole))] == [0, 0]
    assert await books.balance("alice") == "1400"


async def test_lines_that_are_not_posted_are_told_and_kept(
    books: Api, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, refused = tmp_path / "payments.ndjson", tmp_path / "refused.ndjson"
    lines = ndjson(payment(), payment(to="nobody")) + "not JSON\n\n" + ndjson(payment())[:-1]
    file.write_text(lines)
    assert await run(str(file), "--refused", str(refused)) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == ["line 2: unknown_account", "line 3: body_malformed"]
    kept = [json.loads(line) for line in refused.read_text().splitlines()]
    assert [(line["line"], line["body"]["code"]) for line in kept] == [
        (2, "unknown_account"),
        (3, "body_malformed"),
    ]
    assert await books.balance("alice") == "4"


async def test_a_csv_file_is_posted(
    books: Api, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "payments.csv"
    keys = [fresh_key() for _ in range(5)]
    file.write_text(
        "\ufeffcurrency,amount,from,to,idempotency_key,description,metadata\n"
        f'USD,1,bank,alice,{keys[0]},"two\nlines, one cell","{{""order"": 7}}"\n'
        f"USD,2,bank,alice,{keys[1]},,\n"
        f"USD,2.50,bank,alice,{keys[2]},,\n"
        f'USD,4,bank,alice,{keys[3]},,"1, ""effective_at"": 5"\n'
        f"USD,8,bank,alice,{keys[4]}\n"
    )
    assert await run(str(file)) == 1
    assert capsys.readouterr().err.splitlines() == [
        "line 5: amount_not_integer",
        "line 6: body_malformed",
        "line 7: body_malformed",
    ]
    assert await books.balance("alice") == "3"
    document = (await books.get(f"/payments?key={keys[0]}")).json
    assert (document["description"], document["metadata"]) == (
        "two\nlines, one cell",
        {"order": 7},
    )


@pytest.mark.parametrize(
    "head", ["", "from,to,amount,currency", "idempotency_key,from,to,amount,currency,memo"]
)
async def test_a_csv_file_of_other_columns_is_refused_as_a_whole(
    books: Api, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str
) -> None:
    file = tmp_path / "payments.csv"
    file.write_text(f"{head}\nk,bank,alice,1,USD,x\n")
    assert await run(str(file)) == 1
    assert "the first row must name the columns" in capsys.readouterr().err
    assert await books.written() == (0, 0, 0)


async def test_a_file_or_a_ledger_that_is_not_there_is_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(str(tmp_path / "none.ndjson")) == 1
    assert "cannot read" in capsys.readouterr().err
    file = tmp_path / "payments.ndjson"
    file.write_text("")
    assert await run(str(file), "--ledger", "none") == 1
    assert "no ledger is called none" in capsys.readouterr().err
    assert await run(str(file)) == 0
