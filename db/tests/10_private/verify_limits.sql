begin;
select plan(6);
select tests.open_accounts();
-- Every change of limits and status is followed by what was still or just then allowed.
select from ledger.set_account_limits('alice', -10, 600);
select from ledger.post_payment('a1', 'alice', 'bob', 510, 'USD');
select from ledger.set_account_limits('alice', 100, 150);
-- Of another millisecond: before PostgreSQL 18 only those order payment_ids.
select from pg_sleep(0.002);
select from ledger.post_payment('a2', 'bob', 'alice', 160, 'USD');
select from ledger.set_account_limits('alice', 200, 300);
select from pg_sleep(0.002);
select from ledger.post_payment('a3', 'bob', 'alice', 50, 'USD');
select from ledger.set_account_status('alice', 'frozen');
select from ledger.set_account_status('alice', 'open');
select from ledger.set_account_limits('alice', 0, null);
select from pg_sleep(0.002);
select from ledger.post_payment('a4', 'alice', 'bob', 1, 'USD');
select is(
  tests.balances(), 'alice 199 v5, bob 301 v4, eva 300 v1, world -500 v1, world-eur -300 v1',
  'Limits and statuses came and went'
);
select is_empty('select * from ledger_private.verify_limits(null, null, null)', 'That is sound');

alter table ledger.account_changes disable trigger user;
create function pg_temp.rewrite(p_code text, p_no int, p_set text)
returns void
language plpgsql
as $$
begin
  execute format(
    'update ledger.account_changes set %s where change_id = ('
    'select change_id from ledger.account_changes c join ledger.accounts a using (account_id) '
    'where a.code = %L order by change_id offset %s limit 1)', p_set, p_code, p_no - 1
  );
end
$$;

-- alice had 500, -10, 150, 200, 199 with her 1st, 2nd, 3rd, 4th, 7th change in force.
select from pg_temp.rewrite('alice', 1, 'max_balance = 499');
select from pg_temp.rewrite('alice', 2, 'min_balance = -9');
select from pg_temp.rewrite('alice', 3, 'max_balance = 149, min_balance = 149');
select from pg_temp.rewrite(
  'alice', 4, 'status = $s$frozen$s$, min_balance = 201, max_balance = 201'
);
select from pg_temp.rewrite('alice', 5, 'min_balance = 1000');
select from pg_temp.rewrite('alice', 7, 'min_balance = 200, max_balance = 0');
select from pg_temp.rewrite('world', 1, 'max_balance = -1000');
select bag_eq(
  $$
    select breach, ledger_id, subject, detail - 'change_id'
    from ledger_private.verify_limits(null, null, null)
  $$,
  $$
    values
      ('credit_above_maximum', 1, 'account alice version 1',
        '{"balance": "500", "max_balance": "499"}'::jsonb),
      ('debit_below_minimum', 1, 'account alice version 2',
        '{"available": "-10", "min_balance": "-9"}'),
      ('credit_above_maximum', 1, 'account alice version 3',
        '{"balance": "150", "max_balance": "149"}'),
      ('entry_while_not_open', 1, 'account alice version 4', '{"status": "frozen"}'),
      ('debit_below_minimum', 1, 'account alice version 5',
        '{"available": "199", "min_balance": "200"}')
  $$,
  'Debits keep the minimum, credits the maximum, of the last change not after them'
);
select bag_eq(
  format('select subject from ledger_private.verify_limits(1, %L, %L)',
    (select payment_id from ledger.idempotency_keys where key = 'a2'),
    (select payment_id from ledger.idempotency_keys where key = 'a4')),
  $$values ('account alice version 3'), ('account alice version 4')$$,
  'A slice knows the changes from before it'
);
select is_empty(
  'select * from ledger_private.verify_limits(2, null, null)', 'Only of the ledger asked for'
);

-- What is held is not available: a hold is a debit.
alter table ledger.ledger_entries disable trigger user;
update ledger.ledger_entries set amount = 0, held = 301, balance_after = 300, held_after = 301
where account_id = (select account_id from ledger.accounts where code = 'eva');
select is(
  (
    select string_agg(format('%s %s', breach, detail ->> 'available'), ', ')
    from ledger_private.verify_limits(null, null, null)
    where subject = 'account eva version 1'
  ),
  'debit_below_minimum -1', 'What is reserved beyond the minimum is found'
);

select * from finish();
rollback;
