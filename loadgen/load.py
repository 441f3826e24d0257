"""Performs the operations of a schedule and times them."""

from __future__ import annotations

import asyncio
import time

import msgspec

from loadgen import wire
from loadgen.checker import Breach
from loadgen.history import Read
from loadgen.result import Book
from loadgen.schedule import Kind, Operation
from loadgen.settle import Abandoned, Settler


class Load:
    """Does one operation after another's start, each to its definite end."""

    def __init__(self, settler: Settler, book: Book) -> None:
        self._settler = settler
        self._book = book

    async def perform(self, operation: Operation, due: float) -> None:
        """Do an operation; its latency counts from when it was due."""
        match operation.kind:
            case Kind.READ:
                await self._read(operation.account)
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

    async def _read(self, account: str) -> None:
        try:
            answer = await self._settler.read(f"accounts/{account}/balance")
        except Abandoned:
            self._book.findings.add([Breach("undecided", "a read had no answer", account=account)])
            return
        try:
            balance = wire.decode_balance(answer.body)
        except msgspec.DecodeError:
            wrong = Breach(
                "wrong_read", "not a balance", account=account, evidence={"answer": answer}
            )
            self._book.findings.add([wrong])
            return
        self._book.history.served(Read(account, balance.version, balance.balance))
