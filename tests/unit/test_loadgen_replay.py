"""Replays of a file, against a payledger in memory that may go away and come back."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from loadgen_fake import KEY, FakeLedger, serving
from rich.console import Console

from loadgen.purchases import MERCHANT, Expected, FileMalformed, read_purchases
from loadgen.replay import Replay, ReplayOptions, sendings
from loadgen.result import Result
from loadgen.target import Target

HEADER = "purchase,customer,date,quantity,amount_minor\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """150 purchases of 40 customers, every 30th of them for nothing."""
    path = tmp_path / "purchases.csv"
    rows = (
        f"{n},{n % 40:05},1997-01-{1 + n % 28:02},{n % 5},{0 if n % 30 == 0 else n * 7}\r\n"
        for n in range(1, 151)
    )
    path.write_text(HEADER + "".join(rows))
    return path


TOTAL = sum(n * 7 for n in range(1, 151) if n % 30)


async def replay(ledger: FakeLedger, file: Path, **options: Any) -> Result:
    async with serving(ledger) as url:
        return await replay_at(url, file, **options)


async def replay_at(url: str, file: Path, **options: Any) -> Result:
    replay_options = ReplayOptions(
        file=str(file), **({"seed": 7, "clients": 8, "patience": 5.0} | options)
    )
    return await Replay(replay_options, Target(url, KEY), None, Console(file=io.StringIO()))()


def beginning_of(file: Path) -> Path:
    """A file of its first sixty rows."""
    part = file.with_name("part.csv")
    part.write_text("".join(file.read_text().splitlines(keepends=True)[:61]))
    return part


async def test_every_row_is_posted_once_and_rows_of_nothing_are_refused(file: Path) -> None:
    ledger = FakeLedger()
    result = await replay(ledger, file)
    assert result.evidence == []
    assert result.verdict == "sound"
    assert result.notes == {
        "posted by this run": 145,
        "replays of earlier runs": 0,
        "payments in the file": 145,
        "refused, nothing written": 5,
        "sum of the file, and the merchant's balance": TOTAL,
    }
    assert ledger.payments == 145
    assert ledger.accounts[MERCHANT].balance == TOTAL
    # Three duplicates in ten rows, each answered as a replay.
    assert 25 < result.outcomes["posted, replayed"] < 65
    assert result.checked.replays == result.outcomes["posted, replayed"]


async def test_a_second_replay_posts_nothing_and_ends_the_same(file: Path) -> None:
    ledger = FakeLedger()
    first = await replay(ledger, file)
    second = await replay(ledger, file, seed=8)
    assert (first.verdict, second.verdict) == ("sound", "sound")
    assert ledger.payments == 145
    assert second.notes["posted by this run"] == 0
    assert second.notes["replays of earlier runs"] == 145
    assert "posted" not in second.outcomes


async def test_a_replay_goes_on_where_an_interrupted_one_stopped(file: Path) -> None:
    part = beginning_of(file)
    ledger = FakeLedger()
    await replay(ledger, part)
    result = await replay(ledger, file)
    assert result.verdict == "sound"
    assert result.notes["posted by this run"] == 145 - 58
    assert result.notes["replays of earlier runs"] == 58


async def test_a_replay_survives_a_service_that_dies_and_comes_back(file: Path) -> None:
    ledger = FakeLedger(bug="slow")
    async with serving(ledger) as url:
        task = asyncio.create_task(replay_at(url, file))
        while ledger.payments < 50:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    # Everything under way was cut; for a while nobody listens.
    await asyncio.sleep(0.3)
    assert not task.done()
    async with serving(ledger, port=int(url.rpartition(":")[2])):
        result = await task
    assert result.verdict == "sound"
    assert ledger.payments == 145
    assert result.outcomes["unknown: not_connected"] > 0


async def test_a_service_that_does_not_come_back_in_time_is_no_sound_end(file: Path) -> None:
    ledger = FakeLedger(bug="never decides")
    result = await replay(ledger, file, patience=0.5)
    assert result.verdict == "broken"
    assert result.breaches["undecided"] > 0
    assert result.breaches["wrong_balance"] > 0


@pytest.mark.parametrize(
    ("bug", "rule"),
    {
        "doubles": "wrong_balance",
        "loses": "wrong_balance",
        "answers differ": "answers_differ",
        "forgets keys": "written_twice",
        "invalid posts": "refused_but_written",
        "unmarked": "written_twice",
        "skims": "wrong_balance",
        "lost updates": "written_twice",
    }.items(),
)
async def test_a_wrong_ledger_is_found_out(bug: str, rule: str, file: Path) -> None:
    result = await replay(FakeLedger(bug), file)
    assert result.verdict == "broken"
    assert result.breaches.get(rule, 0) > 0, result.breaches


async def test_a_payment_that_is_not_in_the_file_is_found_out(file: Path) -> None:
    ledger = FakeLedger()
    await replay(ledger, file)
    stranger = {"from": "customers:00001", "to": MERCHANT, "amount": "5", "currency": "USD"}
    ledger.post("stranger", stranger)
    result = await replay(ledger, file)
    assert set(result.breaches) == {"wrong_balance", "stray_entry"}


def test_a_share_of_the_rows_is_sent_twice_and_the_seed_says_which(file: Path) -> None:
    purchases = read_purchases(file)
    sent = sendings(purchases, 0.3, seed=7)
    assert sent == sendings(purchases, 0.3, seed=7)
    assert sent != sendings(purchases, 0.3, seed=8)
    times = Counter[str]()
    for sending in sent:
        times[sending.payment.key] += sending.copies
    assert set(times) == {purchase.key for purchase in purchases}
    assert set(times.values()) == {1, 2}
    assert sum(count == 2 for count in times.values()) == pytest.approx(45, rel=0.35)
    assert Counter(sending.kind for sending in sent)["race"] > 5


def test_first_sendings_keep_the_order_of_the_file_and_duplicates_come_after(file: Path) -> None:
    purchases = read_purchases(file)
    seen = []
    for sending in sendings(purchases, 0.5, seed=7):
        if sending.kind == "duplicate":
            assert sending.payment.key in seen
        else:
            seen.append(sending.payment.key)
    assert seen == [purchase.key for purchase in purchases]


def test_without_duplicates_every_row_is_sent_once(file: Path) -> None:
    sent = sendings(read_purchases(file), 0.0, seed=7)
    assert [sending.copies for sending in sent] == [1] * 150


def test_a_row_is_always_the_same_request(file: Path) -> None:
    payment = read_purchases(file)[0].payment()
    assert payment.key == "cdnow-1"
    assert payment.body == (
        b'{"from":"customers:00001","to":"merchant:cdnow","amount":"7","currency":"USD",'
        b'"description":"purchase 1","metadata":{"quantity":1},'
        b'"effective_at":"1997-01-02T00:00:00Z"}'
    )


def test_what_is_expected_comes_from_the_file(file: Path) -> None:
    expected = Expected.of(read_purchases(file))
    assert (expected.payments, expected.refused, expected.total) == (145, 5, TOTAL)
    assert len(expected.spent) == 40
    assert sum(spent for spent, _ in expected.spent.values()) == TOTAL
    assert expected.accounts()[0]["code"] == MERCHANT
    assert {account["min_balance"] for account in expected.accounts()[1:]} == {None}


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        "purchase,customer,date,quantity\n1,1,1997-01-01,1\n",
        HEADER + "1,1,1997-01-01,1,many\n",
        HEADER + "1,1,1997-02-30,1,5\n",
        HEADER + "1,1,1997-01-01,1\n",
        HEADER + "1,a b,1997-01-01,1,5\n",
        HEADER + "1,1,1997-01-01,1,5\n1,2,1997-01-01,1,6\n",
    ],
    ids=["empty", "no rows", "no amount", "amount", "date", "short row", "customer", "twice"],
)
async def test_a_malformed_file_is_refused_before_anything_is_sent(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    ledger = FakeLedger()
    with pytest.raises(FileMalformed):
        await replay(ledger, tmp_path / "bad.csv")
    assert (ledger.accounts, ledger.calls) == ({}, 0)


async def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMalformed):
        await replay(FakeLedger(), tmp_path / "none.csv")
