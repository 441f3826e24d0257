"""One call, and what becomes of its payments when it fails.

A call may fail through one of its payments: the account it names is locked by a stranger, or its
backend crashes over it. The others must not suffer for that longer than it takes to find out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from service.errors import Problem, describe
from service.jitter import jittered
from service.ledger.carrier import FIRST_PAUSE, LOCK_TIMEOUT, LONGEST_PAUSE, Failure, reserve
from service.ledger.poster.parcels import State, refusal, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.ledger.gateway import Gateway, Json, PaymentResult
    from service.ledger.poster.parcels import Item

logger = logging.getLogger(__name__)

# How long a call waits for a row. Then it is known that a stranger holds one, and which: together
# with the probe that tells, payments on other accounts are held up by less than 100 ms.
LOCK_TIMEOUT_MS = 50

# A probe waits for no row, but may find a key that a stranger has claimed and not committed.
PROBE_TIMEOUT_MS = 5

# A payment whose backend crashes takes all of PostgreSQL down each time it is tried.
_MOST_LOSSES = 2

# What no other division of the payments can cure: the statement itself, or the right to make it.
_STATEMENT_DEFECT = "42"


class Held(NamedTuple):
    """A payment that was not posted, because somebody else holds the account."""

    account: str
    item: Item


class _Part(NamedTuple):
    """What one attempt carries. `wait` false: it probes, and waits for no row."""

    items: list[Item]
    wait: bool
    resting: State  # of its payments, between attempts

    def halves(self) -> list[_Part]:
        """Last first, as a stack wants them."""
        middle = len(self.items) // 2
        return [self._replace(items=self.items[middle:]), self._replace(items=self.items[:middle])]


class _Busy(msgspec.Struct):
    account: str | None = None


_busy = msgspec.json.Decoder(_Busy)


def encode(items: Sequence[Item]) -> Json:
    """The argument of the call. Texts go as they came: nothing is encoded again."""
    return (b"[" + b",".join([item.text for item in items]) + b"]").decode()


class Calls:
    """Posts through the gateway until every payment is settled, or known to be held."""

    def __init__(self, gateway: Gateway, *, deadline_seconds: float) -> None:
        self._gateway = gateway
        self._reserve_seconds = reserve(deadline_seconds)

    async def post(
        self,
        ledger_id: int,
        items: list[Item],
        *,
        lock_timeout_ms: int = LOCK_TIMEOUT_MS,
        resting: State = State.WAITING,
    ) -> list[Held]:
        """Settles every item but those it returns."""
        held: list[Held] = []
        work = [_Part(items, wait=True, resting=resting)]
        cause = "late"
        pause = FIRST_PAUSE
        while work:
            part = work.pop()
            part = part._replace(items=self._in_time(part.items, cause))
            if not part.items:
                continue
            try:
                held += await self._attempt(ledger_id, part, lock_timeout_ms)
            except Failure as failure:
                cause = failure.name
                work += _after(failure, part, held)
                if failure.retry and failure.sqlstate != LOCK_TIMEOUT and work:
                    pause = min(2 * pause, LONGEST_PAUSE)
                    await self._rest(jittered(pause), work)
            except Problem as problem:
                for item in part.items:
                    item.settle(refusal_of(problem.code, problem.values))
            except Exception as exc:  # noqa: BLE001 -- whose it is has to be found out
                work += _after_defect(exc, part)
        return held

    async def _attempt(self, ledger_id: int, part: _Part, lock_timeout_ms: int) -> list[Held]:
        for item in part.items:
            item.state = State.FLYING
        deadlines = [item.parcel.deadline for item in part.items]
        answered = False
        try:
            results = await self._gateway.post_payments(
                encode(part.items),
                ledger_id,
                wait=part.wait,
                lock_timeout_ms=lock_timeout_ms if part.wait else PROBE_TIMEOUT_MS,
                # Nobody's deadline passes while a connection is waited for, so that whoever is
                # not sent can be told so.
                last_begin=min(deadlines) - self._reserve_seconds,
                deadline=max(deadlines),
            )
            told = list(zip(part.items, results, strict=True))
            answered = True
        except asyncio.CancelledError:
            for item in part.items:
                item.doubtful = True
            raise
        finally:
            if not answered:
                for item in part.items:
                    item.state = part.resting
        return [held for item, result in told if (held := _told(item, result)) is not None]

    async def _rest(self, seconds: float, work: list[_Part]) -> None:
        """Not beyond the time when the next payment has to be given up."""
        deadlines = [item.parcel.deadline for part in work for item in part.items]
        left = min(deadlines) - self._reserve_seconds - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, min(seconds, left)))

    def _in_time(self, items: list[Item], cause: str) -> list[Item]:
        """Those that may begin; the others are given up."""
        latest = asyncio.get_running_loop().time() + self._reserve_seconds
        here = [item for item in items if item.state is not State.GONE]
        _give_up([item for item in here if item.parcel.deadline <= latest], cause)
        return [item for item in here if item.state is not State.GONE]


def _told(item: Item, result: PaymentResult) -> Held | None:
    if result.outcome != "busy":
        item.settle(result)
        return None
    item.state = State.BUSY
    return Held(_busy.decode(result.body).account or _name(item), item)


def _after(failure: Failure, part: _Part, held: list[Held]) -> list[_Part]:
    """What is to be attempted next; what ends here is settled, or added to `held`."""
    if failure.sqlstate == LOCK_TIMEOUT:
        busy = part._replace(resting=State.BUSY)
        for item in part.items:
            item.state = State.BUSY
        if part.wait:
            return [busy._replace(wait=False)]
        if len(part.items) > 1:
            return busy.halves()
        held += [Held(_name(item), item) for item in part.items]
        return []

    for item in part.items:
        item.doubtful = item.doubtful or failure.doubtful
    if not failure.retry:
        _give_up(part.items, failure.name)
        return []
    if not failure.doubtful:
        return [part]
    if len(part.items) > 1:
        return part.halves()
    (item,) = part.items
    item.losses += 1
    if item.losses < _MOST_LOSSES:
        return [part]
    _give_up(part.items, failure.name)
    return []


def _after_defect(exc: Exception, part: _Part) -> list[_Part]:
    """An error that is nobody's trouble: the others are posted without the payment it is about."""
    sqlstate = getattr(exc, "sqlstate", None) or ""
    if len(part.items) > 1 and not sqlstate.startswith(_STATEMENT_DEFECT):
        return part.halves()
    for item in part.items:
        if not item.doubtful and len(item.parcel.items) == 1:
            item.parcel.fail(exc)  # told, and logged, by whoever asked
        else:
            logger.error("a payment failed", extra={"exception": describe(exc)})
            item.settle(refusal("outcome_unknown" if item.doubtful else "internal_error"))
    return []


def _give_up(items: Sequence[Item], cause: str) -> None:
    if not items:
        return
    codes = {item.code() for item in items}
    logger.warning(
        "gave up",
        extra={
            "code": ", ".join(sorted(codes)),
            "function": "ledger.post_payments",
            "cause": cause,
            "payments": len(items),
        },
    )
    for item in items:
        item.give_up()


def _name(item: Item) -> str:
    """An account to hold responsible where SQL names none."""
    return item.accounts[0] if item.accounts else ""
