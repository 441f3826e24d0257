begin;
select plan(19);
select tests.open_accounts();
create temporary table posted as
select n, ledger.post_payment('k' || n, 'alice', 'bob', n, 'USD', 'no. ' || n) as result
from generate_series(1, 5) n;
create temporary table compound as
select ledger.post_compound_payment(
  'c',
  '[{"from": "alice", "to": "bob", "amount": 10, "currency": "USD"},
    {"from": "bob", "to": "alice", "amount": 4, "currency": "USD"}]'
) as result;

select tests.remember();
select results_eq(
  $$
    select version, posting_no, amount, held, balance_after, held_after, kind, description
    from ledger.list_entries('alice')
  $$,
  $$
    values
      (8::bigint, 2, 4::numeric, 0::numeric, 479::numeric, 0::numeric, 'payment', null),
      (7, 1, -10, 0, 475, 0, 'payment', null),
      (6, 1, -5, 0, 485, 0, 'payment', 'no. 5'),
      (5, 1, -4, 0, 490, 0, 'payment', 'no. 4'),
      (4, 1, -3, 0, 494, 0, 'payment', 'no. 3'),
      (3, 1, -2, 0, 497, 0, 'payment', 'no. 2'),
      (2, 1, -1, 0, 499, 0, 'payment', 'no. 1'),
      (1, 1, 500, 0, 500, 0, 'payment', null)
  $$,
  'An account''s entries, newest first'
);
select is(
  (select array_agg(payment_id) from ledger.list_entries('alice', 7)),
  array(select (result).payment_id from posted order by n desc)
    || (select payment_id from ledger.idempotency_keys where key = 'fund-alice'),
  'Each with its payment'
);
select is(
  (
    select posted_at from ledger.list_entries('alice', p_limit => 1)
  ),
  (
    select posted_at from ledger.payments p, compound where p.payment_id = (result).payment_id
  ),
  'and its time'
);
select is(
  (select array_agg(version) from ledger.list_entries('alice', before, 3)), versions,
  format('Before version %s', before)
)
from (
  values
    (null, array[8, 7, 6]::bigint[]), (8, '{7, 6, 5}'), (6, '{5, 4, 3}'), (3, '{2, 1}'),
    (1, null), (0, null), (-1, null), (100, '{8, 7, 6}')
) as pages (before, versions);
select is_empty($$select * from ledger.list_entries('carol')$$, 'A new account has none');
select tests.raises(
  format('select * from ledger.list_entries(%s)', arguments), detail, arguments
)
from (
  values
    ($$'nobody'$$, '{"code": "unknown_account", "account": "nobody"}'),
    ($$'a b'$$, '{"code": "account_code_malformed", "account": "a b"}'),
    ($$'alice', p_limit => 0$$, '{"code": "limit_out_of_range", "limit": 0}'),
    ($$'alice', p_limit => 1001$$, '{"code": "limit_out_of_range", "limit": 1001}'),
    ($$'alice', p_limit => null$$, '{"code": "limit_out_of_range", "limit": null}'),
    ($$'alice', p_ledger_id => 77$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();

select * from finish();
rollback;
