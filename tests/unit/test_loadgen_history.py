"""What an answer counts as, and what the history keeps of it."""

from __future__ import annotations

import json

import pytest

from loadgen.history import Answer, History, Outcome, Payment, classify

PAYMENT = Payment("k1", b"{}", ("posted",))


def problem(status: int, code: str) -> Answer:
    return Answer(status, json.dumps({"code": code, "status": status}).encode())


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (Answer(201, b"{}"), Outcome.POSTED, "posted"),
        (problem(422, "insufficient_funds"), Outcome.REJECTED, "insufficient_funds"),
        (problem(422, "account_frozen"), Outcome.REJECTED, "account_frozen"),
        (problem(422, "balance_limit_exceeded"), Outcome.REJECTED, "balance_limit_exceeded"),
        (problem(422, "key_reused"), Outcome.CONFLICT, "key_reused"),
        (problem(422, "unknown_account"), Outcome.INVALID, "unknown_account"),
        (problem(400, "amount_not_positive"), Outcome.INVALID, "amount_not_positive"),
        (problem(401, "unauthorized"), Outcome.INVALID, "unauthorized"),
        (problem(409, "idempotency_key_in_use"), Outcome.UNKNOWN, "idempotency_key_in_use"),
        (problem(429, "overloaded"), Outcome.UNKNOWN, "overloaded"),
        (problem(500, "internal_error"), Outcome.UNKNOWN, "internal_error"),
        (problem(503, "account_busy"), Outcome.UNKNOWN, "account_busy"),
        (problem(503, "outcome_unknown"), Outcome.UNKNOWN, "outcome_unknown"),
        # A refusal under a status that says "ask again" is not definite.
        (problem(503, "insufficient_funds"), Outcome.UNKNOWN, "insufficient_funds"),
        (Answer(502, b"<html>bad gateway"), Outcome.UNKNOWN, "http_502"),
        (Answer(400, b"\xff"), Outcome.INVALID, "http_400"),
        (Answer(200, b"{}"), Outcome.UNKNOWN, "http_200"),
        (Answer(302, b""), Outcome.UNKNOWN, "http_302"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_an_answer_is_definite_or_to_be_asked_for_again(
    answer: Answer, outcome: Outcome, code: str
) -> None:
    assert classify(answer) == (outcome, code)


def test_a_record_is_unknown_until_it_is_closed() -> None:
    history = History()
    record = history.sending(history.open_request(), PAYMENT)
    assert list(history) == [record]
    assert (record.outcome, record.done_at) == (Outcome.UNKNOWN, None)


def test_a_record_is_open_before_and_closed_after() -> None:
    history = History()
    record = history.sending(history.open_request(), PAYMENT)
    history.answered(record, Answer(201, b"{}"), replayed=True)
    assert record.done_at is not None
    assert record.sent_at <= record.done_at
    assert (record.outcome, record.code, record.replayed) == (Outcome.POSTED, "posted", True)


def test_equal_answers_to_a_key_are_kept_once_and_unequal_ones_each() -> None:
    history = History()
    for body in (b"one", b"one", b"two"):
        record = history.sending(history.open_request(), PAYMENT)
        history.answered(record, Answer(201, bytes(bytearray(body))), replayed=False)
    first, same, other = (record.answer for record in history)
    assert first is same
    assert other == Answer(201, b"two")


def test_trouble_before_the_answer_is_not_what_later_answers_are_compared_with() -> None:
    history = History()
    answers = [problem(503, "overloaded"), Answer(201, b"one"), Answer(201, b"one")]
    for answer in answers:
        history.answered(history.sending(1, PAYMENT), answer, replayed=False)
    kept = [record.answer for record in history]
    assert kept == answers
    assert kept[1] is kept[2]


def test_attempts_are_counted_by_what_came_of_them() -> None:
    history = History()
    history.answered(history.sending(1, PAYMENT), Answer(201, b""), replayed=False)
    history.answered(history.sending(2, PAYMENT), Answer(201, b""), replayed=True)
    history.answered(history.sending(3, PAYMENT), problem(422, "key_reused"), replayed=False)
    history.lost(history.sending(4, PAYMENT), "timeout")
    assert history.counts == {
        "posted": 1,
        "posted, replayed": 1,
        "key_reused": 1,
        "unknown: timeout": 1,
    }
