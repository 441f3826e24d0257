"""Answers of finished payments by key, so that a storm of retries does not reach PostgreSQL.

Only what is final is kept, posted or rejected, and only by the call that wrote it: what a replay
says was read, perhaps long ago. An answer never changes while its key is kept.

L2 is asked only for a key that was asked for here before: nearly all keys come once, and no first
attempt shall wait for another server.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

import msgspec

from service.ledger.gateway import PaymentResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.cache.counters import Counters
    from service.cache.model import Scope
    from service.cache.trust import Trust

SECONDS = 60.0
MOST_BYTES = 32 * 1024 * 1024

_FINAL = ("posted", "rejected")
_OVERHEAD = 600  # bytes an answer takes beside its texts, about
_MOST_ASKED = 50_000


class AnswerKey(msgspec.Struct, frozen=True, gc=False):
    """Whose answer."""

    epoch: str
    ledger_id: int
    idem_key: str


class _Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """It repeats its key, as everything in L2 does."""

    epoch: str
    ledger_id: int
    idem_key: str
    fingerprint: bytes
    outcome: str
    code: str | None
    payment_id: str | None
    body: bytes


class _Kept(msgspec.Struct, frozen=True, gc=False):
    answer: _Answer
    size: int
    until: float


class SharedLayer(Protocol):
    """service.cache.l2.L2."""

    async def find_answer(  # noqa: D102
        self, scope: Scope, ledger_id: int, idem_key: str
    ) -> bytes | None: ...

    def put_answer(  # noqa: D102
        self, scope: Scope, ledger_id: int, idem_key: str, value: bytes, milliseconds: int
    ) -> None: ...


class AnswerCache:
    """Bounded in bytes; the oldest go first."""

    def __init__(
        self,
        trust: Trust,
        counters: Counters,
        *,
        l2: SharedLayer | None = None,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked: OrderedDict[AnswerKey, None] = OrderedDict()
        self._clock = clock
        self._counters = counters
        self._kept: OrderedDict[AnswerKey, _Kept] = OrderedDict()
        self._l2 = l2
        self._most_bytes = most_bytes
        self._trust = trust
        self.bytes = 0
        trust.on_live(self._drop)

    def __len__(self) -> int:
        return len(self._kept)

    async def find(self, ledger_id: int, idem_key: str, fingerprint: bytes) -> PaymentResult | None:
        """The answer to the same payment, as a replay; None: ask the ledger.

        `fingerprint` is of the request, by the caller. Other content is for the ledger to judge,
        too: the same payment may be spelt in two ways. Call it after authentication.
        """
        trust = self._trust
        scope = trust.scope
        if not trust.is_live() or scope is None:
            return None
        key = AnswerKey(scope.epoch, ledger_id, idem_key)
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.until:
            if kept.answer.fingerprint != fingerprint:
                return None
            self._counters.answer_hits_l1 += 1
            return _replay(kept.answer)

        if self._l2 is None or not self._asked_before(key):
            self._counters.answer_misses += 1
            return None
        era = trust.era
        value = await self._l2.find_answer(scope, ledger_id, idem_key)
        answer = None if value is None else _read(value, key)
        if answer is None or not (trust.is_live() and trust.era == era and trust.scope == scope):
            self._counters.answer_misses += 1
            return None
        if answer.fingerprint != fingerprint:
            return None
        self._counters.answer_hits_l2 += 1
        return _replay(answer)

    def put(
        self,
        ledger_id: int,
        idem_key: str,
        fingerprint: bytes,
        result: PaymentResult,
        *,
        epoch: str,
        retention_seconds: float | None = None,
    ) -> None:
        """Keep what a call has just written, in the history `epoch`; anything else is ignored.

        `retention_seconds`: how long the ledger keeps the key; None: for ever.
        """
        trust = self._trust
        scope = trust.scope
        if result.replayed or result.outcome not in _FINAL or scope is None:
            return
        if not trust.is_live() or epoch != trust.epoch:
            return
        seconds = SECONDS if retention_seconds is None else min(SECONDS, retention_seconds)
        key = AnswerKey(epoch, ledger_id, idem_key)
        answer = _Answer(
            epoch,
            ledger_id,
            idem_key,
            fingerprint,
            result.outcome,
            result.code,
            result.payment_id,
            result.body,
        )
        self._keep(key, answer, seconds)
        if self._l2 is not None:
            value = msgspec.json.encode(answer)
            self._l2.put_answer(scope, ledger_id, idem_key, value, int(seconds * 1_000))

    def _keep(self, key: AnswerKey, answer: _Answer, seconds: float) -> None:
        size = _OVERHEAD + len(key.idem_key) + len(answer.body)
        if size > self._most_bytes:
            return
        self._forget(key)
        self._kept[key] = _Kept(answer, size, self._clock() + seconds)
        self.bytes += size
        while self.bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: AnswerKey) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.bytes -= kept.size

    def _asked_before(self, key: AnswerKey) -> bool:
        if key in self._asked:
            self._asked.move_to_end(key)
            return True
        self._asked[key] = None
        if len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)
        return False

    def _drop(self) -> None:
        self._kept.clear()
        self.bytes = 0


def _read(value: bytes, key: AnswerKey) -> _Answer | None:
    """None: it is none that belongs to the key."""
    try:
        answer = msgspec.json.decode(value, type=_Answer)
    except msgspec.MsgspecError:
        return None
    said = AnswerKey(answer.epoch, answer.ledger_id, answer.idem_key)
    return answer if said == key else None


def _replay(answer: _Answer) -> PaymentResult:
    return PaymentResult(
        answer.outcome, answer.code, True, answer.payment_id, answer.body, answer.epoch
    )
