"""Performs the operations of a schedule and times them."""

from __future__ import annotations

import asyncio
import time

from loadgen import wire
from loadgen.accounts import document
from loadgen.checker import Breach
from loadgen.history import Payment
from loadgen.readers import Readers, Session
from loadgen.result import Book
from loadgen.schedule import Kind, Operation
from loadgen.settle import Abandoned, Settler

READS_OF_A_SESSION = 8
READS_OF_A_NEWCOMER = 4
"""One comes from the database, and the first one by another process from L2; more would be L1's."""


class Load:
    """Does one operation after another's start, each to its definite end."""

    def __init__(self, settler: Settler, book: Book) -> None:
        self._settler = settler
        self._book = book
        self._readers = Readers(settler, book)

    async def perform(self, operation: Operation, due: float) -> None:
        """Do an operation; its latency counts from when it was due."""
        match operation.kind:
            case Kind.READ:
                await self._readers.read(operation.account)
            case Kind.ROUND:
                for account in operation.accounts:
                    await self._readers.read(account)
            case Kind.SESSION:
                await self._session(operation.account, operation.payments, READS_OF_A_SESSION)
            case Kind.NEWCOMER:
                if await self._open(operation.account):
                    await self._session(operation.account, operation.payments, READS_OF_A_NEWCOMER)
            case Kind.BATCH:
                await self._settler.batch(operation.payments)
            case Kind.CONFLICT:
                earlier, conflicting = operation.payments
                if await self._settler.payment(earlier) is not None:
                    await self._settler.payment(conflicting)
            case Kind.RACE:
                await asyncio.gather(*map(self._settler.payment, operation.payments))
            case _:
                await self._settler.payment(operation.payments[0], operation.give_up)
        self._book.latencies.record(operation.kind, time.perf_counter() - due)

    async def _session(self, account: str, payments: tuple[Payment, ...], reads: int) -> None:
        session = Session(self._book.history.open_session(), account)
        for payment in payments:
            record = await self._settler.payment(payment)
            if record is None:
                return  # the checker tells of it
            session.paid(record)
            await self._readers.follow(session, reads)

    async def _open(self, account: str) -> bool:
        try:
            answer = await self._settler.write("accounts", wire.encode(document(account)))
        except Abandoned:
            self._breach("undecided", "an account could not be opened", account)
            return False
        if answer.status not in (200, 201):
            self._breach("unexpected_answer", "an account was refused", account, answer=answer)
            return False
        return True

    def _breach(self, rule: str, says: str, account: str, **evidence: object) -> None:
        self._book.findings.add([Breach(rule, says, account=account, evidence=evidence)])
