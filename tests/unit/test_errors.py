"""The catalogue: complete, rendered the same every time, and on the page as it is."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import pytest

from service.errors import BY_CODE, CATALOGUE, Definition, Problem, render

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

# What is replayed for ever must be said in the same words for ever: see the module's docstring.
STORED = {
    "account_closed": (
        {"account": "alice", "posting_no": 1},
        b'{"type":"urn:payledger:error:account_closed","title":"The account is closed.",'
        b'"status":422,"detail":"The account alice is closed.","code":"account_closed",'
        b'"account":"alice","posting_no":1}',
    ),
    "account_frozen": (
        {"account": "alice", "posting_no": 1},
        b'{"type":"urn:payledger:error:account_frozen","title":"The account is frozen.",'
        b'"status":422,"detail":"The account alice is frozen.","code":"account_frozen",'
        b'"account":"alice","posting_no":1}',
    ),
    "insufficient_funds": (
        {
            "amount": "100",
            "account": "alice",
            "currency": "USD",
            "available": "5",
            "posting_no": 1,
            "min_balance": "0",
        },
        b'{"type":"urn:payledger:error:insufficient_funds","title":"The payment would take the'
        b' account below its minimum.","status":422,"detail":"The account alice has 5 USD available'
        b' and a minimum of 0: 100 cannot be taken.","code":"insufficient_funds","amount":"100",'
        b'"account":"alice","currency":"USD","available":"5","posting_no":1,"min_balance":"0"}',
    ),
    "balance_limit_exceeded": (
        {
            "amount": "100",
            "account": "alice",
            "balance": "950",
            "currency": "USD",
            "posting_no": 2,
            "max_balance": "1000",
        },
        b'{"type":"urn:payledger:error:balance_limit_exceeded","title":"The payment would take the'
        b' account above its maximum.","status":422,"detail":"The account alice has a balance of'
        b' 950 USD and a maximum of 1000: 100 cannot be added.","code":"balance_limit_exceeded",'
        b'"amount":"100","account":"alice","balance":"950","currency":"USD","posting_no":2,'
        b'"max_balance":"1000"}',
    ),
    "balance_out_of_range": (
        {"amount": "9", "account": "alice", "balance": "1", "currency": "USD", "posting_no": 1},
        b'{"type":"urn:payledger:error:balance_out_of_range","title":"The payment would take the'
        b' balance beyond 38 digits.","status":422,"detail":"The account alice cannot hold more: no'
        b' balance has more than 38 digits.","code":"balance_out_of_range","amount":"9",'
        b'"account":"alice","balance":"1","currency":"USD","posting_no":1}',
    ),
}


def test_every_code_is_listed_once() -> None:
    assert len(BY_CODE) == len(CATALOGUE)


def test_the_page_lists_the_catalogue_in_its_order() -> None:
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in PAGE.read_text().splitlines()
        if re.match(r"\| `[a-z_0-9]+` \|", line)
    ]
    assert rows == [_row(definition) for definition in CATALOGUE]


def _row(definition: Definition) -> tuple[str, ...]:
    status = "-" if definition.status is None else str(definition.status)
    if definition.read_status is not None:
        status += f", {definition.read_status} for a read"
    if definition.retry_after is not None:
        status += ", Retry-After"
    return (
        f"`{definition.code}`",
        status,
        definition.outcome,
        definition.sqlstate or "-",
        definition.title,
        definition.action,
    )


def test_the_example_on_the_page_is_what_is_rendered() -> None:
    example = re.search(r"```json\n(.*)\n```", PAGE.read_text())
    assert example is not None
    values, body = STORED["insufficient_funds"]
    assert example[1].encode() == body == render("insufficient_funds", values).body


@pytest.mark.parametrize("definition", CATALOGUE, ids=lambda definition: definition.code)
def test_every_code_renders_as_problem_json(definition: Definition) -> None:
    fields = {name for _, name, _, _ in string.Formatter().parse(definition.detail) if name}
    values = {name: f"<{name}>" for name in fields}
    status, body, _ = render(definition.code, values)
    document = json.loads(body)
    if definition.status is None:
        assert (status, document["code"]) == (500, "internal_error")
        return
    assert status == document["status"] == definition.status
    assert document["type"] == f"urn:payledger:error:{definition.code}"
    assert document["title"] == definition.title
    assert document["code"] == definition.code
    assert {name: document[name] for name in fields} == values
    assert all(value in document["detail"] for value in values.values())


@pytest.mark.parametrize("code", STORED)
def test_a_stored_refusal_is_worded_as_it_always_was(code: str) -> None:
    values, body = STORED[code]
    assert render(code, values).body == body


def test_every_stored_refusal_is_pinned() -> None:
    rejected = {definition.code for definition in CATALOGUE if definition.outcome == "rejected"}
    assert rejected == STORED.keys()


def test_a_value_never_replaces_a_member_of_the_document() -> None:
    body = render("account_type_unknown", {"type": "cash", "status": 200}).body
    document = json.loads(body)
    assert document["type"] == "urn:payledger:error:account_type_unknown"
    assert document["status"] == 400


def test_a_missing_value_leaves_the_title_as_the_detail() -> None:
    document = json.loads(render("insufficient_funds", {}).body)
    assert document["detail"] == document["title"]


def test_a_code_from_nowhere_is_a_defect_and_tells_nothing() -> None:
    status, body, _ = render("made_up", {"secret": "s3cret"})
    assert (status, json.loads(body)["code"]) == (500, "internal_error")
    assert b"s3cret" not in body


def test_what_is_not_found_by_a_read_is_404_and_in_a_payment_422() -> None:
    assert render("unknown_account", {"account": "a"}).status == 422
    assert render("unknown_account", {"account": "a"}, read=True).status == 404


def test_waiting_is_advised_where_it_helps() -> None:
    advised = {d.code for d in CATALOGUE if d.retry_after is not None}
    assert advised == {d.code for d in CATALOGUE if d.outcome == "busy"} | {"outcome_unknown"}


def test_a_problem_carries_its_code_and_values() -> None:
    problem = Problem("too_many_payments", {"payments": 501, "limit": 500})
    assert (problem.code, problem.values, problem.headers) == (
        "too_many_payments",
        {"payments": 501, "limit": 500},
        {},
    )
