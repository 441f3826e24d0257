-- The moment in a payment_id, to the millisecond.
create or replace function ledger_private.payment_id_time(p_payment_id uuid)
returns timestamptz
language sql
immutable parallel safe
as $$
  select to_timestamp(
    ('x' || lpad(left(replace(p_payment_id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0
  )
$$;
