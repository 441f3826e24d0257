"""Each rule of the checker, on histories made by hand: sound ones pass, false ones are caught."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadgen import checker, wire
from loadgen.checker import Movement
from loadgen.history import Answer, History, Payment, Read, Record

BUSINESS = ("posted", "insufficient_funds")
ID = "0197c0de-0000-7000-8000-000000000001"
OTHER_ID = "0197c0de-0000-7000-8000-000000000002"


def payment(key: str = "k1", amount: str = "100", **more: Any) -> Payment:
    content = {"from": "alice", "to": "bob", "amount": amount, "currency": "USD"} | more
    return Payment(key, json.dumps(content).encode(), BUSINESS)


def entry(account: str, amount: int, before: int, version: int, **more: Any) -> dict[str, Any]:
    return {
        "posting_no": 1,
        "account": account,
        "currency": "USD",
        "amount": str(amount),
        "balance_before": str(before),
        "balance_after": str(before + amount),
        "version": version,
    } | more


def document(payment_id: str = ID, **more: Any) -> dict[str, Any]:
    return {
        "payment_id": payment_id,
        "ledger": "main",
        "kind": "payment",
        "description": None,
        "metadata": {},
        "effective_at": "2026-05-05T00:00:00.000000Z",
        "posted_at": "2026-05-05T00:00:00.000000Z",
        "entries": [entry("alice", -100, 500, 3), entry("bob", 100, 0, 1)],
    } | more


def posted(payment_id: str = ID, **more: Any) -> Answer:
    body = json.dumps(document(payment_id, **more)).encode()
    location = f"/v1/ledgers/main/payments/{payment_id}"
    return Answer(201, body, "application/json", f'"{payment_id}"', location)


def problem(status: int, code: str, **values: Any) -> Answer:
    body = json.dumps({"status": status, "code": code} | values).encode()
    return Answer(status, body, "application/problem+json")


def shortage(**more: Any) -> Answer:
    values = {"account": "alice", "amount": "100", "available": "5", "min_balance": "0"} | more
    return problem(422, "insufficient_funds", **values)


class Story:
    """A history told call by call."""

    def __init__(self) -> None:
        self.history = History()

    def call(self, sent: Payment, *answers: Answer | str, replayed: bool = False) -> Story:
        """One request with an attempt for each answer; a string is why there was none."""
        request = self.history.open_request()
        for answer in answers:
            record = self.history.sending(request, sent)
            if isinstance(answer, str):
                self.history.lost(record, answer)
            else:
                self.history.answered(record, answer, replayed)
        return self

    def facts(self) -> checker.Facts:
        return checker.gather(self.history)

    def rules(self) -> set[str]:
        return {breach.rule for breach in checker.check_facts(self.facts())}


def the_only_key(story: Story) -> checker.KeyFacts:
    (facts,) = story.facts().keys.values()
    return facts


# --- answers ---


def test_a_payment_its_replays_a_lost_answer_and_a_conflict_are_sound() -> None:
    conflicting = Payment("k1", payment(amount="7").body, ("key_reused",))
    story = (
        Story()
        .call(payment(), "timeout", problem(503, "outcome_unknown"), posted())
        .call(payment(), posted(), replayed=True)
        .call(conflicting, problem(422, "key_reused"))
        .call(payment("k2"), shortage())
        .call(payment("k2"), shortage(), replayed=True)
    )
    assert story.rules() == set()


def test_a_refusal_for_another_reason_than_money_needs_to_say_nothing_about_money() -> None:
    full = Payment("k1", payment().body, ("balance_limit_exceeded",))
    assert Story().call(full, problem(422, "balance_limit_exceeded")).rules() == set()


def test_equal_answers_are_kept_once_and_counted() -> None:
    story = Story().call(payment(), posted())
    for _ in range(3):
        story.call(payment(), posted(), replayed=True)
    ((_, stored),) = the_only_key(story).stored()
    assert (stored.times, stored.firsts) == (4, 1)


def test_a_batch_item_without_headers_is_the_same_answer_as_a_single_call() -> None:
    item = Answer(201, posted().body)
    assert Story().call(payment(), item).call(payment(), posted(), replayed=True).rules() == set()


def test_a_replay_with_another_body_is_caught() -> None:
    other = posted(posted_at="2026-05-05T00:00:01.000000Z")
    story = Story().call(payment(), posted()).call(payment(), other, replayed=True)
    assert story.rules() == {"answers_differ"}


@pytest.mark.parametrize("header", ["etag", "location", "content_type"])
def test_a_replay_with_another_header_is_caught(header: str) -> None:
    values = {"etag": '"other"', "location": "/payments/x", "content_type": "application/json; a"}
    changed = Answer(
        **{name: getattr(posted(), name) for name in Answer.__struct_fields__}
        | {header: values[header]}
    )
    story = Story().call(payment(), posted()).call(payment(), changed, replayed=True)
    assert "answers_differ" in story.rules()


def test_a_refusal_that_turns_into_a_payment_is_caught() -> None:
    story = Story().call(payment(), shortage()).call(payment(), posted(), replayed=True)
    assert story.rules() == {"answers_differ"}


def test_two_answers_that_both_say_they_were_first_are_caught() -> None:
    assert Story().call(payment(), posted()).call(payment(), posted()).rules() == {"written_twice"}


def test_a_key_posted_twice_with_two_ids_is_caught() -> None:
    story = Story().call(payment(), posted()).call(payment(), posted(OTHER_ID))
    assert story.rules() == {"answers_differ", "written_twice"}


def test_a_conflict_that_posted_is_caught() -> None:
    other = Payment("k1", payment(amount="7").body, ("key_reused",))
    entries = [entry("alice", -7, 400, 4), entry("bob", 7, 100, 2)]
    story = Story().call(payment(), posted()).call(other, posted(OTHER_ID, entries=entries))
    assert story.rules() == {"unexpected_answer", "written_twice", "two_contents_won"}


def test_two_rivals_of_which_both_won_are_caught_even_if_one_says_it_is_a_replay() -> None:
    one = Payment("k1", payment().body, (*BUSINESS, "key_reused"))
    other = Payment("k1", payment(amount="7").body, (*BUSINESS, "key_reused"))
    entries = [entry("alice", -7, 400, 4), entry("bob", 7, 100, 2)]
    story = Story().call(one, posted())
    story.call(other, posted(OTHER_ID, entries=entries), replayed=True)
    assert story.rules() == {"two_contents_won"}


def test_a_conflict_with_a_key_that_nothing_was_answered_under_is_caught() -> None:
    rival = Payment("k1", payment().body, (*BUSINESS, "key_reused"))
    assert Story().call(rival, problem(422, "key_reused")).rules() == {"conflict_with_nothing"}


def test_a_request_that_never_got_a_definite_answer_is_caught() -> None:
    story = Story().call(payment(), posted()).call(payment(), "timeout", problem(503, "overloaded"))
    assert story.rules() == {"undecided"}


def test_a_request_whose_record_was_never_closed_is_caught() -> None:
    story = Story()
    story.history.sending(story.history.open_request(), payment())
    assert story.rules() == {"undecided"}


def test_a_500_is_caught_even_when_the_retry_succeeds() -> None:
    story = Story().call(payment(), problem(500, "internal_error"), posted())
    assert story.rules() == {"internal_error"}


@pytest.mark.parametrize(
    "answer",
    [problem(401, "unauthorized"), problem(404, "not_found"), Answer(400, b"<html>")],
    ids=["unauthorized", "not found", "not even a problem"],
)
def test_an_answer_that_this_payment_cannot_rightly_get_is_caught(answer: Answer) -> None:
    assert Story().call(payment(), answer).rules() == {"unexpected_answer"}


def test_an_overdraft_that_posted_is_caught() -> None:
    overdraft = Payment("k1", payment().body, ("insufficient_funds",))
    assert Story().call(overdraft, posted()).rules() == {"unexpected_answer"}


def test_a_refusal_although_there_was_enough_money_is_caught() -> None:
    assert Story().call(payment(), shortage(available="100")).rules() == {"wrong_answer"}


def test_a_refusal_that_hides_what_was_available_is_caught() -> None:
    assert Story().call(payment(), problem(422, "insufficient_funds")).rules() == {"wrong_answer"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(201, b"{}", "application/json"),
        Answer(201, posted().body, "application/json", '"x"', posted().location),
        Answer(201, posted().body, "application/json", posted().etag, "/v1/x"),
        Answer(201, posted().body, "text/plain", posted().etag, posted().location),
        Answer(422, shortage().body, "application/json"),
        Answer(409 + 1, shortage().body, "application/problem+json"),
    ],
    ids=["no payment", "ETag", "Location", "Content-Type", "problem's Content-Type", "status"],
)
def test_an_answer_of_the_wrong_form_is_caught(answer: Answer) -> None:
    assert Story().call(payment(), answer).rules() == {"wrong_answer"}


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "not mine"},
        {"metadata": {"a": 1}},
        {"entries": [entry("alice", -99, 500, 3), entry("bob", 99, 0, 1)]},
        {"entries": [entry("alice", -100, 500, 3), entry("carol", 100, 0, 1)]},
        {"entries": [entry("alice", -100, 500, 3), entry("bob", 99, 0, 1)]},
        {"entries": [entry("alice", -100, 500, 3)]},
        {"entries": [entry("alice", -100, 500, 3), entry("bob", 100, 0, 1)] * 2},
        {"entries": [entry("alice", -100, 500, 3, currency="EUR"), entry("bob", 100, 0, 1)]},
        {"entries": [entry("alice", -100, 500, 3, balance_after="1"), entry("bob", 100, 0, 1)]},
    ],
    ids=[
        "description",
        "metadata",
        "amount",
        "account",
        "unbalanced",
        "half",
        "doubled",
        "currency",
        "arithmetic",
    ],
)
def test_a_payment_other_than_the_one_asked_for_is_caught(changes: dict[str, Any]) -> None:
    assert Story().call(payment(), posted(**changes)).rules() == {"wrong_answer"}


def test_another_effective_time_is_caught_and_another_spelling_of_it_is_not() -> None:
    same = payment(effective_at="2026-05-05T02:00:00+02:00")
    other = payment(effective_at="2026-05-05T00:00:00.000001Z")
    assert Story().call(same, posted()).rules() == set()
    assert Story().call(other, posted()).rules() == {"wrong_answer"}


def test_a_compound_payment_must_have_all_its_postings() -> None:
    postings = [
        {"from": "alice", "to": "bob", "amount": "100", "currency": "USD"},
        {"from": "bob", "to": "carol", "amount": "40", "currency": "USD"},
    ]
    compound = Payment("k1", json.dumps({"postings": postings}).encode(), BUSINESS)
    entries = [
        entry("alice", -100, 500, 3),
        entry("bob", 100, 0, 1),
        entry("bob", -40, 100, 2, posting_no=2),
        entry("carol", 40, 0, 1, posting_no=2),
    ]
    assert Story().call(compound, posted(entries=entries)).rules() == set()
    assert Story().call(compound, posted(entries=entries[:2])).rules() == {"wrong_answer"}


# --- look-ups ---


def look_up(story: Story, found: Answer) -> set[str]:
    return {breach.rule for breach in checker.check_lookup(the_only_key(story), found)}


NOTHING = problem(404, "unknown_idempotency_key")


def test_the_ledger_has_what_was_acknowledged() -> None:
    assert look_up(Story().call(payment(), posted()), Answer(200, posted().body)) == set()
    assert look_up(Story().call(payment(), shortage()), shortage()) == set()
    assert look_up(Story().call(payment(), problem(400, "same_account")), NOTHING) == set()


def test_a_lost_payment_is_caught() -> None:
    assert look_up(Story().call(payment(), posted()), NOTHING) == {"lost"}


def test_a_lost_refusal_is_caught() -> None:
    assert look_up(Story().call(payment(), shortage()), NOTHING) == {"lost"}


def test_a_key_that_leads_to_another_payment_is_caught() -> None:
    found = Answer(200, posted(OTHER_ID).body)
    assert look_up(Story().call(payment(), posted()), found) == {"lookup_differs"}


def test_an_acknowledged_refusal_that_posted_is_caught() -> None:
    found = Answer(200, posted().body)
    assert look_up(Story().call(payment(), shortage()), found) == {"lookup_differs"}


def test_an_invalid_payment_that_was_written_is_caught() -> None:
    story = Story().call(payment(), problem(400, "amount_not_positive"))
    assert look_up(story, Answer(200, posted().body)) == {"refused_but_written"}


def test_a_lost_answer_before_a_refusal_does_not_excuse_what_was_written() -> None:
    story = Story().call(payment(), "timeout", problem(400, "amount_not_positive"))
    assert look_up(story, Answer(200, posted().body)) == {"refused_but_written"}


def test_a_key_whose_outcome_is_unknown_may_lead_anywhere() -> None:
    story = Story().call(payment(), "timeout")
    assert look_up(story, Answer(200, posted().body)) == set()
    assert look_up(story, NOTHING) == set()


# --- accounts ---


def account(code: str, balance: int, version: int, minimum: int | None = 0) -> wire.Account:
    least = None if minimum is None else str(minimum)
    return wire.Account(code, "USD", str(balance), version, least)


def row(version: int, amount: int, balance: int, payment_id: str = ID) -> wire.EntryRow:
    return wire.EntryRow(version, payment_id, 1, str(amount), str(balance))


ROWS = [row(3, -100, 50), row(2, -50, 150), row(1, 200, 200)]
MOVED = {
    1: Movement("k1", ID, 1, 200, 200),
    2: Movement("k2", ID, 1, -50, 150),
    3: Movement("k3", ID, 1, -100, 50),
}


def entries_rules(
    rows: list[wire.EntryRow],
    moved: dict[int, Movement] | None = None,
    after: wire.Account | None = None,
    reads: dict[int, set[str]] | None = None,
    version_before: int = 0,
) -> set[str]:
    return {
        breach.rule
        for breach in checker.check_entries(
            after or account("a", 50, 3),
            rows,
            MOVED if moved is None else moved,
            reads or {},
            version_before,
        )
    }


def test_entries_that_chain_and_were_acknowledged_are_sound() -> None:
    assert entries_rules(ROWS) == set()


def test_an_entry_of_an_earlier_run_need_not_be_known_but_must_chain() -> None:
    later = {3: MOVED[3]}
    assert entries_rules(ROWS, later, version_before=2) == set()
    broken = [ROWS[0], row(2, -50, 151), ROWS[2]]
    assert entries_rules(broken, later, version_before=2) == {"broken_chain"}


def test_a_doubled_payment_leaves_an_entry_that_nobody_acknowledged() -> None:
    doubled = [row(4, -100, -50, OTHER_ID), *ROWS]
    after = account("a", -50, 4, minimum=None)
    assert entries_rules(doubled, after=after) == {"stray_entry"}


def test_a_payment_that_left_no_entry_is_caught() -> None:
    after = account("a", 150, 2)
    assert entries_rules(ROWS[1:], after=after) == {"missing_entry"}


def test_an_entry_of_another_amount_than_acknowledged_is_caught() -> None:
    moved = MOVED | {3: Movement("k3", ID, 1, -99, 51)}
    assert entries_rules(ROWS, moved) == {"entry_differs"}


def test_an_entry_of_another_payment_than_acknowledged_is_caught() -> None:
    assert entries_rules([row(3, -100, 50, OTHER_ID), *ROWS[1:]]) == {"entry_differs"}


@pytest.mark.parametrize(
    "rows",
    [
        [ROWS[0], ROWS[2]],
        [ROWS[0], ROWS[1], ROWS[1], ROWS[2]],
        [ROWS[0], row(2, -50, 151), ROWS[2]],
        ROWS[:2],
        ROWS[1:],
    ],
    ids=["gap", "twice", "balance", "no beginning", "no end"],
)
def test_entries_that_do_not_chain_are_caught(rows: list[wire.EntryRow]) -> None:
    assert "broken_chain" in entries_rules(rows)


def test_a_debit_below_the_minimum_is_caught() -> None:
    rows = [row(2, -300, -100), row(1, 200, 200)]
    moved = {1: MOVED[1], 2: Movement("k2", ID, 1, -300, -100)}
    assert entries_rules(rows, moved, account("a", -100, 2)) == {"below_minimum"}
    assert entries_rules(rows, moved, account("a", -100, 2, minimum=None)) == set()
    assert entries_rules(rows, moved, account("a", -100, 2, minimum=-100)) == set()


def test_reads_agree_with_the_ledger_at_the_version_they_claim() -> None:
    assert entries_rules(ROWS, reads={0: {"0"}, 2: {"150"}}) == set()
    assert entries_rules(ROWS, reads={2: {"150", "151"}}) == {"wrong_read"}
    assert entries_rules(ROWS, reads={0: {"5"}}) == {"wrong_read"}
    assert entries_rules(ROWS, reads={4: {"50"}}) == {"read_of_nothing"}


def balance_rules(before: wire.Account | None, after: wire.Account) -> set[str]:
    return {breach.rule for breach in checker.check_balance(before, after, MOVED)}


def test_a_balance_moves_by_what_was_acknowledged() -> None:
    assert balance_rules(None, account("a", 50, 3)) == set()
    assert balance_rules(account("a", 150, 2), account("a", 50, 3)) == set()


def test_a_balance_that_moved_by_more_is_caught() -> None:
    assert balance_rules(None, account("a", 51, 3)) == {"wrong_balance"}
    assert balance_rules(account("a", 151, 2), account("a", 50, 3)) == {"wrong_balance"}


def test_a_version_that_moved_by_more_is_caught() -> None:
    assert balance_rules(None, account("a", 50, 4)) == {"wrong_balance"}


def test_money_from_nowhere_is_caught() -> None:
    before = [account("a", 5, 1), account("b", -5, 1)]
    moved = [account("a", 9, 2), account("b", -9, 2)]
    more = [account("a", 9, 2), account("b", -8, 2)]
    assert list(checker.check_conserved(before, moved)) == []
    assert [breach.rule for breach in checker.check_conserved(before, more)] == ["not_conserved"]


def test_two_payments_that_claim_one_version_are_caught() -> None:
    story = Story().call(payment("k1"), posted()).call(payment("k2"), posted(OTHER_ID))
    _, breaches = checker.acknowledged_movements(story.facts())
    assert {breach.rule for breach in breaches} == {"version_claimed_twice"}


def test_one_payment_under_two_keys_is_caught() -> None:
    story = Story().call(payment("k1"), posted()).call(payment("k2"), posted())
    _, breaches = checker.acknowledged_movements(story.facts())
    assert {breach.rule for breach in breaches} == {"version_claimed_twice"}


def test_movements_are_the_entries_of_what_was_acknowledged() -> None:
    story = Story().call(payment(), posted()).call(payment(), posted(), replayed=True)
    moved, breaches = checker.acknowledged_movements(story.facts())
    assert breaches == []
    assert moved == {
        "alice": {3: Movement("k1", ID, 1, -100, 400)},
        "bob": {1: Movement("k1", ID, 1, 100, 100)},
    }


def first_seen_rules(story: Story, versions_before: dict[str, int]) -> set[str]:
    return {breach.rule for breach in checker.check_first_seen(story.facts(), versions_before)}


def test_a_new_payment_that_only_replays_were_answered_for_is_caught() -> None:
    story = Story().call(payment(), posted(), replayed=True)
    assert first_seen_rules(story, {"alice": 2}) == {"replay_of_nothing"}


def test_replays_of_an_earlier_run_or_after_a_lost_answer_are_sound() -> None:
    assert (
        first_seen_rules(Story().call(payment(), posted(), replayed=True), {"alice": 3, "bob": 1})
        == set()
    )
    assert (
        first_seen_rules(Story().call(payment(), "timeout", posted(), replayed=True), {"alice": 2})
        == set()
    )


def test_a_breach_names_the_key_and_carries_both_answers() -> None:
    other = posted(posted_at="2026-05-05T00:00:01.000000Z")
    story = Story().call(payment(), posted()).call(payment(), other, replayed=True)
    (breach,) = checker.check_facts(story.facts())
    assert breach.key == "k1"
    assert breach.evidence == {"one": posted(), "other": other}


def test_the_checker_takes_any_iterable_of_records_once() -> None:
    records = iter(Story().call(payment(), posted()).call(payment(), posted()).history)
    facts = checker.gather(record for record in records if isinstance(record, Record))
    assert [breach.rule for breach in checker.check_facts(facts)] == ["written_twice"]


def test_reads_are_remembered_in_their_order() -> None:
    history = History()
    history.served(Read("a", 2, "5"))
    history.served(Read("a", 1, "5"))
    assert [read.version for read in history.reads] == [2, 1]
