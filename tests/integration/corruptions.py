"""Small books, and the many ways in which a superuser may falsify them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.databases import Connection

# alice and bob (never below 0) hold US dollars, eva holds euros; the world has no minimum. bob may
# not hold more than 1000. carol was frozen and opened again, dave was closed.
BOOKS = """
select ledger.create_account(code, currency, 'liability', least)
from (
  values
    ('world', 'USD', null), ('world-eur', 'EUR', null), ('alice', 'USD', 0), ('bob', 'USD', 0),
    ('carol', 'USD', 0), ('dave', 'USD', 0), ('eva', 'EUR', 0)
) accounts (code, currency, least);
select ledger.set_account_limits('bob', 0, 1000);
select ledger.require_posted(ledger.post_payment(key, from_code, to_code, amount, currency))
from (
  values
    (1, 'p1', 'world', 'alice', 500, 'USD'), (2, 'p2', 'world-eur', 'eva', 70, 'EUR'),
    (3, 'p3', 'alice', 'bob', 100, 'USD'), (4, 'p4', 'bob', 'carol', 30, 'USD'),
    (5, 'p5', 'alice', 'dave', 5, 'USD'), (6, 'p6', 'dave', 'bob', 5, 'USD')
) payments (no, key, from_code, to_code, amount, currency)
order by no;
select ledger.set_account_limits('alice', 10, null);
select ledger.set_account_status('carol', 'frozen');
select ledger.set_account_status('dave', 'closed');
select ledger.post_payment('refused', 'alice', 'carol', 1, 'USD');
select ledger.set_account_status('carol', 'open');
select ledger.require_posted(
  ledger.post_compound_payment(
    'p7',
    '[{"from": "alice", "to": "carol", "amount": "20", "currency": "USD"},
      {"from": "eva", "to": "world-eur", "amount": "7", "currency": "EUR"}]',
    'two currencies', '{"order": 7}', '2026-01-02 03:04:05.678901Z'
  )
);
select ledger.require_posted(ledger.post_payment('p8', 'carol', 'bob', 1, 'USD'));
"""

# What the corruptions below are written with; they are the superuser's, and rolled back.
WORDS = """
create function pg_temp.account(p_code text) returns bigint language sql
  return (select account_id from ledger.accounts where code = p_code);
create function pg_temp.payment(p_key text) returns uuid language sql
  return (select payment_id from ledger.idempotency_keys where key = p_key);
-- A payment_id like one of next month: of another partition.
create function pg_temp.later(p_payment_id uuid) returns uuid language sql
  return overlay(
    p_payment_id::text
    placing left(ledger_private.payment_id_at(now() + interval '40 days')::text, 13) from 1
  )::uuid;
"""

ALL_TRIGGERS = """
do $$
declare
  v_table regclass;
begin
  for v_table in select relation from ledger_private.append_only_tables() loop
    execute format('alter table %s disable trigger user', v_table);
  end loop;
end
$$;
"""
ALWAYS_AGAIN = """
do $$
declare
  v_trigger record;
begin
  for v_trigger in
    select g.tgrelid::regclass as relation, g.tgname
    from pg_trigger g
    join ledger_private.append_only_tables() t on t.relation = g.tgrelid
    where not g.tgisinternal
      and g.tgenabled = 'D'
  loop
    execute format('alter table %s enable always trigger %I', v_trigger.relation, v_trigger.tgname);
  end loop;
