begin;
select plan(8);
select tests.open_accounts();

-- A payment of 100 from alice to bob under the key, decided now and appended.
create function pg_temp.append(p_key text, p_payment_id uuid)
returns boolean
language plpgsql
as $$
declare
  v_decision ledger_private.decision := ledger_private.apply_changes(
    1,
    array[(1, 'alice', 'USD', -100, 0), (1, 'bob', 'USD', 100, 0)]::ledger_private.change[],
    ledger_private.lock_accounts(1, array['alice', 'bob'], true)
  );
begin
  return ledger_private.append_payment(
    1, p_key, sha256('f'), p_payment_id, '2026-01-01Z', 'payment', 'tea', '{"a": 1}', null,
    v_decision.entries, v_decision.accounts
  );
end
$$;
create temporary table ids as
select ledger_private.new_payment_id() as first, ledger_private.new_payment_id() as second;

select is(pg_temp.append('k', first), true, 'Whoever gets the key writes the payment') from ids;
select is(
  (
    select row(key, fingerprint, k.payment_id, outcome, render_version, k.created_at,
      kind, description, metadata, effective_at, posted_at, related_payment_id, feed_epoch)::text
    from ledger.idempotency_keys k
    join ledger.payments p using (payment_id)
    where key = 'k'
  ),
  row('k', sha256('f'), first, null, 1, '2026-01-01Z'::timestamptz,
    'payment', 'tea', '{"a": 1}'::jsonb, null, '2026-01-01Z'::timestamptz, null,
    (select max(feed_epoch) from ledger.feed_epochs))::text,
  'the key and the payment'
)
from ids;
select is(
  (select xid from ledger.payments p where p.payment_id = first), pg_current_xact_id(),
  'in this transaction'
)
from ids;
select is(
  (
    select string_agg(
      format('%s %s %s %s', posting_no, amount, balance_after, version), ', ' order by amount
    )
    from ledger.ledger_entries e where e.payment_id = first
  ),
  '1 -100 400 2, 1 100 100 1', 'and its entries'
)
from ids;
select is(
  tests.balances(), 'alice 400 v2, bob 100 v1, eva 300 v1, world -500 v1, world-eur -300 v1',
  'and moves the balances'
);
select tests.books();

select tests.remember();
select is(pg_temp.append('k', second), false, 'Whoever does not get the key writes nothing')
from ids;
select tests.unchanged();

select * from finish();
rollback;
