begin;
select plan(9);

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

select lives_ok($$select ledger.create_ledger('other')$$, 'Another ledger');
select tests.raises(
  'select ledger_private.verify_slice(null, 3, 2)',
  '{"code": "slice_out_of_range", "slice": 3, "slices": 2}', 'There is no third half'
);

select * from finish();
rollback;
