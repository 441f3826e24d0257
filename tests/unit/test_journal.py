"""The durable history: on disk before anything is sent, and readable whatever killed the writer."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from loadgen.client import Reply
from loadgen.history import Answer, Outcome, Payment
from loadgen.journal.history import DurableHistory
from loadgen.journal.reader import HistoryDamaged, begin_of, line_at, read
from loadgen.journal.records import Answered, Begin, End, Entry, Invoke, Lost, text
from loadgen.journal.writer import Journal, JournalFailed
from loadgen.settle import Settler

BEGIN = Begin(1, "r1", 7, "main", "load:r1:")
PAYMENT = Payment("k1", b'{"from":"a"}', ("posted",))


class Ignorant:
    """An observer that keeps nothing."""

    def ended(self, outcome: Outcome, replayed: bool, seconds: float) -> None:
        pass


def invoke(n: int) -> Invoke:
    return Invoke(n, n, n, f"k{n}", "{}")


def entries(path: Path) -> list[Entry]:
    return [entry for _, entry in read(path)]


def history_at(path: Path) -> DurableHistory:
    return DurableHistory(
        path, run="r1", seed=7, ledger="main", prefix="load:r1:", observer=Ignorant()
    )


class SlowDisk:
    """An fsync that waits to be let go, and knows what the file held when it was called."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self, file: int) -> None:
        self.sizes.append(os.fstat(file).st_size)
        self.begun.release()
        self.go.acquire()


async def test_durable_returns_only_after_an_fsync_that_began_after_the_append(
    tmp_path: Path,
) -> None:
    disk = SlowDisk()
    journal = Journal(tmp_path / "h", disk)
    journal.append(BEGIN)
    first = asyncio.create_task(journal.durable())
    await asyncio.to_thread(disk.begun.acquire)
    journal.append(invoke(1))  # while the first fsync is under way: it does not cover this
    second = asyncio.create_task(journal.durable())
    disk.go.release()
    await first
    await asyncio.to_thread(disk.begun.acquire)
    assert not second.done()
    disk.go.release()
    await second
    assert disk.sizes[1] == (tmp_path / "h").stat().st_size


async def test_everyone_who_comes_during_an_fsync_shares_the_next_one(tmp_path: Path) -> None:
    disk = SlowDisk()
    journal = Journal(tmp_path / "h", disk)
    journal.append(BEGIN)
    waiting = [asyncio.create_task(journal.durable())]
    await asyncio.to_thread(disk.begun.acquire)
    for n in range(100):
        journal.append(invoke(n))
        waiting.append(asyncio.create_task(journal.durable()))
    await asyncio.sleep(0)  # lets each of them ask
    disk.go.release()
    disk.go.release()
    await asyncio.gather(*waiting)
    assert len(disk.sizes) == 2


async def test_after_a_failed_fsync_nothing_is_durable_any_more(tmp_path: Path) -> None:
    calls = 0

    def fails_once(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError(5, "I/O error")

    journal = Journal(tmp_path / "h", fails_once)
    journal.append(BEGIN)
    with pytest.raises(JournalFailed):
        await journal.durable()
    journal.append(invoke(1))
    with pytest.raises(JournalFailed):
        await journal.durable()


async def test_the_invoke_is_on_disk_when_the_request_is_sent(tmp_path: Path) -> None:
    history = history_at(tmp_path / "h")
    seen: list[list[Entry]] = []

    class Spy:
        async def post_payment(self, payment: Payment, give_up: float | None = None) -> Reply:
            seen.append(entries(tmp_path / "h"))
            return Reply(Answer(201, b"{}"), False, None)

        async def post(self, path: str, body: bytes) -> Reply:
            seen.append(entries(tmp_path / "h"))
            return Reply(Answer(400, b"{}"), False, None)

        async def get(self, path: str, query: object = None) -> Reply:
            raise AssertionError

    settler = Settler(Spy(), history, lambda sent: sent + 5)
    await settler.payment(PAYMENT)
    await settler.batch([PAYMENT])
    await history.close()
    assert [type(entry) for entry in seen[0]] == [Begin, Invoke]
    assert [type(entry) for entry in seen[1]] == [Begin, Invoke, Answered, Invoke]


async def test_a_cancelled_attempt_is_lost_and_tried_again_under_its_key(tmp_path: Path) -> None:
    history = history_at(tmp_path / "h")

    class Hangs:
        calls = 0

        async def post_payment(self, payment: Payment, give_up: float | None = None) -> Reply:
            self.calls += 1
            if self.calls == 1:
                await asyncio.Event().wait()
            return Reply(Answer(201, b"{}"), True, None)

        async def post(self, path: str, body: bytes) -> Reply:
            raise AssertionError

        async def get(self, path: str, query: object = None) -> Reply:
            raise AssertionError

    record = await Settler(Hangs(), history, lambda sent: sent + 5).payment(PAYMENT, cancel=0.001)
    await history.close()
    assert record is not None
    assert record.outcome is Outcome.POSTED
    kinds = [type(entry) for entry in entries(tmp_path / "h")]
    assert kinds == [Begin, Invoke, Lost, Invoke, Answered, End]
    assert history.in_flight == 0


async def test_a_torn_last_line_is_no_damage_but_a_torn_middle_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "h")
    for entry in (BEGIN, invoke(1), invoke(2)):
        journal.append(entry)
    await journal.close()
    whole = (tmp_path / "h").read_bytes()
    (tmp_path / "torn").write_bytes(whole[:-5])
    assert entries(tmp_path / "torn") == [BEGIN, invoke(1)]
    (tmp_path / "damaged").write_bytes(whole.replace(b'"k1"', b'"k1'))
    with pytest.raises(HistoryDamaged):
        entries(tmp_path / "damaged")
    (tmp_path / "headless").write_bytes(whole.split(b"\n", 1)[1])
    with pytest.raises(HistoryDamaged):
        entries(tmp_path / "headless")


async def test_an_entry_is_found_again_by_its_offset(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "h")
    journal.append(BEGIN)
    journal.append(invoke(1))
    await journal.close()
    offsets = [offset for offset, _ in read(tmp_path / "h")]
    assert '"k1"' in line_at(tmp_path / "h", offsets[1])
    assert begin_of(tmp_path / "h") == BEGIN


def test_bodies_that_are_not_text_still_differ() -> None:
    assert text("ä".encode()) == "ä"
    assert text(b"\xff") != text(b"\xfe")
