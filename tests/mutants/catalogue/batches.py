"""Of post_payments: which payments are safe to post in sets, and the sets."""

from __future__ import annotations

from mutants.mutant import Mutant

_SAFE = "db/functions/10_private/safe_payments.sql"
_SETS = "db/functions/10_private/post_safe_payments.sql"
_SAFE_TAP = "db/tests/10_private/safe_payments.sql"
_SETS_TAP = "db/tests/10_private/post_safe_payments.sql"
_BATCH_TAP = "db/tests/20_api/post_payments.sql"
_BATCHES = "tests/acceptance/test_batches.py"

MUTANTS = (
    Mutant(
        name="ids-of-a-batch-are-one",
        file=_SAFE,
        old="lpad(to_hex(p.item), 6, '0')",
        new="'000000'",
        breach="a batch of two payments fails",
        tests=(_SAFE_TAP, _BATCH_TAP),
    ),
    Mutant(
        name="ids-of-a-batch-are-in-any-order",
        file=_SAFE,
        old="lpad(to_hex(p.item), 6, '0')",
        new="left(md5(p.item::text), 6)",
        breach="the feed tells a batch in another order than it was posted, and two may be one",
        tests=(_SAFE_TAP,),
    ),
    Mutant(
        name="debits-are-netted",
        file=_SAFE,
        old="a.balance - a.held - t.debits >= a.min_balance",
        new="a.balance - a.held - t.debits + t.credits >= a.min_balance",
        breach="money that comes later in a batch, or is refused, pays for what was before",
        tests=(_SAFE_TAP, _BATCH_TAP, _BATCHES),
    ),
    Mutant(
        name="held-money-is-spent-by-a-batch",
        file=_SAFE,
        old="a.balance - a.held - t.debits >= a.min_balance",
        new="a.balance - t.debits >= a.min_balance",
        breach="what is reserved is spent",
        tests=(_SAFE_TAP,),
    ),
    Mutant(
        name="batches-have-no-maximum",
        file=_SAFE,
        old="(a.balance + t.credits <= a.max_balance) is not false",
        new="true",
        breach="an account is filled above its maximum",
        tests=(_SAFE_TAP,),
    ),
    Mutant(
        name="batches-stop-short-of-the-minimum",
        file=_SAFE,
        old="t.debits >= a.min_balance",
        new="t.debits > a.min_balance",
        breach="a debit down to the minimum is not safe",
        equivalent="What is not safe is posted one by one, with the same outcome: it would only be "
        "slower.",
    ),
    Mutant(
        name="batches-ignore-the-status",
        file=_SAFE,
        old="a.status = 'open'\n      and ",
        new="",
        breach="a frozen or closed account is posted to",
        tests=(_SAFE_TAP,),
    ),
    Mutant(
        name="batches-ignore-the-currency",
        file=_SAFE,
        old="\n    and t.currency = p.currency",
        new="",
        breach="dollars are paid to an account in euros",
        tests=(_SAFE_TAP,),
    ),
    Mutant(
        name="what-else-a-batch-does-to-an-account-is-forgotten",
        file=_SAFE,
        old="\n      and (a.code = any (p_other_codes)) is not true",
        new="",
        breach="a payment that is posted one by one finds the account already spent",
        tests=(_SAFE_TAP, _BATCH_TAP, _BATCHES),
    ),
    Mutant(
        name="a-key-twice-in-a-batch-is-safe",
        file=_SAFE,
        old="\n    having bool_and(idem_key not in (select idem_key from repeated))",
        new="",
        breach="a batch that repeats a key posts it twice, or fails",
        tests=(_SAFE_TAP, _BATCH_TAP, _BATCHES),
    ),
    Mutant(
        name="a-key-of-another-kind-of-item-is-safe",
        file=_SAFE,
        old=" or idem_key = any (p_other_keys)",
        new="",
        breach="of two items with one key the second is posted, the first is a conflict",
        tests=(_SAFE_TAP, _BATCH_TAP, _BATCHES),
    ),
    Mutant(
        name="sets-post-what-they-did-not-claim",
        file=_SETS,
        old="where s.payment_id = any (v_claimed)",
        new="",
        breach="a retry within a batch posts again",
        tests=(_SETS_TAP, _BATCH_TAP),
    ),
    Mutant(
        name="sets-claim-keys-in-no-order",
        file=_SETS,
        old='    order by idem_key collate "C"\n',
        new="",
        breach="two batches with the same keys deadlock",
        tests=(
            "tests/concurrency/test_duplicates.py::test_a_batch_claims_its_keys_in_their_order",
        ),
    ),
    Mutant(
        name="sets-count-backwards",
        file=_SETS,
        old="partition by e.account_id order by e.item\n",
        new="partition by e.account_id order by e.item desc\n",
        breach="of several payments of an account the first has the highest version",
        tests=(_SETS_TAP, _BATCH_TAP),
    ),
    Mutant(
        name="sets-leave-the-first-balance",
        file=_SETS,
        old="lead(e.item) over account is null as is_last",
        new="lag(e.item) over account is null as is_last",
        breach="an account has the balance of the first of its payments",
        tests=(_SETS_TAP,),
    ),
    Mutant(
        name="batches-are-not-durable",
        file="db/functions/20_api/post_payments.sql",
        old="in ('off', 'local')",
        new="in ('never')",
        breach="payments that were acknowledged are lost in a crash",
        tests=(
            "tests/concurrency/test_transactions.py::"
            "test_posting_makes_the_commit_durable_whatever_the_session_has",
        ),
    ),
    Mutant(
        name="a-batch-replays-other-content",
        file="db/functions/20_api/post_payments.sql",
        old="v_known.description, v_known.metadata\n",
        new="null, '{}'\n",
        breach="another payment under a key that is taken is answered as if it were posted, and "
        "the same one is told to be another",
        tests=(_BATCH_TAP,),
    ),
)
