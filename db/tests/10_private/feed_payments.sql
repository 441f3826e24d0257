begin;
select plan(4);
select tests.open_accounts();
create temporary table posted as
select *
from ledger.post_compound_payment(
  'k',
  '[{"from": "alice", "to": "bob", "amount": "70", "currency": "USD"},
    {"from": "bob", "to": "carol", "amount": "30", "currency": "USD"},
    {"from": "world-eur", "to": "eva", "amount": "5", "currency": "EUR"}]'
);

create function pg_temp.rendered(p_low uuid, p_high uuid)
returns jsonb
language sql
as $$
  select ledger_private.feed_payments(
    array_agg(p.ledger_id order by k.key desc), array_agg(payment_id order by k.key desc),
    array_agg(kind order by k.key desc), array_agg(posted_at order by k.key desc),
    array_agg(xid order by k.key desc), p_low, p_high
  )::jsonb
  from ledger.payments p
  join ledger.idempotency_keys k using (payment_id)
  where k.key in ('k', 'fund-eva')
$$;
create temporary table rendered as
select pg_temp.rendered(
  '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
) as payments;

select is(
  (payments -> 0) - 'entries',
  jsonb_build_object(
    'ledger_id', 1, 'payment_id', payment_id, 'kind', 'payment',
    'posted_at', body ->> 'posted_at', 'xid', pg_current_xact_id()::text
  ),
  'A payment is told as in its answer, and by its transaction'
)
from rendered, posted;
select is(
  (
    select jsonb_agg(
      jsonb_build_object(
        'account_id', a.account_id, 'account', e.account, 'currency', e.currency,
        'version', e.version, 'amount', e.amount, 'balance', e.balance_after, 'held', '0'
      )
      order by place
    )
    from rows from (
      json_to_recordset((select body -> 'entries' from posted)) as (
        account text, currency text, version int, amount text, balance_after text
      )
    ) with ordinality e (account, currency, version, amount, balance_after, place)
    join ledger.accounts a on a.ledger_id = 1 and a.code = e.account
  ),
  (select payments -> 0 -> 'entries' from rendered),
  'Its entries are those of the answer, in the same order'
);
select is(
  (select jsonb_path_query_array(payments, '$[*].entries[*].account') from rendered),
  '["alice", "bob", "bob", "carol", "world-eur", "eva", "world-eur", "eva"]',
  'Payments come in the order given'
);
select is(
  jsonb_path_query_array(
    pg_temp.rendered(
      '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000'
    ),
    '$[*].entries'
  ),
  '[null, null]', 'Entries are looked for from p_low to p_high'
);

select * from finish();
rollback;
