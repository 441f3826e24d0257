begin;
select plan(5);
select tests.open_accounts();
create temporary table payments as
select
  key,
  (ledger.post_compound_payment(
    key,
    '[{"from": "alice", "to": "bob", "amount": "10", "currency": "USD"},
      {"from": "bob", "to": "carol", "amount": "5", "currency": "USD"},
      {"from": "eva", "to": "world-eur", "amount": 20, "currency": "EUR"}]',
    '"quoted", \ and (strange)', '{"b": [1, 2.0], "a": null}', '2026-01-02 03:04:05.678901+13'
  )).payment_id
from unnest(array['key', 'kind', 'description', 'metadata', 'effective_at', 'amount', 'held',
  'posting_no', 'account', 'swapped']) key;

select is_empty('select * from ledger_private.verify_fingerprints(null, null, null)', 'Sound');
set local time zone 'Asia/Kathmandu';
set local datestyle = 'German';
set local extra_float_digits = 0;
select is_empty(
  'select * from ledger_private.verify_fingerprints(null, null, null)', 'Whatever the session shows'
);

alter table ledger.idempotency_keys disable trigger user;
alter table ledger.payments disable trigger user;
alter table ledger.ledger_entries disable trigger user;
update ledger.idempotency_keys set fingerprint = sha256('x') where key = 'key';
update ledger.payments p
set
  kind = case key when 'kind' then 'refund' else kind end,
  description = case key when 'description' then null else description end,
  metadata = case key when 'metadata' then metadata || '{"c": 1}' else metadata end,
  effective_at = case key
    when 'effective_at' then effective_at - interval '1 microsecond' else effective_at
  end
from payments k
where k.payment_id = p.payment_id;
update ledger.ledger_entries e
set
  amount = case key when 'amount' then e.amount + sign(e.amount) else e.amount end,
  held = case key when 'held' then 1 else held end,
  posting_no = case key when 'posting_no' then posting_no + 1 else posting_no end,
  account_id = case key
    when 'account' then (select account_id from ledger.accounts where code = 'world')
    else account_id
  end,
  version = case key when 'account' then 99 + sign(e.amount) else version end
from payments k
where k.payment_id = e.payment_id
  and posting_no = 3;
update ledger.ledger_entries set amount = -amount
where payment_id = (select payment_id from payments where key = 'swapped') and posting_no = 1;
select bag_eq(
  'select breach, ledger_id, subject from ledger_private.verify_fingerprints(null, null, null)',
  $$
    select 'fingerprint_differs' as breach, 1 as ledger_id, 'key ' || key as subject
    from payments
  $$,
  'Whatever of a payment is changed, it is found'
);
select is(
  (
    select detail
    from payments p,
      ledger_private.verify_fingerprints(
        1,
        p.payment_id,
        (
          select min(next.payment_id::text)
          from payments next
          where next.payment_id > p.payment_id
        )::uuid
      )
    where key = 'key'
  ),
  (
    select jsonb_build_object(
      'payment_id', p.payment_id,
      'found', encode(sha256('x'), 'hex'),
      'expected', encode(
        ledger_private.payment_fingerprint(
          'payment',
          array[
            (1, 'alice', 'USD', -10, 0), (1, 'bob', 'USD', 10, 0), (2, 'bob', 'USD', -5, 0),
            (2, 'carol', 'USD', 5, 0), (3, 'eva', 'EUR', -20, 0), (3, 'world-eur', 'EUR', 20, 0)
          ]::ledger_private.change[],
          '"quoted", \ and (strange)', '{"b": [1, 2.0], "a": null}',
          '2026-01-02 03:04:05.678901+13'
        ),
        'hex'
      )
    )
    from payments p
    where key = 'key'
  ),
  'Both fingerprints are shown, of the payments in the range'
);
select is_empty(
  'select * from ledger_private.verify_fingerprints(2, null, null)', 'Only of the ledger asked for'
);

select * from finish();
rollback;
