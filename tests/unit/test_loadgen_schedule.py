"""The schedule: the same seed gives the same, and each behaviour is what it is meant to be."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import pytest

from loadgen import wire
from loadgen.accounts import Accounts
from loadgen.history import Payment
from loadgen.schedule import MORE_THAN_THERE_IS, ImpossibleMix, Kind, Mix, Operation, Schedule

ACCOUNTS = Accounts.of_run("r1", 100)
ONLY = dict.fromkeys(Mix.__struct_fields__, 0.0)


def operations(
    count: int, seed: int = 7, accounts: Accounts = ACCOUNTS, mix: Mix | None = None
) -> list[Operation]:
    return list(itertools.islice(Schedule(seed, accounts, mix or Mix()), count))


def only(count: int = 300, **shares: float) -> list[Operation]:
    """Operations of this mix and nothing else; what they need beforehand are plain payments."""
    return operations(count, mix=Mix(**(ONLY | shares)))


def content(payment: Payment) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(payment.body)
    return decoded


def test_the_same_seed_gives_the_same_schedule() -> None:
    assert operations(3000) == operations(3000)


def test_another_seed_gives_another_schedule() -> None:
    assert operations(100) != operations(100, seed=8)


def test_the_run_id_changes_names_and_nothing_else() -> None:
    other = operations(3000, accounts=Accounts.of_run("r2", 100))
    for mine, theirs in zip(operations(3000), other, strict=True):
        assert (mine.kind, mine.give_up) == (theirs.kind, theirs.give_up)
        renamed = [(p.key.replace("r1", "r2"), p.body.replace(b"r1", b"r2")) for p in mine.payments]
        assert renamed == [(p.key, p.body) for p in theirs.payments]
        assert mine.account.replace("r1", "r2") == theirs.account


def test_keys_carry_the_run_and_the_seed_so_that_two_runs_do_not_collide() -> None:
    keys = {p.key for o in operations(500) for p in o.payments}
    assert all(key.startswith("r1-7-") for key in keys)
    others = {p.key for o in operations(500, seed=8) for p in o.payments}
    assert not keys & others


def test_each_share_is_met() -> None:
    count = 20_000
    kinds = Counter(operation.kind for operation in operations(count))
    mix = Mix()
    for kind, share in {
        Kind.DUPLICATE: mix.duplicates,
        Kind.RACE: mix.races,
        Kind.CONFLICT: mix.conflicts,
        Kind.TIMEOUT: mix.timeouts,
        Kind.OVERDRAFT: mix.overdrafts,
        Kind.COMPOUND: mix.compounds,
        Kind.BATCH: mix.batches,
        Kind.LIMIT: mix.limits,
        Kind.INVALID: mix.invalid,
        Kind.READ: mix.reads,
        Kind.SESSION: mix.sessions,
        Kind.NEWCOMER: mix.newcomers,
        Kind.ROUND: mix.rounds,
    }.items():
        assert kinds[kind] == pytest.approx(count * share, rel=0.25), kind
    payments = kinds[Kind.PAYMENT] + kinds[Kind.HOT]
    assert kinds[Kind.HOT] == pytest.approx(payments * mix.hot, rel=0.1)


def test_every_new_payment_has_a_key_of_its_own() -> None:
    keys = [
        operation.payments[0].key
        for operation in operations(5000)
        if operation.kind in (Kind.PAYMENT, Kind.HOT, Kind.COMPOUND, Kind.OVERDRAFT, Kind.RACE)
    ]
    assert len(keys) == len(set(keys))


def test_a_duplicate_is_an_earlier_key_with_the_same_bytes() -> None:
    bodies: dict[str, bytes] = {}
    quoted = 0
    for operation in only(2000, duplicates=0.5):
        (payment,) = operation.payments
        if operation.kind is Kind.DUPLICATE:
            assert bodies[payment.key] == payment.body
            quoted += payment.quoted
        else:
            bodies[payment.key] = payment.body
    assert 0 < quoted < 300


def test_a_conflict_settles_the_earlier_payment_and_then_sends_another_body_under_its_key() -> None:
    conflicts = [o for o in only(2000, conflicts=0.3, compounds=0.2) if o.kind is Kind.CONFLICT]
    assert len(conflicts) > 400
    for operation in conflicts:
        earlier, conflicting = operation.payments
        assert earlier.key == conflicting.key
        assert content(earlier) != content(conflicting)
        assert conflicting.expects == ("key_reused",)


def test_a_conflict_differs_from_both_rivals_of_a_race() -> None:
    bodies: dict[str, set[bytes]] = {}
    for operation in only(3000, races=0.4, conflicts=0.3):
        if operation.kind is Kind.CONFLICT:
            earlier, conflicting = operation.payments
            assert conflicting.body not in bodies[earlier.key]
        else:
            for payment in operation.payments:
                bodies.setdefault(payment.key, set()).add(payment.body)


def test_a_race_is_one_key_at_once_with_one_body_or_two() -> None:
    sizes: Counter[int] = Counter()
    bodies: Counter[int] = Counter()
    for operation in only(races=1.0):
        assert len({payment.key for payment in operation.payments}) == 1
        sizes[len(operation.payments)] += 1
        different = {payment.body for payment in operation.payments}
        bodies[len(different)] += 1
        if len(different) == 2:
            assert all("key_reused" in payment.expects for payment in operation.payments)
    assert set(sizes) == {2, 4, 8, 16}
    assert set(bodies) == {1, 2}


def test_a_timeout_gives_up_within_milliseconds() -> None:
    seconds = [operation.give_up for operation in only(timeouts=1.0)]
    assert all(give_up is not None and 0.0005 <= give_up <= 0.02 for give_up in seconds)


def test_an_overdraft_asks_for_more_than_there_is() -> None:
    for operation in only(overdrafts=1.0):
        (payment,) = operation.payments
        assert int(content(payment)["amount"]) > MORE_THAN_THERE_IS
        assert payment.expects == ("insufficient_funds",)
        assert content(payment)["from"] not in (ACCOUNTS.bank, ACCOUNTS.hot)


def test_a_payment_over_the_limit_goes_to_the_account_that_takes_nothing() -> None:
    for operation in only(limits=1.0):
        assert content(operation.payments[0])["to"] == ACCOUNTS.full
        assert operation.payments[0].expects == ("balance_limit_exceeded",)


def test_invalid_payments_come_in_every_form() -> None:
    seen = set()
    for operation in only(invalid=1.0):
        (payment,) = operation.payments
        body = content(payment)
        seen.add(payment.expects)
        match payment.expects:
            case ("amount_not_positive",):
                assert body["amount"] == "0"
            case ("same_account",):
                assert body["from"] == body["to"]
            case ("unknown_account",):
                assert body["to"] not in ACCOUNTS.all()
            case _:
                assert body["currency"] == "EUR"
    assert len(seen) == 4


def test_a_compound_payment_has_two_to_five_postings() -> None:
    counts = Counter(len(content(o.payments[0])["postings"]) for o in only(compounds=1.0))
    assert set(counts) == {2, 3, 4, 5}


def test_a_batch_mixes_new_payments_with_refusals_duplicates_and_rivals() -> None:
    batches = [operation.payments for operation in only(batches=1.0)]
    assert all(12 <= len(batch) <= 56 for batch in batches)
    assert any(len({p.key for p in batch}) < len(batch) for batch in batches)
    codes = {code for batch in batches for payment in batch for code in payment.expects}
    assert {"posted", "insufficient_funds", "key_reused", "unknown_account"} <= codes


def test_a_read_is_of_an_account_of_the_run() -> None:
    accounts = Counter(operation.account for operation in only(1000, reads=1.0, hot=0.2))
    assert set(accounts) <= set(ACCOUNTS.all())
    assert accounts[ACCOUNTS.hot] > 100


def test_a_session_pays_the_account_that_it_reads_or_from_it() -> None:
    hot = 0
    for operation in only(1000, sessions=1.0, hot=0.2):
        (payment,) = operation.payments
        body = content(payment)
        assert operation.account in (body["from"], body["to"])
        assert body["from"] != body["to"]
        hot += operation.account == ACCOUNTS.hot
    assert 100 < hot < 300


def test_every_newcomer_is_another_account_of_the_run_and_is_paid_by_the_bank() -> None:
    newcomers = only(500, newcomers=1.0)
    for operation in newcomers:
        (payment,) = operation.payments
        assert content(payment)["from"] == ACCOUNTS.bank
        assert content(payment)["to"] == operation.account
        assert operation.account.startswith(ACCOUNTS.prefix)
    codes = {operation.account for operation in newcomers}
    assert len(codes) == 500
    assert not codes & set(ACCOUNTS.all())


def test_rounds_go_through_all_accounts_one_after_the_other() -> None:
    rounds = [operation.accounts for operation in only(10, rounds=1.0)]
    looked_at = [account for accounts in rounds for account in accounts]
    assert looked_at == list(ACCOUNTS.ordinary) * 2


def test_hot_payments_go_to_and_come_from_both_hot_accounts() -> None:
    sides: Counter[tuple[str, str]] = Counter()
    for operation in only(1000, hot=1.0):
        body = content(operation.payments[0])
        for side in ("from", "to"):
            if body[side] in (ACCOUNTS.hot, ACCOUNTS.dry):
                sides[side, body[side]] += 1
    assert len(sides) == 4
    assert sides.total() == 1000


def test_every_request_is_one_that_the_checker_can_read() -> None:
    for operation in operations(5000):
        for payment in operation.payments:
            postings = wire.decode_request(payment.body).all_postings()
            assert postings
            assert all(posting.source and posting.target for posting in postings)


def test_some_payments_carry_words_that_a_renderer_could_get_wrong() -> None:
    described = [o for o in only(500) if "description" in content(o.payments[0])]
    assert 50 < len(described) < 200


@pytest.mark.parametrize(
    "shares",
    [{"duplicates": 1.1}, {"hot": -0.1}, {"duplicates": 0.9, "races": 0.2}],
    ids=["above 1", "below 0", "together above 1"],
)
def test_impossible_shares_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ImpossibleMix):
        Mix(**(ONLY | shares))


def test_the_funding_moves_money_from_the_bank_to_all_but_the_dry_and_the_full() -> None:
    funded = {content(payment)["to"] for payment in ACCOUNTS.funding()}
    assert funded == set(ACCOUNTS.all()) - {ACCOUNTS.bank, ACCOUNTS.dry, ACCOUNTS.full}
    assert {content(payment)["from"] for payment in ACCOUNTS.funding()} == {ACCOUNTS.bank}
