begin;
select plan(11);

select is(
  ledger_private.verify_slice(null, 1, 1)::text, '(,,,)', 'One slice of one has no bounds'
);
select bag_eq(
  $$
    select n, from_id is null as oldest, until_id is null as newest, from_account, until_account
    from generate_series(1, 3) n, ledger_private.verify_slice(null, n, 3)
  $$,
  'values (1, false, true, 1, null), (2, false, false, 1, 1), (3, true, false, null, 1)',
  'Empty books can be cut too'
);

select tests.open_accounts();
create temporary table bounds as
select n, count(*) over () as slices, (ledger_private.verify_slice(null, n, 7)).*
from generate_series(1, 7) n;
select is(
  (
    select array_agg(n order by n)
    from (
      select *, lag(from_id) over newest_first as next_id,
        lag(from_account) over newest_first as next_account
      from bounds
      window newest_first as (order by n)
    ) b
    where until_id is not distinct from next_id
      and until_account is not distinct from next_account
  ),
  array[1, 2, 3, 4, 5, 6, 7], 'Each slice ends where the newer one began'
);
select is(
  (select array_agg(n) from bounds where from_id is null and from_account is null), array[7],
  'The last one has no beginning'
);
select is(
  (select array_agg(n) from bounds where until_id is null and until_account is null), array[1],
  'and the first one no end'
);
select is(
  (
    select count(*)
    from ledger.accounts a
    join bounds b on (b.from_account is null or a.account_id >= b.from_account)
      and (b.until_account is null or a.account_id < b.until_account)
  ),
  6::bigint, 'Every account is in one slice'
);
select is(
  (
    select count(*)
    from ledger.payments p
    join bounds b on (b.from_id is null or p.payment_id >= b.from_id)
      and (b.until_id is null or p.payment_id < b.until_id)
  ),
  2::bigint, 'Every payment is in one slice'
);

-- A ledger of four days and 1000 accounts.
create temporary table other as
select ledger_id from ledger.create_ledger('other');
insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
select ledger_private.payment_id_at(at), now(), ledger_id, 1, 'stray', '{}'
from other, unnest(array['2000-01-01Z', '2000-01-02Z', '2000-01-05Z']::timestamptz[]) at;
insert into ledger.accounts (ledger_id, account_id, code, currency, type)
overriding system value
select ledger_id, 1000, 'late', 'USD', 'asset' from other;
set local time zone 'UTC';
select bag_eq(
  $$
    select n, ledger_private.payment_id_time(from_id) as from_at,
      ledger_private.payment_id_time(until_id) as until_at
    from other, generate_series(1, 4) n, ledger_private.verify_slice(ledger_id, n, 4)
  $$,
  $$
    values
      (1, '2000-01-04'::timestamptz, null::timestamptz), (2, '2000-01-03', '2000-01-04'),
      (3, '2000-01-02', '2000-01-03'), (4, null, '2000-01-02')
  $$,
  'Slices are equal stretches of the time in which the ledger was posted to'
);
select bag_eq(
  $$
    select n, from_account, until_account
    from other, generate_series(1, 4) n, ledger_private.verify_slice(ledger_id, n, 4)
  $$,
  'values (1, 751, null), (2, 501, 751), (3, 251, 501), (4, null, 251)',
  'and equal numbers of accounts'
);
select bag_eq(
  $$
    select
      ledger_private.payment_id_time(from_id) between
        ledger_private.payment_id_time(oldest) + (
          ledger_private.payment_id_time(newest) - ledger_private.payment_id_time(oldest)
        ) / 2 - interval '1 ms'
        and ledger_private.payment_id_time(newest) as in_the_middle,
      from_account
    from ledger_private.verify_slice(null, 1, 2),
      (
        select min(payment_id::text)::uuid as oldest, max(payment_id::text)::uuid as newest
        from ledger.payments
      ) p
  $$,
  'select true as yes, 1 + max(account_id) / 2 as account from ledger.accounts',
  'For all ledgers, of all of it'
);
select tests.raises(
  'select ledger_private.verify_slice(null, 3, 2)',
  '{"code": "slice_out_of_range", "slice": 3, "slices": 2}', 'There is no third half'
);

select * from finish();
rollback;
