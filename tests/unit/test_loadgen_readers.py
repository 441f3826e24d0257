"""Readers: what a session asks for, what is written down, and what is told of instead."""

from __future__ import annotations

import json
from collections.abc import Mapping

from loadgen.client import Reply
from loadgen.history import Answer, Payment
from loadgen.readers import Readers, Session
from loadgen.result import Book
from loadgen.settle import Settler

NEW, OLD = "0123456789ab", "ba9876543210"


class Scripted:
    """Answers reads with what it was given, and remembers how it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Reply:
        self.asked.append(str((query or {}).get("min_version", "")))
        return self.replies.pop(0)

    async def post(self, path: str, body: bytes) -> Reply:
        raise NotImplementedError

    async def post_payment(self, payment: Payment, give_up: float | None = None) -> Reply:
        raise NotImplementedError


def shows(version: int, epoch: str = NEW, account: str = "a") -> Reply:
    body = {"account": account, "version": version, "balance": "7", "held": "1"}
    return Reply(
        Answer(200, json.dumps(body).encode(), etag=f'"{version}-{epoch}"'),
        replayed=False,
        retry_after=None,
        headers={"Payledger-Source": "l2", "X-Request-Id": f"y-{version}"},
    )


def refuses(code: str) -> Reply:
    body = json.dumps({"code": code}).encode()
    return Reply(Answer(412, body), replayed=False, retry_after=None)


def reading(carrier: Scripted) -> tuple[Readers, Book]:
    book = Book()
    return Readers(Settler(carrier, book.history, lambda sent: sent), book), book


def session(token: str) -> Session:
    made = Session(1, "a")
    made.token, made.writer = token, "x"
    return made


async def test_a_session_asks_for_the_newest_that_it_has_seen() -> None:
    carrier = Scripted(shows(5), shows(9), shows(9))
    readers, book = reading(carrier)
    await readers.follow(session(f"3-{NEW}"), 3)
    assert carrier.asked == [f"3-{NEW}", f"5-{NEW}", f"9-{NEW}"]
    first = book.history.reads[0]
    assert (first.account, first.version, first.balance, first.held) == ("a", 5, "7", "1")
    assert (first.session, first.asked, first.token) == (1, f"3-{NEW}", f"5-{NEW}")
    assert (first.layer, first.worker, first.writer) == ("l2", "y", "x")
    assert book.findings.sound


async def test_an_older_answer_does_not_lower_what_a_session_asks_for() -> None:
    carrier = Scripted(shows(2), shows(2))
    readers, _ = reading(carrier)
    await readers.follow(session(f"3-{NEW}"), 2)
    assert carrier.asked == [f"3-{NEW}"] * 2


async def test_a_read_of_no_session_asks_for_nothing() -> None:
    carrier = Scripted(shows(2), shows(1))
    readers, book = reading(carrier)
    await readers.read("a")
    await readers.read("a")
    assert carrier.asked == ["", ""]
    assert {read.session for read in book.history.reads} == {0}


async def test_another_history_begins_another_session() -> None:
    carrier = Scripted(refuses("history_changed"), shows(1, OLD), shows(1, OLD))
    readers, book = reading(carrier)
    await readers.follow(session(f"3-{NEW}"), 3)
    assert carrier.asked == [f"3-{NEW}", "", f"1-{OLD}"]
    assert [read.writer for read in book.history.reads] == ["", ""]
    assert book.findings.sound


async def test_an_acknowledged_version_that_is_not_reached_is_a_breach() -> None:
    readers, book = reading(Scripted(refuses("version_not_reached")))
    await readers.follow(session(f"3-{NEW}"), 1)
    assert book.findings.counts == {"wrong_read": 1}
    assert book.history.reads == []


async def test_another_accounts_balance_is_a_breach() -> None:
    readers, book = reading(Scripted(shows(3, account="b")))
    await readers.read("a")
    assert book.findings.counts == {"wrong_read": 1}
