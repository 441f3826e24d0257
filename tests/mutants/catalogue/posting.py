"""Of the posting path: locks, limits, keys and what is written under them."""

from __future__ import annotations

from mutants.mutant import Mutant

_PLAIN = "db/functions/20_api/post_payment.sql"
_LOCK = "db/functions/10_private/lock_accounts.sql"
_APPLY = "db/functions/10_private/apply_changes.sql"
_APPEND = "db/functions/10_private/append_payment.sql"
_CHANGES = "db/functions/10_private/post_changes.sql"
_STORED = "db/functions/10_private/stored_outcome.sql"
_REPLAYED = "db/functions/10_private/replayed_outcome.sql"

_LOCKS_TEST = "tests/concurrency/test_account_locks.py::"
_DURABLE = (
    "tests/concurrency/test_transactions.py::"
    "test_posting_makes_the_commit_durable_whatever_the_session_has"
)
_LOCK_ORDER = f"{_LOCKS_TEST}test_rows_are_locked_in_the_order_of_their_codes"

MUTANTS = (
    Mutant(
        name="plain-payment-locks-no-rows",
        file=_PLAIN,
        old="for no key update of f, t;",
        new=";",
        breach="two payments decide on one balance",
        tests=(f"{_LOCKS_TEST}test_a_debit_waits_for_the_one_before_and_sees_what_it_left[plain]",),
    ),
    Mutant(
        name="plain-payment-locks-payer-first",
        file=_PLAIN,
        old="for no key update of t, f",
        new="for no key update of f, t",
        breach="payments in opposite directions deadlock",
        tests=(_LOCK_ORDER,),
    ),
    Mutant(
        name="general-path-locks-no-rows",
        file=_LOCK,
        old="      order by code\n      for no key update\n",
        new="      order by code\n",
        breach="two payments decide on one balance",
        tests=(
            f"{_LOCKS_TEST}test_a_debit_waits_for_the_one_before_and_sees_what_it_left[general]",
        ),
    ),
    Mutant(
        name="general-path-locks-backwards",
        file=_LOCK,
        old="      order by code\n      for no key update\n",
        new="      order by code desc\n      for no key update\n",
        breach="a payment of the general path and a plain one deadlock",
        tests=(_LOCK_ORDER,),
    ),
    Mutant(
        name="general-path-locks-in-no-order",
        file=_LOCK,
        old="      order by code\n      for no key update\n",
        new="      for no key update\n",
        breach="payments over the same accounts deadlock",
        tests=(_LOCK_ORDER,),
    ),
    Mutant(
        name="without-waiting-waits",
        file=_LOCK,
        old="for no key update skip locked",
        new="for no key update",
        breach="a stranger's lock holds up payments on other accounts",
        tests=(
            f"{_LOCKS_TEST}test_without_waiting_what_a_stranger_holds_is_busy_and_the_rest_is_posted",
        ),
    ),
    Mutant(
        name="a-plan-may-begin-with-all-accounts",
        file="db/functions/10_private/posted_body.sql",
        old="where account_id = e.account_id offset 0",
        new="where account_id = e.account_id",
        breach="without statistics a retry reads the history of every account",
        tests=("tests/integration/test_plans.py",),
    ),
    Mutant(
        name="accounts-that-were-not-locked-are-read",
        file=_APPLY,
        old="    v_account := v_accounts[v_at];\n",
        new="""\
    v_account := v_accounts[v_at];
    if v_account.account_id is null then
      select
        account_id, code, currency, status, balance, held, version, min_balance, max_balance
      into v_account
      from ledger.accounts
      where ledger_id = p_ledger_id
        and code = v_change.code;
    end if;
""",
        breach="an account created meanwhile gets one version twice",
        tests=(
            "tests/concurrency/test_creation.py::test_an_account_created_while_a_payment_waits"
            "_for_its_locks_gets_no_version_twice",
        ),
    ),
    Mutant(
        name="unknown-accounts-pass",
        file=_APPLY,
        old="(v_account.currency = v_change.currency and v_account.status = 'open') is not true",
        new="not (v_account.currency = v_change.currency and v_account.status = 'open')",
        breach="an account that is not there is posted to",
        tests=(
            "db/tests/20_api/post_payment_rejected.sql",
            "db/tests/20_api/post_compound_payment.sql",
        ),
    ),
    Mutant(
        name="general-path-ignores-the-status",
        file=_APPLY,
        old=" and v_account.status = 'open') is not true",
        new=") is not true",
        breach="a frozen or closed account is posted to",
        tests=("db/tests/10_private/apply_changes.sql",),
    ),
    Mutant(
        name="plain-payment-ignores-the-payees-status",
        file=_PLAIN,
        old="and t.status = 'open' and t.currency",
        new="and t.currency",
        times=2,
        breach="a frozen or closed account is paid to",
        tests=("db/tests/20_api/post_payment_rejected.sql",),
    ),
    Mutant(
        name="plain-payment-ignores-the-currency",
        file=_PLAIN,
        old=" and t.currency = p_currency",
        new="",
        times=2,
        breach="dollars are paid to an account in euros",
        tests=("db/tests/20_api/post_payment_invalid.sql",),
    ),
    Mutant(
        name="plain-payment-has-no-minimum",
        file=_PLAIN,
        old="f.balance - f.held - p_amount >= greatest(f.min_balance, -5e37)",
        new="true",
        times=2,
        breach="an account is overdrawn",
        tests=("db/tests/20_api/post_payment_rejected.sql",),
    ),
    Mutant(
        name="plain-payment-stops-short-of-the-minimum",
        file=_PLAIN,
        old="p_amount >= greatest(",
        new="p_amount > greatest(",
        times=2,
        breach="a debit down to the minimum is refused",
        equivalent="What the plain path does not allow takes the general path, which allows it and "
        "gives the same bytes: it would only be slower.",
    ),
    Mutant(
        name="minimum-not-to-be-reached",
        file=_APPLY,
        old="v_entry.balance_after - v_entry.held_after < v_account.min_balance",
        new="v_entry.balance_after - v_entry.held_after <= v_account.min_balance",
        breach="a debit down to the minimum is refused",
        tests=(
            "db/tests/10_private/apply_changes.sql",
            "db/tests/20_api/post_compound_payment.sql",
        ),
    ),
    Mutant(
        name="minimum-for-credits-too",
        file=_APPLY,
        old="v_change.amount < v_change.held\n        and ",
        new="",
        breach="who is below the minimum cannot be paid",
        tests=("db/tests/10_private/apply_changes.sql",),
    ),
    Mutant(
        name="general-path-has-no-maximum",
        file=_APPLY,
        old="v_change.amount > 0 and v_entry.balance_after > v_account.max_balance",
        new="false",
        breach="an account is filled above its maximum",
        tests=("db/tests/10_private/apply_changes.sql",),
    ),
    Mutant(
        name="plain-payment-has-no-maximum",
        file=_PLAIN,
        old="t.balance + p_amount <= least(t.max_balance, 5e37)",
        new="true",
        times=2,
        breach="an account is filled above its maximum",
        tests=("db/tests/20_api/post_payment_rejected.sql",),
    ),
    Mutant(
        name="later-postings-pay-for-earlier-ones",
        file=_APPLY,
        old="    v_account.balance := v_entry.balance_after;\n",
        new="",
        breach="each posting of a payment decides on the balance before all of them",
        tests=("db/tests/10_private/apply_changes.sql",),
    ),
    Mutant(
        name="39-digits",
        file=_APPLY,
        old="abs(v_entry.balance_after) >= 1e38",
        new="abs(v_entry.balance_after) > 1e38",
        breach="a balance passes 38 digits",
        tests=(
            "db/tests/10_private/apply_changes.sql",
            "db/tests/20_api/post_payment_rejected.sql",
        ),
    ),
    Mutant(
        name="keys-are-not-unique",
        file="db/migrations/0007_idempotency_keys.sql",
        old="  outcome jsonb,\n  constraint idempotency_keys_pkey primary key (ledger_id, key)\n",
        new="  outcome jsonb\n",
        breach="a retry posts again",
        tests=("db/tests/20_api/post_payment.sql",),
    ),
    Mutant(
        name="a-taken-key-still-moves-the-balance",
        file=_APPEND,
        old="from claimed, unnest(p_accounts) l",
        new="from unnest(p_accounts) l",
        breach="a retry moves money that no entry shows",
        tests=("db/tests/10_private/append_payment.sql",),
    ),
    Mutant(
        name="any-content-under-a-key",
        file=_STORED,
        old="v_key.fingerprint <> p_fingerprint",
        new="false",
        breach="another payment under the same key is answered as if it were posted",
        tests=("db/tests/20_api/post_payment.sql", "db/tests/10_private/stored_outcome.sql"),
    ),
    Mutant(
        name="fingerprint-without-metadata",
        file="db/functions/10_private/payment_fingerprint.sql",
        old="        p_metadata,\n        (extract",
        new="        '{}'::jsonb,\n        (extract",
        breach="other metadata under the same key is taken for the same payment",
        tests=("db/tests/10_private/payment_fingerprint.sql",),
    ),
    Mutant(
        name="plain-fingerprint-without-amount",
        file="db/functions/10_private/plain_fingerprint.sql",
        old="p_from, p_currency, p_amount, p_to",
        new="p_from, p_currency, 1, p_to",
        breach="another amount under the same key is taken for the same payment",
        tests=("db/tests/10_private/plain_fingerprint.sql",),
    ),
    Mutant(
        name="refusals-are-told-without-their-key",
        file=_CHANGES,
        old="      on conflict do nothing;\n      if found then",
        new="      on conflict do nothing;\n      if true then",
        breach="a key that is taken answers a refusal of another payment",
        tests=("db/tests/20_api/post_payment_rejected.sql", "db/tests/20_api/post_payment.sql"),
    ),
    Mutant(
        name="a-posted-key-answers-invalid",
        file=_CHANGES,
        old="return case when v_stored.outcome is null then v_refusal else v_stored end;",
        new="return v_refusal;",
        breach="a retry after the account was closed is told that nothing was posted",
        tests=("db/tests/20_api/post_payment_invalid.sql",),
    ),
    Mutant(
        name="a-replay-writes-no-wal",
        file=_REPLAYED,
        old="if v_stored.outcome is not null and",
        new="if false and",
        breach="a retry acknowledges what the standby may not have",
        tests=("tests/concurrency/test_replays_and_standbys.py",),
    ),
    Mutant(
        name="plain-payment-keeps-the-version",
        file=_PLAIN,
        old="version = version + 1",
        new="version = version",
        breach="two entries have one version",
        tests=("db/tests/20_api/post_payment.sql",),
    ),
    Mutant(
        name="general-path-keeps-the-version",
        file=_APPEND,
        old="held = l.held, version = l.version",
        new="held = l.held",
        breach="two entries have one version",
        tests=("db/tests/10_private/append_payment.sql",),
    ),
    Mutant(
        name="versions-are-not-unique",
        file="db/functions/10_private/build_partition.sql",
        old="'create unique index %I",
        new="'create index %I",
        breach="a defect of locking would go unnoticed until the books are verified",
        tests=("db/tests/10_private/build_partition.sql",),
    ),
    Mutant(
        name="plain-payment-is-not-durable",
        file=_PLAIN,
        old="in ('off', 'local')",
        new="in ('never')",
        breach="a payment that was acknowledged is lost in a crash",
        tests=(_DURABLE,),
    ),
    Mutant(
        name="compound-payments-are-not-durable",
        file=_CHANGES,
        old="in ('off', 'local')",
        new="in ('never')",
        breach="a payment that was acknowledged is lost in a crash",
        tests=(_DURABLE,),
    ),
    Mutant(
        name="status-is-set-without-a-lock",
        file="db/functions/10_private/lock_account.sql",
        old="  for no key update;",
        new=";",
        breach="an account that is just being paid is closed",
        tests=(
            f"{_LOCKS_TEST}test_closing_waits_for_a_payment_that_fills_the_account_and_is_refused",
        ),
    ),
    Mutant(
        name="accounts-with-money-are-closed",
        file="db/functions/20_api/set_account_status.sql",
        old="v_account.balance <> 0 or",
        new="",
        breach="money is locked away in a closed account",
        tests=("db/tests/20_api/set_account_status.sql",),
    ),
    Mutant(
        name="other-content-for-an-account",
        file="db/functions/20_api/create_account.sql",
        old="    is distinct from (p_currency, p_type,",
        new="    is null and null is distinct from (p_currency, p_type,",
        breach="a conflicting account is told to be the same",
        tests=("db/tests/20_api/create_account.sql",),
    ),
    Mutant(
        name="a-refusal-is-required-and-passes",
        file="db/functions/20_api/require_posted.sql",
        old="if p_result.outcome = 'posted' then",
        new="if p_result.outcome in ('posted', 'rejected') then",
        breach="the caller's transaction commits without its payment",
        tests=("db/tests/20_api/require_posted.sql",),
    ),
    Mutant(
        name="keys-of-every-ledger-are-purged",
        file="db/functions/20_api/purge_idempotency_keys.sql",
        old="""\
    where l.idempotency_retention is not null
      and k.created_at < clock_timestamp() - l.idempotency_retention
""",
        new="""\
    where k.created_at < clock_timestamp() - coalesce(l.idempotency_retention, '1 hour')
""",
        breach="where keys are to be kept for ever, an old retry posts again",
        tests=("db/tests/20_api/purge_idempotency_keys.sql",),
    ),
    Mutant(
        name="purges-wait-for-each-other",
        file="db/functions/20_api/purge_idempotency_keys.sql",
        old="for update of k skip locked",
        new="for update of k",
        breach="a purge that hangs holds up all others",
        tests=(
            "tests/concurrency/test_purging.py::test_two_purges_share_the_work_and_do_not_wait",
        ),
    ),
)
