"""Reads balances as clients do: now and then, or in a session that carries its token."""

from __future__ import annotations

import msgspec

from loadgen import wire
from loadgen.checker import Breach
from loadgen.headers import newer, token_of, worker_of
from loadgen.history import Answer, Outcome, Read, Record
from loadgen.result import Book
from loadgen.settle import Abandoned, Settler


class Session:
    """One client that pays and reads one account: it never asks for less than it has seen."""

    def __init__(self, number: int, account: str) -> None:
        self.number = number
        self.account = account
        self.token = ""
        self.writer = ""
        """The process that acknowledged its last payment."""

    def paid(self, record: Record) -> None:
        """Take the token of a payment's answer; one that was refused has none."""
        if record.outcome is Outcome.POSTED:
            self.token = newer(self.token, token_of(record.tokens, self.account))
            # Who repeats an answer is not who wrote the payment.
            self.writer = "" if record.replayed else record.worker

    def begin_anew(self, number: int) -> None:
        """Forget what was seen: from here on it is another session."""
        self.number = number
        self.token = self.writer = ""


class Readers:
    """Writes down every balance that is served; what is served instead of one is a breach."""

    def __init__(self, settler: Settler, book: Book) -> None:
        self._settler = settler
        self._book = book

    async def read(self, account: str) -> None:
        """Read without a token."""
        await self._read(account, Session(0, account))

    async def follow(self, session: Session, reads: int) -> None:
        """Read so many times, each time with the newest token."""
        for _ in range(reads):
            await self._read(session.account, session)

    async def _read(self, account: str, session: Session) -> None:
        asked = session.token
        query: dict[str, str | int] = {"min_version": asked} if asked else {}
        try:
            reply = await self._settler.look(f"accounts/{account}/balance", query)
        except Abandoned:
            self._breach("undecided", "a read had no answer", account)
            return
        if reply.answer.status == 412 and _code(reply.answer) == "history_changed":
            # The database was restarted: what was seen of its last history counts no more.
            session.begin_anew(self._book.history.open_session())
            return
        try:
            balance = wire.decode_balance(reply.answer.body)
        except msgspec.DecodeError:
            self._breach("wrong_read", "not a balance", account, answer=reply.answer, asked=asked)
            return
        if balance.account != account:
            self._breach("wrong_read", "of another account", account, answer=reply.answer)
            return
        token = (reply.answer.etag or "").strip('"')
        self._book.history.served(
            Read(
                account,
                balance.version,
                balance.balance,
                balance.held,
                session.number,
                asked,
                token,
                reply.headers.get("Payledger-Source", ""),
                worker_of(reply.headers),
                session.writer,
            )
        )
        session.token = newer(asked, token)

    def _breach(self, rule: str, says: str, account: str, **evidence: object) -> None:
        self._book.findings.add([Breach(rule, says, account=account, evidence=evidence)])


def _code(answer: Answer) -> str:
    try:
        return wire.decode_problem(answer.body).code
    except msgspec.DecodeError:
        return ""