end
$$;
"""


async def corrupt(forger: Connection, sql: str) -> None:
    """What a superuser can do: with all triggers off and then on again."""
    await forger.execute(ALL_TRIGGERS)
    await forger.execute("set local session_replication_role = replica")
    await forger.execute(sql)
    await forger.execute("set local session_replication_role = origin")
    await forger.execute(ALWAYS_AGAIN)


# The id of a payment before there were partitions.
OF_2022 = "'017f22e2-79b0-7cc3-98c4-dc0c0c07398f'"

# What is done, and how many breaches of each name it makes.
CORRUPTIONS: dict[str, tuple[str, dict[str, int]]] = {
    # -- what an account says of itself ----------------------------------------------------------
    "another balance": (
        "update ledger.accounts set balance = balance + 1 where code = 'alice'",
        {"account_balance_differs": 1},
    ),
    "another version": (
        "update ledger.accounts set version = version + 1 where code = 'alice'",
        {"account_version_differs": 1},
    ),
    "something held": (
        "update ledger.accounts set held = 1 where code = 'alice'",
        {"account_held_differs": 1},
    ),
    "a minimum nobody set": (
        "update ledger.accounts set min_balance = -1000 where code = 'bob'",
        {"account_differs_from_history": 1},
    ),
    "metadata nobody set": (
        "update ledger.accounts set metadata = '{\"vip\": true}' where code = 'bob'",
        {"account_differs_from_history": 1},
    ),
    "a status nobody set": (
        "update ledger.accounts set status = 'open' where code = 'dave'",
        {"account_differs_from_history": 1},
    ),
    "a minimum above the maximum": (
        """
        update ledger.accounts set min_balance = 1001 where code = 'bob';
        insert into ledger.account_changes
          (ledger_id, account_id, from_version, status, min_balance, max_balance, metadata)
        values (1, pg_temp.account('bob'), 5, 'open', 1001, 1000, '{}')
        """,
        {"account_limits_crossed": 1},
    ),
    "another code": (
        "update ledger.accounts set code = 'mallory' where code = 'eva'",
        {"fingerprint_differs": 2},
    ),
    "another currency": (
        "update ledger.accounts set currency = 'GBP' where code = 'eva'",
        {"fingerprint_differs": 2, "payment_unbalanced": 4, "posting_not_a_pair": 2},
    ),
    "an account that is gone": (
        "delete from ledger.accounts where code = 'dave'",
        {
            "account_change_without_account": 2,
            "entries_without_account": 2,
            "payment_unbalanced": 2,
            "fingerprint_differs": 2,
        },
    ),
    "an account of no ledger": (
        """
        insert into ledger.accounts (ledger_id, code, currency, type)
        values (77, 'nowhere', 'USD', 'asset')
        """,
        {"account_without_ledger": 1, "account_without_history": 1},
    ),
    # -- what was decided about an account -------------------------------------------------------
    "an account without its creation": (
        """
        delete from ledger.account_changes
        where account_id = pg_temp.account('alice') and from_version = 1
        """,
        {"account_changes_start_late": 1},
    ),
    "an account without any history": (
        "delete from ledger.account_changes where account_id = pg_temp.account('eva')",
        {"account_without_history": 1},
    ),
    "the last change undone": (
        """
        delete from ledger.account_changes
        where account_id = pg_temp.account('alice') and min_balance = 10
        """,
        {"account_differs_from_history": 1},
    ),
    "a change of the future": (
        """
        update ledger.account_changes set from_version = 99
        where account_id = pg_temp.account('alice') and min_balance = 10
        """,
        {"account_change_ahead": 1},
    ),
    "changes in another order": (
        """
        update ledger.account_changes set from_version = 3
        where account_id = pg_temp.account('carol') and change_id = (
          select min(change_id) from ledger.account_changes where status = 'frozen'
        )
        """,
        {"account_changes_out_of_order": 1},
    ),
    "a closed account opened again": (
        """
        insert into ledger.account_changes
          (ledger_id, account_id, from_version, status, min_balance, max_balance, metadata)
        values (1, pg_temp.account('dave'), 3, 'open', 0, null, '{}');
        update ledger.accounts set status = 'open' where code = 'dave'
        """,
        {"closed_account_reopened": 1},
    ),
    "an account closed with money in it": (
        """
        insert into ledger.account_changes
          (ledger_id, account_id, from_version, status, min_balance, max_balance, metadata)
        values (1, pg_temp.account('eva'), 3, 'closed', 0, null, '{}');
        update ledger.accounts set status = 'closed' where code = 'eva'
        """,
        {"account_closed_with_money": 1},
    ),
    "a minimum raised afterwards": (
        """
        update ledger.account_changes set min_balance = 396
        where account_id = pg_temp.account('alice') and from_version = 1
        """,
        {"debit_below_minimum": 1},
    ),
    "a maximum lowered afterwards": (
        """
        update ledger.account_changes set max_balance = 29
        where account_id = pg_temp.account('carol') and status = 'open' and change_id = (
          select min(change_id) from ledger.account_changes
          where account_id = pg_temp.account('carol')
        )
        """,
        {"credit_above_maximum": 1},
    ),
    "an account frozen afterwards": (
        """
        update ledger.account_changes set status = 'frozen'
        where account_id = pg_temp.account('alice') and from_version = 1
        """,
        {"entry_while_not_open": 3},
    ),
    # -- entries -------------------------------------------------------------------------------
    "another amount": (
        """
        update ledger.ledger_entries set amount = amount + 1
        where payment_id = pg_temp.payment('p3') and amount > 0
        """,
        {
            "balance_not_continued": 1,
            "payment_unbalanced": 1,
            "posting_not_a_pair": 1,
            "fingerprint_differs": 1,
        },
    ),
    "another amount on both sides": (
        """
        update ledger.ledger_entries set amount = amount + sign(amount)
        where payment_id = pg_temp.payment('p3')
        """,
        {"balance_not_continued": 2, "fingerprint_differs": 1},
    ),
    "a payment and everything after it changed, as if it had always been so": (
        """
        update ledger.ledger_entries set amount = -101, balance_after = 399
        where payment_id = pg_temp.payment('p3') and amount < 0;
        update ledger.ledger_entries set balance_after = balance_after - 1
        where account_id = pg_temp.account('alice') and version > 2;
        update ledger.ledger_entries set amount = 101, balance_after = 101
        where payment_id = pg_temp.payment('p3') and amount > 0;
        update ledger.ledger_entries set balance_after = balance_after + 1
        where account_id = pg_temp.account('bob') and version > 1;
        update ledger.accounts set balance = balance - 1 where code = 'alice';
        update ledger.accounts set balance = balance + 1 where code = 'bob'
        """,
        {"fingerprint_differs": 1},
    ),
    "another balance after an entry": (
        """
        update ledger.ledger_entries set balance_after = balance_after + 1
        where account_id = pg_temp.account('bob') and version = 2
        """,
        {"balance_not_continued": 2},
    ),
    "something held at an entry": (
        """
        update ledger.ledger_entries set held_after = 1
        where account_id = pg_temp.account('bob') and version = 2
        """,
        {"held_not_continued": 2},
    ),
    "an entry that is gone": (
        """
        delete from ledger.ledger_entries
        where account_id = pg_temp.account('bob') and version = 2
        """,
        {
            "version_missing": 1,
            "payment_unbalanced": 1,
            "posting_not_a_pair": 1,
            "fingerprint_differs": 1,
        },
    ),
    "an account's first entry gone": (
        """
        delete from ledger.ledger_entries
        where account_id = pg_temp.account('bob') and version = 1
        """,
        {
            "version_missing": 1,
            "payment_unbalanced": 1,
            "posting_not_a_pair": 1,
            "fingerprint_differs": 1,
        },
    ),
    "an account's last entry gone": (
        """
        delete from ledger.ledger_entries
        where account_id = pg_temp.account('dave') and version = 2
        """,
        {
            "account_version_differs": 1,
            "account_balance_differs": 1,
            "payment_unbalanced": 1,
            "posting_not_a_pair": 1,
            "fingerprint_differs": 1,
        },
    ),
    "an entry given to another account": (
        """
        update ledger.ledger_entries set account_id = pg_temp.account('eva'), version = 3
        where account_id = pg_temp.account('dave') and version = 1
        """,
        {
            "version_missing": 1,
            "balance_not_continued": 1,
            "account_version_differs": 1,
            "account_balance_differs": 1,
            "payment_unbalanced": 2,
            "posting_not_a_pair": 1,
            "fingerprint_differs": 1,
        },
    ),
    "versions that two entries share, in two partitions": (
        """
        insert into ledger.payments
          (ledger_id, payment_id, kind, metadata, posted_at, feed_epoch)
        select ledger_id, pg_temp.later(payment_id), kind, metadata, posted_at, feed_epoch
        from ledger.payments where payment_id = pg_temp.payment('p3');
        insert into ledger.ledger_entries
          (ledger_id, account_id, version, payment_id, posting_no, amount, held, balance_after,
           held_after)
        select ledger_id, account_id, version, pg_temp.later(payment_id), posting_no, amount, held,
          balance_after, held_after
        from ledger.ledger_entries where payment_id = pg_temp.payment('p3')
        """,
        {"version_repeated": 2, "payment_without_key": 1},
    ),
    "an entry that changes nothing": (
        """
        insert into ledger.ledger_entries
          (ledger_id, account_id, version, payment_id, posting_no, amount, held, balance_after,
           held_after)
        values (1, pg_temp.account('eva'), 3, pg_temp.payment('p2'), 2, 0, 0, 63, 0);
        update ledger.accounts set version = 3 where code = 'eva'
        """,
        {"entry_without_effect": 1, "posting_not_a_pair": 1, "fingerprint_differs": 1},
    ),
    "entries of no payment": (
        """
        insert into ledger.ledger_entries
          (ledger_id, account_id, version, payment_id, posting_no, amount, held, balance_after,
           held_after)
        select 1, account_id, version + 1, pg_temp.later(pg_temp.payment('p3')), 1, amount, 0,
          balance + amount, 0
        from ledger.accounts
        join (values ('world', -9), ('alice', 9)) entries (code, amount) using (code);
        update ledger.accounts a set version = version + 1, balance = balance + amount
        from (values ('world', -9), ('alice', 9)) entries (code, amount)
        where a.code = entries.code
        """,
        {"entries_without_payment": 1},
    ),
    "postings with other numbers": (
        "update ledger.ledger_entries set posting_no = 2 where payment_id = pg_temp.payment('p2')",
        {"postings_not_numbered": 1, "fingerprint_differs": 1},
    ),
    "a posting of a compound payment that is gone": (
        """
        delete from ledger.ledger_entries
        where payment_id = pg_temp.payment('p7') and posting_no = 2;
        update ledger.accounts set version = 1, balance = 70 where code = 'eva';
        update ledger.accounts set version = 1, balance = -70 where code = 'world-eur'
        """,
        {"fingerprint_differs": 1},
    ),
    # -- payments ------------------------------------------------------------------------------
    "a payment that is gone": (
        "delete from ledger.payments where payment_id = pg_temp.payment('p3')",
        {"entries_without_payment": 1, "key_without_payment": 1},
    ),
    "a payment whose entries are gone": (
        "delete from ledger.ledger_entries where payment_id = pg_temp.payment('p8')",
        {
            "payment_without_entries": 1,
            "account_version_differs": 2,
            "account_balance_differs": 2,
        },
    ),
    "a payment nobody asked for": (
        """
        insert into ledger.payments (ledger_id, payment_id, kind, metadata, posted_at, feed_epoch)
        values (1, pg_temp.later(pg_temp.payment('p3')), 'payment', '{}', now(), 1)
        """,
        {"payment_without_key": 1, "payment_without_entries": 1},
    ),
    "another description": (
        "update ledger.payments set description = 'x' where payment_id = pg_temp.payment('p7')",
        {"fingerprint_differs": 1},
    ),
    "other metadata": (
        "update ledger.payments set metadata = '{}' where payment_id = pg_temp.payment('p7')",
        {"fingerprint_differs": 1},
    ),
    "another effective_at": (
        """
        update ledger.payments set effective_at = effective_at + interval '1 microsecond'
        where payment_id = pg_temp.payment('p7')
        """,
        {"fingerprint_differs": 1},
    ),
    "another kind": (
        "update ledger.payments set kind = 'gift' where payment_id = pg_temp.payment('p3')",
        {"fingerprint_differs": 1},
    ),
    "another time": (
        """
        update ledger.payments set posted_at = posted_at + interval '1 microsecond'
        where payment_id = pg_temp.payment('p3')
        """,
        {"key_and_payment_differ_in_time": 1},
    ),
    "a payment related to none": (
        """
        update ledger.payments set related_payment_id = pg_temp.later(payment_id)
        where payment_id = pg_temp.payment('p3')
        """,
        {"related_payment_missing": 1},
    ),
    "a payment of no epoch": (
        "update ledger.payments set feed_epoch = 9 where payment_id = pg_temp.payment('p3')",
        {"payment_without_epoch": 1},
    ),
    "an epoch that is gone": (
        "delete from ledger.feed_epochs",
        {"payment_without_epoch": 8},
    ),
    "a payment of no ledger": (
        "update ledger.payments set ledger_id = 77 where payment_id = pg_temp.payment('p3')",
        {
            "payment_without_ledger": 1,
            "payment_without_key": 1,
            "payment_without_entries": 1,
            "entries_without_payment": 1,
            "key_without_payment": 1,
        },
    ),
    # -- keys ----------------------------------------------------------------------------------
    "a key that is gone": (
        "delete from ledger.idempotency_keys where key = 'p3'",
        {"payment_without_key": 1},
    ),
    "another key for the same payment": (
        """
        insert into ledger.idempotency_keys
          (ledger_id, key, payment_id, fingerprint, render_version, created_at)
        select ledger_id, 'again', payment_id, fingerprint, render_version, created_at
        from ledger.idempotency_keys where key = 'p3'
        """,
        {"payment_with_two_keys": 1},
    ),
    "a key given to another payment": (
        """
        update ledger.idempotency_keys set payment_id = pg_temp.payment('p4') where key = 'p3'
        """,
        {
            "payment_without_key": 1,
            "payment_with_two_keys": 1,
            "fingerprint_differs": 1,
            "key_and_payment_differ_in_time": 1,
        },
    ),
    "a key without its payment": (
        """
        update ledger.idempotency_keys set payment_id = pg_temp.later(payment_id) where key = 'p3'
        """,
        {"key_without_payment": 1, "payment_without_key": 1},
    ),
    "another fingerprint": (
        "update ledger.idempotency_keys set fingerprint = sha256('x') where key = 'p3'",
        {"fingerprint_differs": 1},
    ),
    "a key made older, to be purged": (
        """
        update ledger.idempotency_keys set created_at = created_at - interval '1 year'
        where key = 'p3'
        """,
        {"key_and_payment_differ_in_time": 1},
    ),
    "an answer of no known form": (
        "update ledger.idempotency_keys set render_version = 2 where key = 'p3'",
        {"answer_not_renderable": 1},
    ),
    "a key with two outcomes": (
        """
        update ledger.idempotency_keys set outcome = '{"code": "insufficient_funds"}'
        where key = 'p3'
        """,
        {"key_with_two_outcomes": 1},
    ),
    "a key with no outcome": (
        "update ledger.idempotency_keys set outcome = null where key = 'refused'",
        {"key_without_outcome": 1},
    ),
    "a refusal of no known code": (
        """
        update ledger.idempotency_keys set outcome = '{"code": "no_reason"}' where key = 'refused'
        """,
        {"refusal_unknown": 1},
    ),
    "a refusal that is never stored": (
        """
        update ledger.idempotency_keys set outcome = '{"code": "unknown_account"}'
        where key = 'refused'
        """,
        {"refusal_unknown": 1},
    ),
    "a refusal of no ledger": (
        "update ledger.idempotency_keys set ledger_id = 77 where key = 'refused'",
        {"key_without_ledger": 1},
    ),
    # -- partitions ------------------------------------------------------------------------------
    "rows in the default partition": (
        f"""
        with moved as (
          update ledger.ledger_entries set payment_id = {OF_2022}
          where payment_id = pg_temp.payment('p8')
        )
        update ledger.payments set payment_id = {OF_2022}
        where payment_id = pg_temp.payment('p8');
        update ledger.idempotency_keys set payment_id = {OF_2022} where key = 'p8'
        """,
        {"rows_in_default_partition": 2},
    ),
    "rows in another partition": (
        """
        create temporary table partition as
        select * from ledger_private.partitions('ledger.payments')
        order by from_id desc nulls last limit 1;
        do $$
        declare
          v record;
        begin
          select * into v from partition;
          execute format('alter table ledger.payments detach partition %s', v.partition);
          execute format(
            'insert into %s overriding system value select * from ledger.payments '
            'where payment_id = pg_temp.payment(''p8'')', v.partition
          );
          delete from ledger.payments where payment_id = pg_temp.payment('p8');
          -- A constraint said to be valid keeps ATTACH from looking at the rows.
          execute format(
            'alter table %s add constraint forged check (payment_id >= %L and payment_id < %L) '
            'not valid', v.partition, v.from_id, v.until_id
          );
          update pg_constraint set convalidated = true where conname = 'forged';
          execute format('alter table %s set (fillfactor = 100)', v.partition);
          execute format(
            'alter table ledger.payments attach partition %s for values from (%L) to (%L)',
            v.partition, v.from_id, v.until_id
          );
        end
        $$
        """,
        {"rows_in_wrong_partition": 1},
    ),
}
