"""Asks until the answer is definite: what is unknown is sent again under the same key."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from loadgen import wire
from loadgen.client import AnswerLost, Carrier, Reply
from loadgen.history import Answer, Notes, Outcome, Payment, Record

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0

Deadline = Callable[[float], float]
"""From when a request was first sent (perf_counter) to when it is given up."""


class Abandoned(Exception):
    """No definite answer came in the time allowed."""


class Pause:
    """Waits between attempts: doubling, jittered, and as long as the server asks."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._next = FIRST_PAUSE

    async def wait(self, retry_after: float | None) -> None:
        """Wait before the next attempt, or raise Abandoned."""
        pause = max(self._next * random.uniform(0.5, 1.0), min(retry_after or 0, LONGEST_PAUSE))
        self._next = min(self._next * 2, LONGEST_PAUSE)
        if time.perf_counter() + pause > self._deadline:
            raise Abandoned
        await asyncio.sleep(pause)


class Settler:
    """Settles payments and reads against one client, writing the history as it goes."""

    def __init__(self, client: Carrier, history: Notes, deadline: Deadline) -> None:
        self._client = client
        self._history = history
        self._deadline = deadline

    async def payment(
        self, payment: Payment, give_up: float | None = None, cancel: float | None = None
    ) -> Record | None:
        """Give the record of the definite answer; None when it was abandoned.

        `give_up`: the first attempt hangs up when nothing comes for so many seconds; `cancel`: it
        is cancelled after so many, whatever it is doing.
        """
        request = self._history.open_request()
        pause = Pause(self._deadline(time.perf_counter()))
        while True:
            record = self._history.sending(request, payment)
            await self._history.kept()
            retry_after = None
            try:
                async with asyncio.timeout(cancel):
                    reply = await self._client.post_payment(payment, give_up)
            except AnswerLost as error:
                self._history.lost(record, str(error))
            except TimeoutError:
                self._history.lost(record, "cancelled")
            else:
                self._history.answered(
                    record, reply.answer, reply.replayed, reply.headers, reply.url
                )
                retry_after = reply.retry_after
            if record.outcome is not Outcome.UNKNOWN:
                return record
            give_up = cancel = None
            try:
                await pause.wait(retry_after)
            except Abandoned:
                return None

    async def batch(self, payments: Sequence[Payment]) -> None:
        """Send payments in one request, and again those that stay unknown."""
        await self._together(payments, self._batch)

    async def lines(self, payments: Sequence[Payment]) -> None:
        """Send payments as a stream of lines, and again those that stay unknown."""
        await self._together(payments, self._lines)

    async def _together(
        self, payments: Sequence[Payment], send: Callable[[list[Record]], Awaitable[None]]
    ) -> None:
        waiting = [(self._history.open_request(), payment) for payment in payments]
        pause = Pause(self._deadline(time.perf_counter()))
        while True:
            records = [self._history.sending(request, payment) for request, payment in waiting]
            await self._history.kept()
            await send(records)
            waiting = [
                (record.request, record.payment)
                for record in records
                if record.outcome is Outcome.UNKNOWN
            ]
            if not waiting:
                return
            try:
                await pause.wait(None)
            except Abandoned:
                return

    async def _batch(self, records: list[Record]) -> None:
        """Give each item of a batch its own answer; a refused batch refuses each."""
        body = b",".join(map(_with_key, records))
        try:
            reply = await self._client.post("payments/batch", b'{"payments":[%b]}' % body)
        except AnswerLost as error:
            for record in records:
                self._history.lost(record, str(error))
            return
        if reply.answer.status != 200:
            for record in records:
                self._history.answered(record, reply.answer, replayed=False, url=reply.url)
            return
        try:
            results = wire.decode_batch(reply.answer.body).results
        except msgspec.DecodeError:
            results = []
        if len(results) != len(records):
            for record in records:
                self._history.lost(record, "batch_malformed")
            return
        for record, result in zip(records, results, strict=True):
            answer = Answer(result.status, bytes(result.body))
            self._history.answered(record, answer, result.replayed, url=reply.url)

    async def _lines(self, records: list[Record]) -> None:
        """Give each line its answer when it comes: what is cut off, cuts off only the rest."""
        unanswered = dict(enumerate(records, start=1))

        def take(line: bytes) -> None:
            try:
                result = wire.decode_line(line)
                record = unanswered.pop(result.line)
            except (msgspec.DecodeError, KeyError) as error:
                raise AnswerLost("line_malformed") from error
            answer = Answer(result.status, bytes(result.body))
            self._history.answered(record, answer, result.replayed)

        try:
            body = b"\n".join(map(_with_key, records))
            reply = await self._client.post_lines("payments/batch", body, take)
        except AnswerLost as error:
            for record in unanswered.values():
                self._history.lost(record, str(error))
            return
        for record in unanswered.values():
            if reply.answer.status == 200:
                self._history.lost(record, "line_missing")
            else:
                self._history.answered(record, reply.answer, replayed=False, url=reply.url)

    async def read(self, path: str, query: Mapping[str, str | int] | None = None) -> Answer:
        """Read until the answer is other than trouble; raises Abandoned."""
        return (await self.look(path, query)).answer

    async def look(self, path: str, query: Mapping[str, str | int] | None = None) -> Reply:
        """Read, and give what came beside the answer too; raises Abandoned."""
        return await self._ask(lambda: self._client.get(path, query))

    async def write(self, path: str, body: bytes) -> Answer:
        """Post something that is not a payment until it is definite; raises Abandoned."""
        return (await self._ask(lambda: self._client.post(path, body))).answer

    async def _ask(self, send: Callable[[], Awaitable[Reply]]) -> Reply:
        pause = Pause(self._deadline(time.perf_counter()))
        while True:
            retry_after = None
            try:
                reply = await send()
            except AnswerLost:
                pass
            else:
                if reply.answer.status < 500 and reply.answer.status != 429:
                    return reply
                retry_after = reply.retry_after
            await pause.wait(retry_after)


def _with_key(record: Record) -> bytes:
    """Give the single call's body with the key put inside."""
    key = msgspec.json.encode(record.payment.key)
    return b'{"idempotency_key":' + key + b"," + record.payment.body[1:]
