"""The strict scan: takes what json takes, but for what means two things or cannot be carried."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.json_bodies import DEPTH_LIMIT, check_json
from service.errors import Problem

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


def is_sound(value: Any, level: int = 0) -> bool:
    """The rules, written for clarity."""
    if isinstance(value, str):
        return "\x00" not in value and all(not 0xD800 <= ord(c) <= 0xDFFF for c in value)
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    if isinstance(value, list):
        return level < DEPTH_LIMIT and all(is_sound(item, level + 1) for item in value)
    if isinstance(value, dict):
        return level < DEPTH_LIMIT and all(
            is_sound(part, level + 1) for pair in value.items() for part in pair
        )
    return True


def is_taken(body: bytes) -> bool:
    try:
        check_json(body)
    except Problem as problem:
        if problem.code != "body_malformed":
            raise
        return False
    return True


@given(documents, st.booleans())
def test_the_scan_takes_what_is_sound(document: Any, ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only)
    assert is_taken(text.encode(errors="surrogatepass")) == is_sound(document)


@given(st.text(alphabet="\\u0dD8cCeE00fF9n/ab\"'", max_size=40))
def test_escapes_are_read_as_json_reads_them(inside: str) -> None:
    body = f'["{inside}"]'
    try:
        sound = is_sound(json.loads(body))
    except ValueError:
        sound = False
    assert is_taken(body.encode()) == sound


@given(st.binary(max_size=60))
def test_no_bytes_break_the_scan(body: bytes) -> None:
    if is_taken(body):
        json.loads(body.decode())


@given(st.lists(st.sampled_from('[]{}":,a1'), max_size=60).map("".join))
def test_no_punctuation_breaks_the_scan(body: str) -> None:
    if is_taken(body.encode()):
        json.loads(body)


@pytest.mark.parametrize("levels", [1, 31, 32])
def test_as_many_levels_as_allowed_are_taken(levels: int) -> None:
    assert is_taken(b"[" * levels + b"]" * levels)
    assert is_taken(b'{"a":' * levels + b"1" + b"}" * levels)
    mixed = b'{"a":[' * (levels // 2) + b"1" + b"]}" * (levels // 2)
    assert is_taken(mixed)


@pytest.mark.parametrize("levels", [33, 34, 500, 5_000, 30_000])
def test_more_levels_are_refused(levels: int) -> None:
    assert not is_taken(b"[" * levels + b"]" * levels)
    assert not is_taken(b'{"a":' * levels + b"1" + b"}" * levels)
    assert not is_taken(b'{"a":[' * levels + b"]}" * levels)


def test_depth_is_counted_by_branch_not_in_all() -> None:
    assert is_taken(json.dumps([{"a": [{}]} for _ in range(500)]).encode())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"amount":1,"amount":2}', "amount"),
        (b'{"a":{"b":1,"c":2,"c":3}}', "c"),
        (b'{"\\u0061":1,"a":2}', "a"),
        (b'{"' + b"x" * 500 + b'":1,"' + b"x" * 500 + b'":2}', "x" * 200),
    ],
)
def test_the_name_that_is_given_twice_is_told(body: bytes, field: str) -> None:
    with pytest.raises(Problem) as caught:
        check_json(body)
    assert caught.value.values == {"field": field, "reason": "given twice"}
