"""The relay's messages: what goes in comes out, and nothing else does."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cache import notices
from service.cache.model import Change

SECRET = hashlib.sha256(b"secret").digest()

codes = st.from_regex(r"[A-Za-z0-9_-]{1,40}([:.@][A-Za-z0-9_-]{1,40}){0,2}", fullmatch=True)
amounts = st.none() | st.integers(-(10**38) + 1, 10**38 - 1).map(str)
changes = st.lists(
    st.tuples(
        st.integers(1, 2**31 - 1),
        st.builds(
            Change,
            code=codes,
            version=st.integers(0, 2**63 - 1),
            currency=st.none() | st.sampled_from(["USD", "A_TOKEN_12"]),
            balance=amounts,
            held=amounts,
        ),
    ),
    max_size=200,
)
LARGEST = (2**31 - 1, Change("x" * 128, 2**63 - 1, "C" * 12, "-" + "9" * 38, "9" * 38))


def encode(told: list[tuple[int, Change]], lsn: int | None = None) -> list[str]:
    return notices.encode(7, "00c0ffee0000", "abcdef", 1_795_621_945.79, told, SECRET, lsn=lsn)


def signed(body: bytes, secret: bytes = SECRET) -> str:
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return digest + body.decode("utf-8", "surrogateescape")


@given(changes, st.none() | st.integers(0, 2**63 - 1))
def test_what_is_told_is_heard_in_order_and_the_last_message_is_the_heartbeat(
    told: list[tuple[int, Change]], lsn: int | None
) -> None:
    messages = encode(told, lsn)
    assert all(len(message.encode()) <= notices.MOST_BYTES for message in messages)
    heard = [notices.decode(message, SECRET) for message in messages]
    assert [change for notice in heard if notice for change in notice.changes] == told
    for notice in heard:
        assert notice is not None
        assert notice[:4] == (7, "00c0ffee0000", "abcdef", 1_795_621_945.79)
    beats = [notice.heartbeat for notice in heard if notice]
    if lsn is None:
        assert set(beats) <= {None}
    else:
        assert beats == [None] * (len(beats) - 1) + [
            notices.Heartbeat(7, "00c0ffee0000", "abcdef", lsn, 0.0)
        ]


def test_messages_are_as_few_as_they_can_be() -> None:
    assert encode([]) == []
    assert len(encode([], lsn=5)) == 1
    told = [LARGEST] * 100
    messages = encode(told, lsn=5)
    assert all(len(message) <= notices.MOST_BYTES for message in messages)
    room = max(map(len, messages)) + len(json.dumps(LARGEST)) > notices.MOST_BYTES
    assert room, "another one would have had room"
    assert len(messages) == -(-100 // (7_200 // 266))


@given(st.text() | st.text(st.characters(codec=None)))
def test_garbage_is_nothing(payload: str) -> None:
    assert notices.decode(payload, SECRET) is None


@given(changes, st.data())
def test_a_message_with_anything_changed_is_nothing(
    told: list[tuple[int, Change]], data: st.DataObject
) -> None:
    message = data.draw(st.sampled_from(encode(told, lsn=5)))
    at = data.draw(st.integers(0, len(message) - 1))
    other = data.draw(st.characters().filter(lambda c: c != message[at]))
    assert notices.decode(message[:at] + other + message[at + 1 :], SECRET) is None
    assert notices.decode(message[:at], SECRET) is None
    assert notices.decode(message + other, SECRET) is None
    assert notices.decode(message, hashlib.sha256(SECRET).digest()) is None


@given(st.binary())
def test_a_right_signature_makes_no_sense_of_nonsense(body: bytes) -> None:
    assert notices.decode(signed(body), SECRET) is None


WELL_FORMED: dict[str, Any] = {
    "form": 1,
    "term": 7,
    "epoch": "e",
    "generation": "g",
    "read_at": 1.5,
    "lsn": 3,
    "changes": [[1, "a", 2, "USD", "3", "0"]],
}


@pytest.mark.parametrize(
    "other",
    [
        {"form": 2},
        {"term": "7"},
        {"term": None},
        {"epoch": 1},
        {"read_at": "now"},
        {"lsn": -0.5},
        {"changes": None},
        {"changes": [[1, "a", 2, "USD", "3"]]},
        {"changes": [[1, "a", 2, "USD", 3, "0"]]},
        {"changes": [["1", "a", 2, "USD", "3", "0"]]},
        {"more": 1},
    ],
)
def test_a_body_of_another_form_is_nothing(other: dict[str, Any]) -> None:
    assert notices.decode(signed(json.dumps(WELL_FORMED).encode()), SECRET) is not None
    assert notices.decode(signed(json.dumps(WELL_FORMED | other).encode()), SECRET) is None
