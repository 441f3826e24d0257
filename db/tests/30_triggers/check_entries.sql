begin;
select plan(12);
select tests.open_accounts();
create temporary table ids as
select ledger_private.new_payment_id() as payment, ledger_private.new_payment_id() as other;
insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
select payment, now(), 1, 1, 'test', '{}' from ids;

-- Entries given as (payment, account, version, amount), in one statement.
create function pg_temp.enter(p_entries text)
returns text
language sql
as $$
  select format(
    $sql$
      insert into ledger.ledger_entries
        (payment_id, account_id, version, ledger_id, posting_no, amount, held, balance_after,
         held_after)
      select
        case e.payment when 'payment' then ids.payment else ids.other end,
        coalesce(a.account_id, 999999), e.version, 1, 1, e.amount, 0, 0, 0
      from ids, (values %s) e (payment, code, version, amount)
      left join ledger.accounts a using (code)
    $sql$,
    p_entries
  )
$$;

select tests.remember();
select throws_ok(pg_temp.enter(entries), 'LG802', null, what)
from (
  values
    ('Money made of nothing', $$('payment', 'alice', 2, 1)$$),
    ('Money lost', $$('payment', 'alice', 2, -5), ('payment', 'bob', 1, 4)$$),
    ('Sums that only fit across currencies', $$('payment', 'alice', 2, -5), ('payment', 'eva', 2, 5)$$),
    ('Sums that only fit across payments', $$('payment', 'alice', 2, -5), ('other', 'bob', 1, 5)$$),
    ('No such payment', $$('other', 'alice', 2, -5), ('other', 'bob', 1, 5)$$),
    ('No such account', $$('payment', 'alice', 2, -5), ('payment', 'nobody', 1, 5)$$)
) as cases (what, entries);
select tests.unchanged();
set local session_replication_role = replica;
select throws_ok(
  pg_temp.enter($$('payment', 'alice', 2, 1)$$), 'LG802', null, 'Even for a replica'
);
set local session_replication_role = origin;
select throws_ok(
  pg_temp.enter($$('payment', 'alice', 1, -5), ('payment', 'bob', 1, 5)$$), '23505', null,
  'A version that the account already has'
);
select throws_ok(
  pg_temp.enter($$('payment', 'alice', 2, 0), ('payment', 'bob', 1, 0)$$), '23514', null,
  'Entries that change nothing'
);
select tests.unchanged();
select lives_ok(
  pg_temp.enter(
    $$('payment', 'alice', 2, -5), ('payment', 'bob', 1, 5), ('payment', 'eva', 2, -7),
      ('payment', 'world-eur', 2, 7)$$
  ),
  'Entries that balance in each currency are taken'
);

select * from finish();
rollback;
