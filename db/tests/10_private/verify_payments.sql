begin;
select plan(5);
select tests.open_accounts();
select from generate_series(1, 9) n, ledger.post_payment('k' || n, 'alice', 'bob', 10, 'USD');

select from unnest(array['c1', 'c2']) key, ledger.post_compound_payment(
  key,
  '[{"from": "alice", "to": "bob", "amount": 1, "currency": "USD"},
    {"from": "bob", "to": "alice", "amount": 1, "currency": "USD"}]'
);

select is_empty('select * from ledger_private.verify_payments(null, null, null)', 'Sound');

create function pg_temp.payment(p_key text)
returns uuid
language sql
return (select payment_id from ledger.idempotency_keys where key = p_key);
alter table ledger.ledger_entries disable trigger user;
alter table ledger.payments disable trigger user;
alter table ledger.accounts disable trigger all;

delete from ledger.payments where payment_id = pg_temp.payment('k1');
delete from ledger.ledger_entries where payment_id = pg_temp.payment('k2');
update ledger.ledger_entries set account_id = 0
where payment_id = pg_temp.payment('k3') and amount > 0;
update ledger.ledger_entries set posting_no = 2 where payment_id = pg_temp.payment('k4');
update ledger.ledger_entries set posting_no = 2
where payment_id = pg_temp.payment('k5') and amount > 0;
update ledger.ledger_entries set posting_no = 0
where payment_id = pg_temp.payment('c1') and posting_no = 1;
update ledger.ledger_entries set posting_no = 3
where payment_id = pg_temp.payment('c2') and posting_no = 2;
update ledger.payments set feed_epoch = 99 where payment_id = pg_temp.payment('k6');
update ledger.payments set related_payment_id = pg_temp.payment('k1')
where payment_id = pg_temp.payment('k7');
update ledger.payments set related_payment_id = pg_temp.payment('k7')
where payment_id = pg_temp.payment('k8');
update ledger.payments set related_payment_id = pg_temp.payment('fund-eva')
where payment_id = pg_temp.payment('k9');
update ledger.payments set ledger_id = 77 where payment_id = pg_temp.payment('fund-eva');
update ledger.ledger_entries set ledger_id = 77 where payment_id = pg_temp.payment('fund-eva');
select bag_eq(
  $$
    select breach, ledger_id, key, detail
    from ledger_private.verify_payments(null, null, null)
    left join (
      select key, 'payment ' || payment_id as subject from ledger.idempotency_keys
    ) keys using (subject)
  $$,
  format(
    $$
      values
        ('entries_without_payment', 1, 'k1', '{"entries": 2}'::jsonb),
        ('payment_without_entries', 1, 'k2', '{}'),
        ('entries_without_account', 1, 'k3', '{"entries": 2, "with_account": 1}'),
        ('postings_not_numbered', 1, 'k4', '{"postings": 1, "first": 2, "last": 2}'),
        ('postings_not_numbered', 1, 'c1', '{"postings": 2, "first": 0, "last": 2}'),
        ('postings_not_numbered', 1, 'c2', '{"postings": 2, "first": 1, "last": 3}'),
        ('posting_not_a_pair', 1, 'k5', '{"posting_no": 1}'),
        ('payment_without_epoch', 1, 'k6', '{"feed_epoch": 99}'),
        ('related_payment_missing', 1, 'k7', '{"related_payment_id": "%s"}'),
        ('related_payment_missing', 1, 'k9', '{"related_payment_id": "%s"}'),
        ('payment_without_ledger', 77, 'fund-eva', '{}'),
        ('entries_without_account', 77, 'fund-eva', '{"entries": 2, "with_account": 0}'),
        ('posting_not_a_pair', 77, 'fund-eva', '{"posting_no": 1}')
    $$,
    pg_temp.payment('k1'), pg_temp.payment('fund-eva')
  ),
  'What belongs to a payment is there'
);

-- A pair, which only a plain payment must consist of, is a debit and a credit of one amount, in one
-- currency, that hold nothing.
update ledger.ledger_entries set amount = 11
where payment_id = pg_temp.payment('k9') and amount > 0;
update ledger.payments set kind = 'hold' where payment_id = pg_temp.payment('c1');
update ledger.ledger_entries set held = 1 where payment_id = pg_temp.payment('c1') and amount > 0;
update ledger.ledger_entries set held = 1 where payment_id = pg_temp.payment('k8') and amount > 0;
update ledger.ledger_entries set amount = 0 where payment_id = pg_temp.payment('k7');
update ledger.ledger_entries
set account_id = (select account_id from ledger.accounts where code = 'eva'), version = 2
where payment_id = pg_temp.payment('k6') and amount > 0;
select bag_eq(
  $$
    select key
    from ledger_private.verify_payments(1, null, null)
    join ledger.idempotency_keys on subject = 'payment ' || payment_id
    where breach = 'posting_not_a_pair'
  $$,
  $$values ('k5'), ('k6'), ('k7'), ('k8'), ('k9')$$,
  'Not so: other amounts, something held, nothing moved, two currencies'
);
select is_empty(
  'select * from ledger_private.verify_payments(2, null, null)', 'Only of the ledger asked for'
);
select bag_eq(
  format(
    'select subject from ledger_private.verify_payments(1, %L, %L)',
    pg_temp.payment('k2'),
    (
      select min(payment_id::text)
      from ledger.idempotency_keys
      where payment_id > pg_temp.payment('k2')
    )
  ),
  format('values (%L)', 'payment ' || pg_temp.payment('k2')),
  'Only of the payments in the range'
);

select * from finish();
rollback;
