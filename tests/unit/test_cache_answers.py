"""Answers by key: what is kept, for whom, for how long."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from support.clock import Clock

from service.cache.answers import AnswerCache
from service.cache.counters import Counters
from service.cache.model import Scope
from service.cache.trust import Trust
from service.ledger.gateway import PaymentResult

POSTED = PaymentResult("posted", None, False, "id", b'{"id":"id"}')
# It tells the history that it was posted in.
REPLAY = msgspec.structs.replace(POSTED, replayed=True, epoch="e")


class Heartbeat(NamedTuple):
    term: int = 1
    epoch: str = "e"
    generation: str = "g"
    lsn: int = 1
    lag_seconds: float = 0.0


class Shared:
    def __init__(self) -> None:
        self.asked = 0
        self.values: dict[tuple[Scope, int, str], bytes] = {}
        self.milliseconds = 0

    async def find_answer(self, scope: Scope, ledger_id: int, idem_key: str) -> bytes | None:
        self.asked += 1
        return self.values.get((scope, ledger_id, idem_key))

    def put_answer(
        self, scope: Scope, ledger_id: int, idem_key: str, value: bytes, milliseconds: int
    ) -> None:
        self.values[scope, ledger_id, idem_key] = value
        self.milliseconds = milliseconds


class Process:
    def __init__(self, shared: Shared | None = None, most_bytes: int = 10_000) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.trust = Trust(self.counters, clock=self.clock)
        self.answers = AnswerCache(
            self.trust, self.counters, l2=shared, most_bytes=most_bytes, clock=self.clock
        )
        self.beat()

    def beat(self) -> None:
        self.trust.connected("e")
        self.trust.heard_heartbeat(Heartbeat())

    def put(self, result: PaymentResult = POSTED, key: str = "k", epoch: str = "e") -> None:
        self.answers.put(1, key, b"f", result, epoch=epoch)

    async def find(self, key: str = "k", fingerprint: bytes = b"f") -> PaymentResult | None:
        return await self.answers.find(1, key, fingerprint)


@pytest.mark.parametrize("outcome", ["posted", "rejected"])
async def test_a_final_answer_is_found_as_the_replay_it_is(outcome: str) -> None:
    process = Process()
    process.put(msgspec.structs.replace(POSTED, outcome=outcome))
    assert await process.find() == msgspec.structs.replace(REPLAY, outcome=outcome)


@pytest.mark.parametrize(
    "result",
    [
        REPLAY,
        *(
            msgspec.structs.replace(POSTED, outcome=name)
            for name in ("invalid", "conflict", "busy", "unknown")
        ),
    ],
    ids=lambda result: f"{result.outcome}{' replay' * result.replayed}",
)
async def test_anything_else_is_not_kept(result: PaymentResult) -> None:
    process = Process()
    process.put(result)
    assert await process.find() is None


async def test_other_content_another_key_and_another_history_are_for_the_ledger() -> None:
    process = Process()
    process.put()
    assert await process.find(fingerprint=b"other") is None
    assert await process.find("other") is None
    assert await process.answers.find(2, "k", b"f") is None
    process.put(key="before", epoch="another")
    assert await process.find("before") is None


async def test_nothing_is_found_without_trust_nor_after_it_returns() -> None:
    process = Process()
    process.put()
    process.trust.lost()
    assert await process.find() is None
    process.beat()
    assert await process.find() is None
    assert len(process.answers) == process.answers.bytes == 0


async def test_an_answer_goes_with_its_minute_or_its_key() -> None:
    process = Process()
    process.answers.put(1, "k", b"f", POSTED, epoch="e", retention_seconds=0.5)
    assert await process.find() is not None
    process.clock.pass_(0.5)
    assert await process.find() is None


async def test_memory_is_bounded_in_bytes_and_the_oldest_go_first() -> None:
    process = Process(most_bytes=3_000)
    for number in range(10):
        process.put(key=f"k{number}")
    assert 2_000 < process.answers.bytes <= 3_000
    assert await process.find("k0") is None
    assert await process.find("k9") == REPLAY
    process.put(msgspec.structs.replace(POSTED, body=b"x" * 5_000), key="large")
    assert await process.find("large") is None
    assert await process.find("k9") == REPLAY


async def test_another_process_finds_it_from_its_second_look_on() -> None:
    shared = Shared()
    Process(shared).put()
    assert shared.milliseconds == 60_000
    other = Process(shared)
    assert await other.find() is None
    assert shared.asked == 0, "a first attempt waits for nobody"
    assert await other.find() == REPLAY
    assert other.counters.answer_hits_l2 == 1
    assert await other.find(fingerprint=b"other") is None


async def test_a_value_that_is_another_keys_is_not_believed() -> None:
    shared = Shared()
    process = Process(shared)
    process.put(key="other")
    scope = Scope("e", "g")
    for value in (shared.values[scope, 1, "other"], b"junk", b"[]"):
        shared.values[scope, 1, "k"] = value
        await process.find()
        assert await process.find() is None
