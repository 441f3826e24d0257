"""Posts payments, each key one at a time, within a deadline that covers all of the waiting."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from service.errors import Problem
from service.ledger.keys_in_work import KeysInWork

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from service.ledger.gateway import Gateway, Json, PaymentResult


# The part of its time that a request does not spend on waiting for an earlier one with its key.
# What is left must do for asking the database, and the earlier one, which has the earlier
# deadline, must not always end first.
_RESERVE = 0.2


class Payment(NamedTuple):
    """A payment of one posting, complete and in the form that ledger.post_payment takes."""

    from_: str
    to: str
    amount: Decimal | int
    currency: str
    description: str | None
    metadata: Json


class Element(NamedTuple):
    """Any other payment, right or wrong: an element of ledger.post_payments, key and all."""

    text: Json


class Echo(Protocol):
    """service.cache.echo.Echo: hears what was posted, and can say some of it again."""

    async def find(  # noqa: D102
        self, ledger_id: int, idem_key: str, fingerprint: bytes
    ) -> PaymentResult | None: ...

    def keep(  # noqa: D102
        self, ledger_id: int, idem_key: str, fingerprint: bytes, result: PaymentResult
    ) -> None: ...

    def hear(self, ledger_id: int, results: Sequence[PaymentResult]) -> None: ...  # noqa: D102


class Poster:
    """Every payment of this process goes through here."""

    def __init__(self, gateway: Gateway, echo: Echo, *, deadline_seconds: float) -> None:
        self._echo = echo
        self._gateway = gateway
        self._deadline_seconds = deadline_seconds
        self._keys = KeysInWork()

    def deadline(self) -> float:
        """When a request that begins now must be answered: a time of the running loop."""
        return asyncio.get_running_loop().time() + self._deadline_seconds

    async def post_payment(
        self, payment: Payment | Element, idem_key: str, ledger_id: int, deadline: float
    ) -> PaymentResult:
        """Raises Problem: idempotency_key_in_use, overloaded, not_attempted or outcome_unknown."""
        key = (ledger_id, idem_key)
        if not await self._keys.enter(key, deadline - _RESERVE * self._deadline_seconds):
            raise Problem("idempotency_key_in_use")
        try:
            # By now the one before us has its answer.
            fingerprint = _fingerprint(payment)
            known = await self._echo.find(ledger_id, idem_key, fingerprint)
            if known is not None:
                return known
            result = await self._post(payment, idem_key, ledger_id, deadline)
            self._echo.keep(ledger_id, idem_key, fingerprint, result)
            self._echo.hear(ledger_id, (result,))
            return result
        finally:
            self._keys.leave(key)

    async def post_payments(
        self, payments: Json, ledger_id: int, deadline: float
    ) -> list[PaymentResult]:
        """A JSON array of payments with their keys; the results in its order."""
        results = await self._gateway.post_payments(payments, ledger_id, deadline)
        self._echo.hear(ledger_id, results)
        return results

    async def _post(
        self, payment: Payment | Element, idem_key: str, ledger_id: int, deadline: float
    ) -> PaymentResult:
        if isinstance(payment, Element):
            elements = f"[{payment.text}]"
            return (await self._gateway.post_payments(elements, ledger_id, deadline))[0]
        return await self._gateway.post_payment(
            idem_key,
            payment.from_,
            payment.to,
            payment.amount,
            payment.currency,
            payment.description,
            payment.metadata,
            ledger_id,
            deadline,
        )


def _fingerprint(payment: Payment | Element) -> bytes:
    """Of what was read, not of what was sent: white space between two names means nothing.

    Finer than SQL's, which knows more ways to say the same: whose fingerprint differs is asked for
    in the ledger.
    """
    return hashlib.sha256(msgspec.json.encode(payment)).digest()
