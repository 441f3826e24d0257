-- Retention from end to end. The keys' age is made by moving created_at back as superuser.
begin;
select plan(28);
select tests.open_accounts();
create temporary table short as
select ledger_id from ledger.create_ledger('short', '2 hours');
select lives_ok(
  format($$select ledger.create_account(%L, 'USD', 'equity', null, 100, p_ledger_id => %s)$$,
    code, ledger_id),
  'An account in the ledger with a retention'
)
from short, unnest(array['a', 'b']) code;
create temporary table first as
select
  key,
  ledger.post_payment(key, 'a', 'b', amount, 'USD', p_ledger_id => ledger_id) as result
from short, (values ('p', 10), ('r', 101), ('young', 1)) as payments (key, amount);
select is(
  (select string_agg(format('%s %s', key, (result).outcome), ', ') from first),
  'p posted, r rejected, young posted', 'Three keys in it'
);
alter table ledger.idempotency_keys disable trigger user;
update ledger.idempotency_keys
set created_at = created_at - interval '2 hours 1 s'
where key <> 'young';
alter table ledger.idempotency_keys enable always trigger refuse_change;
alter table ledger.idempotency_keys enable always trigger refuse_delete;
alter table ledger.idempotency_keys enable always trigger refuse_truncate;

-- What expires, and what does not

select is(
  (ledger.post_payment('p', 'a', 'b', 10, 'USD', p_ledger_id => ledger_id)).body::text,
  (result).body::text, 'An expired key answers until it is purged'
)
from first, short where key = 'p';
select is(ledger.purge_idempotency_keys(0), 0::bigint, 'A limit of none purges none');
select is(ledger.purge_idempotency_keys(p_ledger_id => 1), 0::bigint,
  'Keys of a ledger without a retention never go, however old');
select is(ledger.purge_idempotency_keys(1), 1::bigint, 'One at a time');
select is(ledger.purge_idempotency_keys(p_ledger_id => ledger_id), 1::bigint, 'then the other')
from short;
select is(ledger.purge_idempotency_keys(), 0::bigint, 'and no more');
select is(
  (select string_agg(key, ' ' order by key) from ledger.idempotency_keys),
  'fund-alice fund-eva young', 'What is left'
);

-- A purged key is a new key

select tests.raises(
  format('select ledger.find_payment_by_key(%L, %s)', key, ledger_id),
  '{"code": "unknown_idempotency_key"}', format('The key %s is unknown', key)
)
from short, unnest(array['p', 'r']) key;
create temporary table second as
select
  key,
  ledger.post_payment(key, 'a', 'b', amount, 'USD', p_ledger_id => ledger_id) as result
from short, (values ('p', 10), ('r', 79), ('young', 1)) as payments (key, amount);
select is(
  (
    select string_agg(
      format('%s %s %s', key, (result).outcome, (result).replayed), ', ' order by key
    )
    from second
  ),
  'p posted f, r posted f, young posted t', 'They post anew, for other content too'
);
select isnt((s.result).payment_id, (f.result).payment_id, 'It is another payment')
from first f join second s using (key) where key = 'p';
select is(
  ledger.get_payment((result).payment_id, ledger_id)::text, (result).body::text,
  'The first payment is still there, as it was answered'
)
from first, short where key = 'p';
select is(
  (ledger.post_payment('p', 'a', 'b', 10, 'USD', p_ledger_id => ledger_id)).body::text,
  (result).body::text, 'and the key now answers for the second'
)
from second, short where key = 'p';
select is(tests.balances(ledger_id), 'a -100 v4, b 100 v4', 'Posted four times in all') from short;
select tests.books();

-- A retention that is set later counts for keys that are there, one taken away for none

select lives_ok(
  format('select ledger.set_ledger_retention(%s, null)', ledger_id), 'For ever from now on'
)
from short;
alter table ledger.idempotency_keys disable trigger user;
update ledger.idempotency_keys set created_at = created_at - interval '10 years';
alter table ledger.idempotency_keys enable always trigger refuse_change;
select is(ledger.purge_idempotency_keys(), 0::bigint, 'Nothing is purged, after ten years');
select lives_ok(
  format('select ledger.set_ledger_retention(%s, %L)', ledger_id, '9 years'), 'Nine years'
)
from short;
select is(ledger.purge_idempotency_keys(), 3::bigint, 'Now they go');
select is(
  (select string_agg(key, ' ' order by key) from ledger.idempotency_keys),
  'fund-alice fund-eva', 'The other ledger''s stay'
);
select tests.books();

-- What it cannot be asked for

select tests.remember();
select tests.raises(
  format('select ledger.purge_idempotency_keys(%s)', p_limit),
  '{"code": "argument_invalid", "reason": "null or negative", "argument": "p_limit"}',
  'A limit is a count, not ' || p_limit
)
from unnest(array['-1', 'null']) p_limit;
select tests.raises(
  'select ledger.purge_idempotency_keys(1, -1)', '{"code": "unknown_ledger", "ledger_id": -1}',
  'A ledger that there is not has no keys to purge'
);
select tests.unchanged();

select * from finish();
rollback;
