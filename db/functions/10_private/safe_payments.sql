-- Of a batch's simple payments those that will be accepted in whatever order they are posted, so
-- that set statements may post them: those of which both accounts are safe.
--
-- An account is safe if all that the batch could take from it leaves it its minimum, all that the
-- batch could bring leaves it below its maximum, and neither passes 38 digits: un-netted, and over
-- all items, also those that will turn out refused or replayed. And if nothing else in the batch
-- touches it: neither a payment that is not simple, nor one of several with the same key.
--
-- Their ids are one UUIDv7, with an item's number for its last 24 bits: in order, and random bits
-- are drawn once. Drawing them for each payment would be a twentieth of what a batch costs.
--
-- In memory: reads no table.
create or replace function ledger_private.safe_payments(
  p_payments ledger_private.simple_payment[],
  p_accounts ledger_private.locked_account[],
  p_other_keys text[],  -- of the payments that are not simple
  p_other_codes text[]
)
returns ledger_private.safe_payment[]
language sql
volatile
-- Joins of arrays, whose length the planner does not know.
set enable_hashjoin = on
set enable_nestloop = off
as $$
  with drawn as materialized (
    select left(ledger_private.new_payment_id()::text, 30) as prefix
  ),
  repeated as materialized (
    select idem_key
    from unnest(p_payments)
    group by idem_key
    having count(*) > 1 or idem_key = any (p_other_keys)
  ),
  total as (
    select code, sum(debit) as debits, sum(credit) as credits
    from (
      select from_code as code, amount as debit, 0 as credit, idem_key from unnest(p_payments)
      union all
      select to_code, 0, amount, idem_key from unnest(p_payments)
    ) entry
    group by code
    having bool_and(idem_key not in (select idem_key from repeated))
  ),
  safe_account as materialized (
    select a.*
    from unnest(p_accounts) a
    join total t on t.code = a.code
    where a.status = 'open'
      and (a.balance - a.held - t.debits >= a.min_balance) is not false
      and (a.balance + t.credits <= a.max_balance) is not false
      and a.balance - t.debits > -1e38
      and a.balance + t.credits < 1e38
      and (a.code = any (p_other_codes)) is not true
  )
  select coalesce(
    array_agg(
      (
        p.item, ((select prefix from drawn) || lpad(to_hex(p.item), 6, '0'))::uuid,
        p.idem_key, p.amount, p.currency,
        p.description, p.metadata,
        f.account_id, f.code, f.balance, f.held, f.version,
        t.account_id, t.code, t.balance, t.held, t.version
      )::ledger_private.safe_payment
      order by p.item
    ),
    '{}'
  )
  from unnest(p_payments) p
  join safe_account f on f.code = p.from_code
  join safe_account t on t.code = p.to_code
  where f.currency = p.currency
    and t.currency = p.currency
$$;
