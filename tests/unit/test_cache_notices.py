"""The relay's messages: what is told is heard, and nothing else is."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.messages import any_change, message, signed

from service.cache import notices
from service.cache.model import Change

SECRET = hashlib.sha256(b"secret").digest()

changes = st.lists(any_change, max_size=200)


def told_by(told: list[tuple[int, Change]], lsn: int | None = None) -> str:
    return message(7, "00c0ffee0000", "abcdef", 1_795_621_945.79, told, SECRET, lsn=lsn)


@given(changes, st.none() | st.integers(0, 2**63 - 1))
def test_what_is_told_is_heard_in_order_with_its_heartbeat(
    told: list[tuple[int, Change]], lsn: int | None
) -> None:
    heard = notices.decode(told_by(told, lsn), SECRET)
    beat = None if lsn is None else notices.Heartbeat(7, "00c0ffee0000", "abcdef", lsn, 0.0)
    assert heard == (7, "00c0ffee0000", "abcdef", 1_795_621_945.79, beat, told)


@given(st.text() | st.text(st.characters(codec=None)))
def test_garbage_is_nothing(payload: str) -> None:
    assert notices.decode(payload, SECRET) is None


@given(changes, st.data())
def test_a_message_with_anything_changed_is_nothing(
    told: list[tuple[int, Change]], data: st.DataObject
) -> None:
    text = told_by(told, lsn=5)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda c: c != text[at]))
    assert notices.decode(text[:at] + other + text[at + 1 :], SECRET) is None
    assert notices.decode(text[:at], SECRET) is None
    assert notices.decode(text + other, SECRET) is None
    assert notices.decode(text, hashlib.sha256(SECRET).digest()) is None


@given(st.binary())
def test_a_right_signature_makes_no_sense_of_nonsense(body: bytes) -> None:
    assert notices.decode(signed(body, SECRET), SECRET) is None


WELL_FORMED: dict[str, Any] = {
    "form": 2,
    "term": 7,
    "epoch": "e",
    "generation": "g",
    "read_at": 1.5,
    "lsn": 3,
    "changes": [[1, ["a", 2, "USD", "3", "0"]]],
}


@pytest.mark.parametrize(
    "other",
    [
        {"form": 1},
        {"term": "7"},
        {"term": None},
        {"epoch": 1},
        {"read_at": "now"},
        {"lsn": -0.5},
        {"changes": None},
        {"changes": [[1, ["a", 2, "USD", "3"]]]},
        {"changes": [[1, ["a", 2, "USD", 3, "0"]]]},
        {"changes": [["1", ["a", 2, "USD", "3", "0"]]]},
        {"more": 1},
    ],
)
def test_a_body_of_another_form_is_nothing(other: dict[str, Any]) -> None:
    assert notices.decode(signed(json.dumps(WELL_FORMED).encode(), SECRET), SECRET) is not None
    assert notices.decode(signed(json.dumps(WELL_FORMED | other).encode(), SECRET), SECRET) is None
