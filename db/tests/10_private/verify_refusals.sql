begin;
select plan(4);
select tests.open_accounts();
select from generate_series(1, 5) n, ledger.post_payment('r' || n, 'bob', 'alice', 1000, 'USD');

select is_empty('select * from ledger_private.verify_refusals(null, null, null)', 'Sound');

alter table ledger.idempotency_keys disable trigger user;
update ledger.idempotency_keys set outcome = null where key = 'r1';
update ledger.idempotency_keys set outcome = '{"code": "no_such_code", "a": 1}' where key = 'r2';
update ledger.idempotency_keys set outcome = '{"code": "account_busy"}' where key = 'r3';
update ledger.idempotency_keys set outcome = '[]' where key = 'r4';
update ledger.idempotency_keys set ledger_id = 77, created_at = '2000-01-01Z' where key = 'r5';
update ledger.idempotency_keys set created_at = '1999-01-01Z' where key = 'r1';
select bag_eq(
  'select * from ledger_private.verify_refusals(null, null, null)',
  $$
    values
      ('key_without_outcome', 1, 'key r1', '{}'::jsonb),
      ('refusal_unknown', 1, 'key r2', '{"code": "no_such_code", "a": 1}'),
      ('refusal_unknown', 1, 'key r3', '{"code": "account_busy"}'),
      ('refusal_unknown', 1, 'key r4', '[]'),
      ('key_without_ledger', 77, 'key r5', '{}')
  $$,
  'A key without a payment holds one of the refusals that are stored'
);
select bag_eq(
  $$
    select subject
    from ledger_private.verify_refusals(null, '2000-01-01Z', '2000-01-01 00:00:01Z')
  $$,
  $$values ('key r5')$$, 'Only of the keys of that time'
);
select is_empty(
  $$select * from ledger_private.verify_refusals(1, '2000-01-01Z', '2000-01-01 00:00:01Z')$$,
  'Only of the ledger asked for'
);

select * from finish();
rollback;
