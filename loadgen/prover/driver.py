"""Performs the operations of the scenarios against several URLs, writing a durable history."""

from __future__ import annotations

import asyncio
import time

from loadgen.client import AnswerLost, Carrier
from loadgen.headers import newer, token_of
from loadgen.history import Payment, Record
from loadgen.journal.history import DurableHistory
from loadgen.journal.records import Served, text
from loadgen.latency import Latencies
from loadgen.schedule import Kind, Operation
from loadgen.settle import Abandoned, Pause, Settler

READS_OF_A_SESSION = 2
READ_SECONDS = 30.0
"""How long a read is asked again; it is no promise that a read is ever answered."""


class Driver:
    """Does each operation to its definite end; what stays open is counted."""

    def __init__(
        self, settler: Settler, carrier: Carrier, history: DurableHistory, latencies: Latencies
    ) -> None:
        self._settler = settler
        self._carrier = carrier
        self._history = history
        self._latencies = latencies
        self.undecided = 0

    async def perform(self, operation: Operation, due: float) -> None:
        """Do an operation; its latency counts from when it was due."""
        payments = operation.payments
        match operation.kind:
            case Kind.READ:
                await self._read(operation.account, 0, "")
            case Kind.SESSION:
                await self._session(operation.account, payments)
            case Kind.IMPORT:
                await asyncio.gather(
                    self._settler.batch(payments), self._settler.batch(payments[::-1])
                )
            case Kind.STREAM:
                await self._stream(payments, operation.at_once)
            case Kind.RACE | Kind.RING | Kind.HUNT:
                await asyncio.gather(*map(self._pay, payments))
            case Kind.STORM:
                await asyncio.gather(*map(self._impatiently, payments, operation.impatience))
            case Kind.CONFLICT:
                earlier, conflicting = payments
                if await self._pay(earlier) is not None:
                    await self._pay(conflicting)
            case _:
                await self._pay(payments[0])
        self._latencies.record(operation.kind, time.perf_counter() - due)

    async def _pay(self, payment: Payment) -> Record | None:
        record = await self._settler.payment(payment)
        self.undecided += record is None
        return record

    async def _stream(self, payments: tuple[Payment, ...], at_once: bool) -> None:
        """Another importer has the second half of the list, and begins at its end."""
        half = payments[: len(payments) // 2 - 1 : -1]
        if at_once:
            await asyncio.gather(self._settler.lines(payments), self._settler.lines(half))
        else:
            await self._settler.lines(payments)
            await self._settler.lines(half)

    async def _impatiently(self, payment: Payment, patience: float) -> None:
        """Every other client cancels its call, every other one waits for a silent socket."""
        cancels = round(patience * 1_000_000) % 2 == 0
        record = await self._settler.payment(
            payment,
            give_up=None if cancels else patience,
            cancel=patience if cancels else None,
        )
        self.undecided += record is None

    async def _session(self, account: str, payments: tuple[Payment, ...]) -> None:
        """Pay and read, never asking for less than was seen."""
        session, token = self._history.open_session(), ""
        for payment in payments:
            record = await self._pay(payment)
            if record is None:
                return
            token = newer(token, token_of(record.tokens, account))
            for _ in range(READS_OF_A_SESSION):
                seen = await self._read(account, session, token)
                if seen is None:
                    return  # another history, or no answer: what was seen counts no more
                token = newer(token, seen)

    async def _read(self, account: str, session: int, token: str) -> str | None:
        """Give the ETag of a balance that was served."""
        pause = Pause(time.perf_counter() + READ_SECONDS)
        query: dict[str, str | int] = {"min_version": token} if token else {}
        while True:
            at = self._history.now()
            retry_after = None
            try:
                reply = await self._carrier.get(f"accounts/{account}/balance", query)
            except AnswerLost:
                pass
            else:
                status, headers = reply.answer.status, reply.headers
                if status in (200, 412):
                    self._history.served(
                        Served(
                            at,
                            self._history.now(),
                            session,
                            account,
                            status,
                            text(reply.answer.body),
                            token,
                            reply.answer.etag,
                            headers.get("Payledger-Source", ""),
                            headers.get("Age", ""),
                            reply.url,
                        )
                    )
                    return (reply.answer.etag or "").strip('"') if status == 200 else None
                retry_after = reply.retry_after
            try:
                await pause.wait(retry_after)
            except Abandoned:
                return None
