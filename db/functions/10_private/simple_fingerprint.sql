-- payment_fingerprint of a payment of one posting that is effective when posted.
create or replace function ledger_private.simple_fingerprint(
  p_from text,
  p_to text,
  p_amount numeric,
  p_currency text,
  p_description text,
  p_metadata jsonb
)
returns bytea
language sql
stable parallel safe
as $$
  select case
    when p_description is null and p_metadata = '{}'
      then ledger_private.plain_fingerprint(p_from, p_to, p_amount, p_currency)
    else ledger_private.payment_fingerprint(
      'payment',
      array[
        (1, p_from, p_currency, -p_amount, 0), (1, p_to, p_currency, p_amount, 0)
      ]::ledger_private.change[],
      p_description, p_metadata, null
    )
  end
$$;
